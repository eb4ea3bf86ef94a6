# SPDX-License-Identifier: Apache-2.0
"""Lane maps of mirrored and resized pictures, made one.

A keypoint that a look shows is brought to the cell of the plain grid in which it lies: the
strongest of the look's cells there speaks for it, for lines are one cell wide, and a mean over
cells would pale them. Its vectors are mapped, not copied: a mirrored one changes its sign, one of a
larger picture is that much longer. Heat maps are averaged over the looks that show a cell;
positions, and vectors to the start, with the heat as their weight, for where a look sees no line
they mean nothing. Left heads of a mirrored look are right heads.

A picture that is zoomed in ends before the lane does: what it takes for the start is where the lane
leaves its own border. So its vectors to the start do not count.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.images.looks import HALF, Axis, Look, cells_along
from shared_encoder_perception.tasks.lanes.answer import LaneId
from shared_encoder_perception.tasks.lanes.labels import MIRRORED
from shared_encoder_perception.tasks.lanes.spec import OUTPUT_LANES, Block

HEADS: Final = [MIRRORED[lane] for lane in LaneId]
"""Head of a mirrored picture that tells of each lane."""
HEAT, START, POSITION = 0, slice(1, 3), slice(3, 5)
"""In the order of ``spec.LANE_MAPS``."""


def merge(
    looks: Sequence[Look], outputs: Sequence[Mapping[str, NDArray]], block: Block
) -> dict[str, NDArray]:
    """Return ``lanes``; see above. Where nothing is hot, vectors are the first look's."""
    maps = np.stack(
        [
            on_plain_grid(output[OUTPUT_LANES], look, block.stride)
            for look, output in zip(looks, outputs, strict=True)
        ]
    )
    seen = np.stack([look.seen(block.stride) for look in looks])
    whole = np.array([look.whole for look in looks])
    heat = maps[:, :, HEAT] * seen[:, None]
    merged = maps[0].copy()
    merged[:, HEAT] = heat.sum(axis=0) / seen.sum(axis=0)
    merged[:, START] = _weighted(maps[:, :, START], heat * whole[:, None, None, None])
    merged[:, POSITION] = _weighted(maps[:, :, POSITION], heat)
    return {OUTPUT_LANES: merged.astype(np.float32)}


def on_plain_grid(maps: NDArray[np.float32], look: Look, stride: int) -> NDArray[np.float64]:
    """Return the maps (5, 5, rows, columns) of a look as those of the plain picture, by the lane.

    What the look does not show is made up.
    """
    if look.mirrored:
        maps = maps[HEADS]
    rows, columns = _strongest(maps[:, HEAT], look, stride)
    heads = np.arange(len(maps))[:, None, None]
    found = np.stack([maps[heads, index, rows, columns] for index in range(maps.shape[1])], axis=1)
    found = found.astype(np.float64)
    along = ((look.x, columns, (1, -1)), (look.y, rows, (-1, 1)))
    for index, (axis, cells, shape) in enumerate(along):
        first, corners = cells_along(axis, stride).first, _corners(axis, stride)
        factor = float(axis.factor)
        found[:, START.start + index] /= factor
        found[:, POSITION.start + index] /= factor
        beyond = (cells - first.reshape(shape)) / factor
        found[:, POSITION.start + index] += corners.reshape(shape) + beyond
    return found


def _strongest(
    heat: NDArray[np.float32], look: Look, stride: int
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return row and column, (heads, rows, columns) each, of the look's hottest cell in each cell.

    Of cells that are as hot, the first in the look's own order: a mirrored look decides as it would
    if it were the plain one.
    """
    down, across = cells_along(look.y, stride), cells_along(look.x, stride)
    shape = (len(heat), len(down.first), len(across.first))
    best = np.full(shape, -np.inf, np.float32)
    rows, columns = np.zeros(shape, np.intp), np.zeros(shape, np.intp)
    for more_rows in range(int((down.last - down.first).max()) + 1):
        row = np.minimum(down.first + more_rows, down.last)[:, None]
        for more_columns in range(int((across.last - across.first).max()) + 1):
            column = np.minimum(across.first + more_columns, across.last)
            value = heat[:, row, column]
            hotter = value > best
            best = np.where(hotter, value, best)
            rows, columns = np.where(hotter, row, rows), np.where(hotter, column, columns)
    return rows, columns


@lru_cache(maxsize=256)
def _corners(axis: Axis, stride: int) -> NDArray[np.float64]:
    """Return where, in cells from each cell of the plain grid, its first cell of the look has 0.

    Positions count from the middle of a cell's first pixel: half a pixel from its edge.
    """
    first = cells_along(axis, stride).first
    return np.array(
        [
            float((axis.to_plain(int(one) * stride + HALF) - HALF) / stride - cell)
            for cell, one in enumerate(first)
        ]
    )


def _weighted(values: NDArray[np.float64], weight: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the weighted mean over the looks, the first look's values where nothing weighs.

    Args:
        values: (looks, heads, maps, rows, columns).
        weight: (looks, heads, rows, columns), 0 or more.
    """
    weight = weight[:, :, None]
    total = weight.sum(axis=0)
    mean = (values * weight).sum(axis=0) / np.where(total > 0, total, 1.0)
    return np.where(total > 0, mean, values[0])
