# SPDX-License-Identifier: Apache-2.0
"""Lane centre lines -> the five maps of each head: the exact inverse of ``decode``.

The encoding is GANet's (CVPR 2022), one lane per head, with two changes: lines are sampled by arc
length instead of by row, so flat neighbour lanes get every cell they cross; and offsets are
supervised one cell to either side of the line as well, because the decoder may read them there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.structures import Size
from shared_encoder_perception.tasks.lanes.answer import LaneId
from shared_encoder_perception.tasks.lanes.labels import Label
from shared_encoder_perception.tasks.lanes.spec import OUTPUT_LANES, Block

STEP: Final = 0.2
"""Sampling step along the line, cells."""
AROUND: Final = ((0, 0), (-1, 0), (1, 0), (0, -1), (0, 1))
"""Cells whose offsets are supervised, relative to a cell of the line, ``(column, row)``."""
GAUSSIAN_RADIUS: Final = 2
GAUSSIAN_SIGMA: Final = 5.0 / 6.0
"""GANet's keypoint blob, cells."""


@dataclass(frozen=True, eq=False)
class LaneTargets:
    """What five heads should answer for one image, on a grid of (rows, columns) cells.

    Attributes:
        maps: (5, 5, rows, columns) float32 in the order of ``spec.LANE_MAPS``, offsets in cells.
        supervised: (5, rows, columns) bool, cells whose offsets are trained.
        known: (5,) bool, false for a head that must not be trained on this image.
    """

    maps: NDArray[np.float32]
    supervised: NDArray[np.bool_]
    known: NDArray[np.bool_]


def encode(label: Label | None, size: Size, block: Block) -> dict[str, NDArray]:
    """Return the targets of one view.

    Returns:
        ``maps`` and ``supervised`` as in ``LaneTargets``; ``known`` (5,) float32, how much a head's
        label counts: 0 for a lane that nobody labelled, 1 for a sure label, a teacher's confidence
        in between.
    """
    lines = {} if label is None else label.lines
    targets = encode_lanes(lines, size, block.stride)
    confidence = {} if label is None else label.confidence
    weight = np.array([confidence.get(lane, 1.0) for lane in LaneId], np.float32)
    return {
        "maps": targets.maps,
        "supervised": targets.supervised,
        "known": targets.known * weight,
    }


def ideal(targets: Mapping[str, NDArray], size: Size, block: Block) -> dict[str, NDArray]:
    """Return the maps of a network that says just what the targets of one view ask for."""
    return {OUTPUT_LANES: targets["maps"]}


def encode_lanes(
    lanes_px: Mapping[LaneId, NDArray | None], input_size: Size, stride: int
) -> LaneTargets:
    """Encode centre lines given in network-input pixels.

    Args:
        lanes_px: As ``Label.lines``, in pixels of the network input. Points outside the input
            are cut; a line with nothing inside counts as absent.
        input_size: ``(height, width)`` of the network input.
        stride: Input pixels per cell.
    """
    rows, columns = input_size[0] // stride, input_size[1] // stride
    heads = len(LaneId)
    maps = np.zeros((heads, 5, rows, columns), np.float32)
    supervised = np.zeros((heads, rows, columns), np.bool_)
    known = np.zeros(heads, np.bool_)
    for lane, points in lanes_px.items():
        known[lane] = True
        if points is None:
            continue
        samples = _resample(np.asarray(points, np.float64) / stride, STEP)
        inside = ((samples >= 0) & (samples < (columns, rows))).all(axis=1)
        if inside.sum() >= 2:
            _draw(samples[inside], maps[lane], supervised[lane])
    return LaneTargets(maps, supervised, known)


def _resample(points: NDArray[np.float64], step: float) -> NDArray[np.float64]:
    """Return points along the polyline (N, 2), at most ``step`` apart, ends included."""
    length = np.concatenate(([0.0], np.cumsum(np.hypot(*np.diff(points, axis=0).T))))
    at = np.linspace(0.0, length[-1], max(int(np.ceil(length[-1] / step)) + 1, 2))
    return np.stack([np.interp(at, length, points[:, axis]) for axis in (0, 1)], axis=1)


def _draw(
    samples: NDArray[np.float64], maps: NDArray[np.float32], supervised: NDArray[np.bool_]
) -> None:
    """Write one line, sampled near to far inside the grid, into its head's maps (in place)."""
    _, rows, columns = maps.shape
    start = samples[np.argmax(samples[:, 1])]
    cells = np.floor(samples).astype(np.int64)
    owner = np.concatenate([cells + shift for shift in AROUND])
    point = np.tile(samples, (len(AROUND), 1))
    on_line = np.repeat([shift == (0, 0) for shift in AROUND], len(samples))
    fits = ((owner >= 0) & (owner < (columns, rows))).all(axis=1)
    owner, point, on_line = owner[fits], point[fits], on_line[fits]
    # Of all samples that want a cell: one that lies in it, then the one nearest to its centre.
    distance = np.abs(point - owner - 0.5).max(axis=1)
    flat = owner[:, 1] * columns + owner[:, 0]
    order = np.lexsort((distance, ~on_line, flat))
    flat, first = np.unique(flat[order], return_index=True)
    chosen = order[first]
    row, column = np.divmod(flat, columns)
    maps[1:3, row, column] = (start - point[chosen]).T
    maps[3:5, row, column] = (point[chosen] - owner[chosen]).T
    supervised[row, column] = True
    _splat(maps[0], np.unique(cells, axis=0))


def _splat(heat: NDArray[np.float32], cells: NDArray[np.int64]) -> None:
    """Take the maximum of ``heat`` (rows, columns) and a Gaussian at each ``(column, row)``."""
    rows, columns = heat.shape
    reach = range(-GAUSSIAN_RADIUS, GAUSSIAN_RADIUS + 1)
    for dy in reach:
        for dx in reach:
            value = np.exp(-(dx * dx + dy * dy) / (2 * GAUSSIAN_SIGMA**2))
            column, row = cells[:, 0] + dx, cells[:, 1] + dy
            fits = (column >= 0) & (column < columns) & (row >= 0) & (row < rows)
            np.maximum.at(heat, (row[fits], column[fits]), np.float32(value))
