# SPDX-License-Identifier: Apache-2.0
"""Class maps of public data sets as labels: ids or colours, as they are or in another table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.tasks.label_files import LabelError
from shared_encoder_perception.tasks.semantic.classes import UNLABELLED, Table
from shared_encoder_perception.tasks.semantic.label import Label
from shared_encoder_perception.tasks.semantic.mappings import mapping_of
from shared_encoder_perception.tasks.semantic.tables import table_of

NO_CLASS: Final = {"camvid11": 11, "camvid32": 30}
"""The id that a set has for what is not labelled, beside 255: CamVid's void."""


def label_of(said: Any) -> tuple[Callable[[], Label] | None, Sequence[str]]:
    """Return what reads the label of a picture; see ``contract.labels.Labels.of_set``.

    With a mapping the map is read at once, to say which of its classes are left out.
    """
    if not said.classes_as:
        return partial(_read, said), ()
    try:
        label = _read(said)
    except LabelError:  # told where the label is read
        return partial(_read, said), ()
    mapping = mapping_of(said.classes_as, label.classes)
    left_out = [f"class {name}: has no place there" for name in mapping.left_out(label)]
    return partial(mapping, label), left_out


def _read(said: Any) -> Label:
    """Read ids, or find the classes of colours."""
    pixels = said.class_map()
    name = said.class_tables[pixels.ndim - 2]
    table = table_of(name)
    ids = ids_of_colours(pixels, table) if pixels.ndim == 3 else pixels
    known = np.where(ids == NO_CLASS.get(name, UNLABELLED), np.uint8(UNLABELLED), ids)
    return Label(known, table, instances=said.instances and said.instances())


def ids_of_colours(pixels: NDArray[np.uint8], classes: Table) -> NDArray[np.uint8]:
    """Return the ids of (H, W, 3) BGR colours of a table; 255 where they are none of it."""
    blue, green, red = (pixels[:, :, channel].astype(np.int32) for channel in range(3))
    codes = (red << 16) + (green << 8) + blue
    ids = np.full(codes.shape, UNLABELLED, np.uint8)
    for one in classes:
        ids[codes == (one.colour[0] << 16) + (one.colour[1] << 8) + one.colour[2]] = one.id
    return ids
