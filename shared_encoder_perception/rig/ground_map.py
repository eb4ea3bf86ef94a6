# SPDX-License-Identifier: Apache-2.0
"""What is known of the ground, cell by cell: yes, no, or not known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.rig.boxes import Box
from shared_encoder_perception.rig.grid import BevGrid

YES: Final = 255
NO: Final = 0
NOT_KNOWN: Final = 127
FINE: Final = 16
"""Parts of a cell, along each side, of which half must lie in a polygon."""


@dataclass(frozen=True, eq=False)
class GroundMap:
    """A property of the ground, such as being drivable.

    Attributes:
        grid: Its cells.
        values: (Y, X) uint8 of ``YES``, ``NO`` and ``NOT_KNOWN``.
    """

    grid: BevGrid
    values: NDArray[np.uint8]

    def __post_init__(self) -> None:
        """Refuse other values, and another shape."""
        if self.values.shape != self.grid.shape or self.values.dtype != np.uint8:
            raise ValueError(
                f"a map of {self.values.dtype} {self.values.shape}, expected uint8 "
                f"{self.grid.shape}, rows along y"
            )
        if not np.isin(self.values, (YES, NO, NOT_KNOWN)).all():
            raise ValueError(f"a map's values are only {YES} yes, {NO} no, {NOT_KNOWN} not known")

    def onto(self, grid: BevGrid, yaw_rad: float = 0.0) -> GroundMap:
        """Return it in other cells, by the nearest; ``NOT_KNOWN`` where it does not reach.

        Args:
            grid: The other cells.
            yaw_rad: By how much their frame is turned to the left against this map's.
        """
        cos, sin = np.cos(yaw_rad), np.sin(yaw_rad)
        there = grid.centres() @ np.array([[cos, sin], [-sin, cos]])
        cells = np.rint(self.grid.cells(there)).astype(np.intp)
        rows, columns = self.grid.shape
        inside = (cells >= 0).all(axis=-1) & (cells < (columns, rows)).all(axis=-1)
        found = np.full(grid.shape, NOT_KNOWN, np.uint8)
        found[inside] = self.values[cells[inside][:, 1], cells[inside][:, 0]]
        return GroundMap(grid, found)


def covered(polygons: Sequence[NDArray], grid: BevGrid) -> NDArray[np.float32]:
    """Return how much of each cell lies in a union of polygons, (Y, X) 0 to 1.

    By ``FINE`` x ``FINE`` points in each cell, each tested exactly at its own place.

    Args:
        polygons: Each (N, 2) ``(x, y)`` metres, in either direction.
        grid: The cells.
    """
    rows, columns = grid.shape
    fine = np.zeros((rows * FINE, columns * FINE), np.uint8)
    for polygon in polygons:
        # Fine point i of the whole grid is at (i + 0.5) / FINE - 0.5 cells.
        at = (grid.cells(polygon) + 0.5) * FINE - 0.5
        _fill_points(fine, at)
    parts = fine.reshape(rows, FINE, columns, FINE)
    return parts.mean(axis=(1, 3), dtype=np.float32)


def _fill_points(fine: NDArray[np.uint8], polygon: NDArray[np.float64]) -> None:
    """Set the integer points inside a polygon of ``(column, row)`` (in place), even-odd.

    Not ``cv2.fillPoly``, which fills what its outline touches, too: a box would grow by a point.
    """
    low = np.maximum(np.ceil(polygon.min(axis=0)), 0).astype(int)
    high = np.minimum(np.floor(polygon.max(axis=0)), np.array(fine.shape[::-1]) - 1).astype(int)
    if (low > high).any():
        return
    after = np.roll(polygon, -1, axis=0)
    rows = np.arange(low[1], high[1] + 1, dtype=np.float64)
    # Each crossing of an edge with a row turns all points to its right inside out.
    flips = np.zeros((len(rows), high[0] - low[0] + 2), np.int32)
    row, edge = np.nonzero((polygon[:, 1] > rows[:, None]) != (after[:, 1] > rows[:, None]))
    start, end = polygon[edge], after[edge]
    at = start[:, 0] + (rows[row] - start[:, 1]) * (end[:, 0] - start[:, 0]) / (
        end[:, 1] - start[:, 1]
    )
    first = np.clip(np.floor(at).astype(np.int64) + 1 - low[0], 0, flips.shape[1] - 1)
    np.add.at(flips, (row, first), 1)
    inside = flips.cumsum(axis=1)[:, :-1] % 2 == 1
    fine[low[1] : high[1] + 1, low[0] : high[0] + 1][inside] = 1


def drivable_map(polygons: Sequence[NDArray], grid: BevGrid) -> GroundMap:
    """Return the map of cells of which at least half lies in polygons, (N, 2) ``(x, y)`` m each."""
    share = covered(polygons, grid)
    return GroundMap(grid, np.where(share >= 0.5, YES, NO).astype(np.uint8))


@dataclass(frozen=True, eq=False)
class GroundLabel:
    """What is known of the ground around a vehicle, whatever grid is asked for.

    Attributes:
        objects: Everything that stands or drives there; ``None`` where nobody looked.
        drivable: Where one may drive; ``None`` where nobody says.
        in_view: Where what is there, the ground or the object that stands on it, is in plain view
            of some camera of the rig: nothing else stands in front of it. ``NO`` where it is hidden
            to all that look there, ``NOT_KNOWN`` where none looks; ``None`` where nobody says.
    """

    objects: tuple[Box, ...] | None = None
    drivable: GroundMap | None = None
    in_view: GroundMap | None = None
