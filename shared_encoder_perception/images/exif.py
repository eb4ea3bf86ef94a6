# SPDX-License-Identifier: Apache-2.0
"""The fields of a TIFF file, which are those of EXIF data, too: one table of tags and values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.images.picture_bytes import Content, Order, PictureError, number

UPRIGHT: Final = 1
SIDEWAYS: Final = range(5, 9)
"""Orientations that swap width and height."""
ORIENTATIONS: Final = range(1, 9)
ORIENTATION, WIDTH, HEIGHT, TILE_WIDTH, TILE_HEIGHT = 0x0112, 0x0100, 0x0101, 0x0142, 0x0143
EXTRA_SAMPLES: Final = 0x0152
"""Tags."""
MULTIPLIED: Final = 1
"""Value of ``EXTRA_SAMPLES``: colours are multiplied by their alpha already."""
_WHOLE_NUMBERS: Final = {1: 1, 3: 2, 4: 4, 16: 8}
"""Types of fields that hold whole numbers -> the bytes of one."""
_ORDERS: Final[dict[bytes, Order]] = {b"II": "little", b"MM": "big"}


@dataclass(frozen=True)
class Field:
    """A whole number of a table.

    Attributes:
        value: The number.
        at: Where its bytes begin in the file.
        count: Of its bytes.
        order: Of its bytes.
    """

    value: int
    at: int
    count: int
    order: Order


def read_fields(content: Content, start: int = 0) -> dict[int, Field]:
    """Read the first table of a TIFF file.

    Args:
        content: The file, or one with EXIF data inside.
        start: Where the TIFF begins in it, with its byte order.

    Returns:
        Tag -> its field, for those that are one whole number.

    Raises:
        PictureError: It is no TIFF, or its table is cut off.
    """
    order = _ORDERS.get(content[start : start + 2])
    version = number(content, start + 2, 2, order) if order else 0
    if order is None or version not in (42, 43):
        raise PictureError("is damaged: its header is none of a TIFF")
    # The large form counts entries with 8 bytes, and values and places, too.
    wide = 8 if version == 43 else 4
    table = start + number(content, start + wide, wide, order)
    head = 8 if wide == 8 else 2
    count = number(content, table, head, order)
    fields: dict[int, Field] = {}
    for index in range(min(count, 0xFFFF)):
        entry = table + head + index * (4 + 2 * wide)
        tag, kind = number(content, entry, 2, order), number(content, entry + 2, 2, order)
        size = _WHOLE_NUMBERS.get(kind)
        if size is None or size > wide or number(content, entry + 4, wide, order) != 1:
            continue
        at = entry + 4 + wide
        fields.setdefault(tag, Field(number(content, at, size, order), at, size, order))
    return fields


def orientation_of(fields: dict[int, Field]) -> int:
    """Return how a picture wants to be turned, 1 to 8; upright where the table does not say."""
    field = fields.get(ORIENTATION)
    return field.value if field is not None and field.value in ORIENTATIONS else UPRIGHT


def read_orientation(exif: bytes) -> int:
    """Return how EXIF data want a picture to be turned; upright where they make no sense."""
    try:
        return orientation_of(read_fields(exif))
    except PictureError:
        return UPRIGHT


def upright(pixels: NDArray, orientation: int) -> NDArray:
    """Turn a picture as its orientation asks for.

    Args:
        pixels: (H, W) or (H, W, C), as stored.
        orientation: 1 to 8, as EXIF counts.

    Returns:
        The same, (W, H) or (W, H, C) for the orientations of ``SIDEWAYS``, C-contiguous.
    """
    if orientation in SIDEWAYS:
        pixels = pixels.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(pixels)
