# SPDX-License-Identifier: Apache-2.0
"""What the mask's network is to say: the label, and how much of it counts."""

import numpy as np

from shared_encoder_perception.tasks.drivable.labels import Label
from shared_encoder_perception.tasks.drivable.spec import Block
from shared_encoder_perception.tasks.drivable.target import encode, ideal

SIZE = (64, 96)


def label(confidence=None):
    mask = np.zeros(SIZE, np.uint8)
    mask[20:40], mask[40:] = 127, 255
    return Label(mask, confidence)


def test_ignored_pixels_do_not_count_and_doubtful_ones_less():
    sure = encode(label(), SIZE, Block())
    assert np.array_equal(sure["mask"], label().mask)
    assert np.array_equal(sure["weight"] == 0, label().mask == 127)
    assert set(np.unique(sure["weight"])) == {0, 255}
    doubtful = encode(label(np.full(SIZE, 51, np.uint8)), SIZE, Block())
    assert np.array_equal(doubtful["weight"], np.minimum(sure["weight"], 51))


def test_nothing_known_counts_nowhere():
    nothing = encode(None, SIZE, Block())
    assert not nothing["weight"].any()
    assert nothing["mask"].shape == SIZE


def test_the_ideal_network_says_what_is_asked_for():
    outputs = ideal(encode(label(), SIZE, Block()), SIZE, Block())
    promised = Block().outputs(SIZE)
    assert {name: (array.dtype, array.shape) for name, array in outputs.items()} == promised
    assert set(np.unique(outputs["mask"][:20])) == {0}
    assert set(np.unique(outputs["mask"][40:])) == {255}
