# SPDX-License-Identifier: Apache-2.0
"""Where in a variant of a picture the cells of the plain picture's grid are, and their values.

A look is one picture of several that a network is shown instead of one. Everything here is exact:
positions are fractions of whole pixels, so that a mirrored look and a plain one meet in the same
cells. Lengths are network-input pixels from the corner of the picture: its first pixel reaches from
0 to 1. Grids have a cell for each ``stride`` pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.images.preprocess import PADDING, ImageTransform
from shared_encoder_perception.structures import Size

HALF: Final = Fraction(1, 2)


@dataclass(frozen=True)
class Axis:
    """Along one axis, where a variant shows what the plain picture shows.

    Attributes:
        side: Pixels of the network input.
        factor: The variant's pixels for each of the plain picture's, below 0 where mirrored.
        offset: Where in the variant the corner of the plain picture is.
        shown: Where in the variant its picture begins and ends; beyond is padding. All of it, where
            the plain picture has that padding, too.
    """

    side: int
    factor: Fraction
    offset: Fraction
    shown: tuple[int, int]

    def to_plain(self, length: Fraction | int) -> Fraction:
        """Map a length in the variant to the plain picture."""
        return (length - self.offset) / self.factor


@dataclass(frozen=True, eq=False)
class Cells:
    """Along one axis, where in a variant's grid the cells of the plain grid are; arrays (n,).

    Attributes:
        seen: bool, whether the variant shows the middle of the cell.
        nearest: The variant's cell that holds that middle, ``intp`` like all that follow.
        first: Of the variant's cells whose middles lie in the cell; the nearest where none does.
        last: Likewise.
        lower: Of the two of the variant's cells between whose middles that middle lies.
        upper: Likewise; the rim goes on outside.
        share: float64, how much the upper one counts, 0 to 1.
    """

    seen: NDArray[np.bool_]
    nearest: NDArray[np.intp]
    first: NDArray[np.intp]
    last: NDArray[np.intp]
    lower: NDArray[np.intp]
    upper: NDArray[np.intp]
    share: NDArray[np.float64]


@lru_cache(maxsize=256)
def cells_along(axis: Axis, stride: int) -> Cells:
    """Find the cells of a grid. Padding is never read, nor a cell whose middle lies in it."""
    begin, end = axis.shown
    lowest, highest = -((stride - 2 * begin) // (2 * stride)), (2 * end - stride) // (2 * stride)
    if lowest > highest:  # the picture is narrower than a cell
        lowest = highest = (begin + end) // (2 * stride)

    def inside(cell: int) -> int:
        return min(max(cell, lowest), highest)

    # Edges in the variant's cells are whole numbers of 1 / whole.
    (up, down), (far, by) = (one.as_integer_ratio() for one in (axis.factor, axis.offset))
    step, corner, whole = up * by * stride, far * down, down * by * stride
    rows: list[tuple[bool, int, int, int, int, int, float]] = []
    for cell in range(axis.side // stride):
        low, high = sorted((corner + cell * step, corner + (cell + 1) * step))
        middle, both = low + high, 2 * whole
        nearest, before = inside(middle // both), (middle - whole) // both
        first, last = inside(-((whole - 2 * low) // both)), inside((2 * high - whole) // both)
        if first > last:
            first = last = nearest
        seen = begin * both <= middle * stride <= end * both
        share = (middle - whole - before * both) / both
        rows.append((seen, nearest, first, last, inside(before), inside(before + 1), share))
    columns = list(zip(*rows, strict=True))
    kinds = (np.bool_, *(np.intp,) * 5, np.float64)
    return Cells(*(np.array(one, kind) for one, kind in zip(columns, kinds, strict=True)))


@dataclass(frozen=True)
class Look:
    """One picture that the network is shown, and how it lies over the plain one.

    Attributes:
        transform: From the image, mirrored where that is so, to a picture of the network's size or
            smaller.
        input_size: ``(height, width)`` of the network's input, in whose middle the picture is laid.
        mirrored: Whether the image is mirrored before.
        whole: Whether it shows all that the plain picture shows.
        x: Its columns.
        y: Its rows.
    """

    transform: ImageTransform
    input_size: Size
    mirrored: bool
    whole: bool
    x: Axis
    y: Axis

    def image_to_input(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Mirror, crop, resize and pad with the grey of a letterbox.

        Args:
            image: (H, W, 3) uint8 of the transform's ``image_size``, as received.

        Returns:
            (h, w, 3) uint8 of ``input_size``.
        """
        picture = self.transform.image_to_input(image[:, ::-1] if self.mirrored else image)
        if picture.shape[:2] == tuple(self.input_size):
            return picture
        (height, width), (top, left) = picture.shape[:2], corner(self.input_size, picture.shape[:2])
        padded = np.full((*self.input_size, 3), PADDING, np.uint8)
        padded[top : top + height, left : left + width] = picture
        return padded

    def seen(self, stride: int) -> NDArray[np.bool_]:
        """Return (rows, columns): whether it shows the middle of a cell of the plain grid."""
        down, across = cells_along(self.y, stride), cells_along(self.x, stride)
        return np.logical_and.outer(down.seen, across.seen)

    def nearest(self, grid: NDArray, stride: int) -> NDArray:
        """Return (rows, columns) of its (rows, columns): for each cell of the plain grid one."""
        down, across = cells_along(self.y, stride), cells_along(self.x, stride)
        return grid[np.ix_(down.nearest, across.nearest)]

    def between(self, grid: NDArray, stride: int) -> NDArray[np.float64]:
        """Likewise, bilinear between the middles of its cells."""
        down, across = cells_along(self.y, stride), cells_along(self.x, stride)
        rows = _mixed(grid.astype(np.float64), down, 0)
        return _mixed(rows, across, 1)


def mean_of(looks: Sequence[Look], grids: Sequence[NDArray], stride: int) -> NDArray[np.float64]:
    """Return the mean of values over the looks that show them, (rows, columns) of the plain grid.

    Args:
        looks: The plain one among them, which shows everything.
        grids: (rows, columns) of each.
        stride: Network-input pixels per cell.
    """
    shown = [look.seen(stride) for look in looks]
    values = [look.between(grid, stride) for look, grid in zip(looks, grids, strict=True)]
    total = sum(np.where(seen, value, 0.0) for seen, value in zip(shown, values, strict=True))
    return np.asarray(total / np.sum(shown, axis=0))


def median_of(looks: Sequence[Look], grids: Sequence[NDArray], stride: int) -> NDArray[np.float64]:
    """Likewise, the median."""
    values = [
        np.where(look.seen(stride), look.between(grid, stride), np.nan)
        for look, grid in zip(looks, grids, strict=True)
    ]
    return np.asarray(np.nanmedian(values, axis=0))


def corner(outer: Size, inner: Size) -> tuple[int, int]:
    """Return the upper left ``(row, column)`` of what lies in the middle of something larger."""
    return (outer[0] - inner[0]) // 2, (outer[1] - inner[1]) // 2


def look_through(plain: ImageTransform, transform: ImageTransform, mirrored: bool) -> Look:
    """Lay a picture of an image over the plain one.

    Args:
        plain: From the image to the network's input.
        transform: As ``Look.transform``.
        mirrored: As ``Look.mirrored``.
    """
    (top, left), (height, width) = corner(plain.input_size, transform.input_size), plain.input_size
    before, after, old, new = plain.crop, transform.crop, plain.content, transform.content
    x = _axis(
        width,
        (before.x, before.width, old.x, old.width),
        (after.x, after.width, new.x + left, new.width),
        plain.image_size[1] if mirrored else None,
    )
    y = _axis(
        height,
        (before.y, before.height, old.y, old.height),
        (after.y, after.height, new.y + top, new.height),
    )
    whole = (after.width, after.height) == (before.width, before.height)
    if whole and transform.input_size == plain.input_size:  # it is padded as the plain one is
        x, y = (replace(axis, shown=(0, axis.side)) for axis in (x, y))
    return Look(transform, plain.input_size, mirrored, whole, x, y)


_Span = tuple[int, int, int, int]
"""Begin and length of a crop in the image, and of what shows it in the network's input."""


def _axis(side: int, old: _Span, new: _Span, mirror: int | None = None) -> Axis:
    """Join the way back from the plain picture with that to another.

    Args:
        side: Pixels of the network's input.
        old: Of the plain picture.
        new: Of the other.
        mirror: Pixels of the image, where the other is of the mirrored one.
    """
    pixels, scale = Fraction(old[1], old[3]), Fraction(new[3], new[1])
    source = old[0] - old[2] * pixels
    if mirror is not None:
        source, pixels = mirror - source, -pixels
    return Axis(side, pixels * scale, (source - new[0]) * scale + new[2], (new[2], new[2] + new[3]))


def _mixed(grid: NDArray[np.float64], cells: Cells, axis: int) -> NDArray[np.float64]:
    """Interpolate along one axis of a plane."""
    share = cells.share[:, None] if axis == 0 else cells.share
    lower, upper = grid.take(cells.lower, axis), grid.take(cells.upper, axis)
    return np.asarray(lower * (1.0 - share) + upper * share)
