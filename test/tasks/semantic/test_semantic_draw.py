# SPDX-License-Identifier: Apache-2.0
"""Classes on pictures, and the words beside them."""

import numpy as np

from shared_encoder_perception.tasks.semantic.answer import SemanticMask
from shared_encoder_perception.tasks.semantic.classes import UNLABELLED
from shared_encoder_perception.tasks.semantic.draw import legend
from shared_encoder_perception.tasks.semantic.tables import CITYSCAPES_19, WORLD

SIZE = (40, 100)


def answer(ids, table=WORLD):
    return SemanticMask(np.asarray(ids, np.uint8), np.full(SIZE, 255, np.uint8), table)


def test_the_legend_names_what_is_seen_in_the_order_of_the_table():
    """Not of their size: in a video the lines would change places."""
    ids = np.full(SIZE, UNLABELLED, np.uint8)
    ids[:, :2], ids[:, 2:40], ids[0, 50:69] = 3, 7, 1  # 1 is on fewer than 20 of 4000 pixels
    assert [name for name, _ in legend(answer(ids))] == [WORLD[3].name, WORLD[7].name]
    ids[0, 69] = 1
    assert [name for name, _ in legend(answer(ids))] == [WORLD[at].name for at in (1, 3, 7)]
    assert legend(answer(np.full(SIZE, UNLABELLED))) == []


def test_every_class_of_a_table_can_be_read_on_a_dark_ground():
    for table in (WORLD, CITYSCAPES_19):
        for one in table:
            ((name, (blue, green, red)),) = legend(answer(np.full(SIZE, one.id), table))
            assert name == one.name
            assert 0.114 * blue + 0.587 * green + 0.299 * red > 95
