# SPDX-License-Identifier: Apache-2.0
"""The ground around the vehicle, cut into cells."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

MOST_CELLS: Final = 4_000_000
"""In one layer of a grid: a square of 200 m in cells of a decimetre."""


@dataclass(frozen=True)
class BevGrid:
    """Square cells on the ground, and layers above them, in the vehicle's frame.

    Arrays over the grid are ``[..., iy, ix]``, as ``nav_msgs/OccupancyGrid`` lies in memory: the
    first value belongs to the lowest x and y, the second to the next x.

    Attributes:
        x_min_m: Rear edge of the first column, metres ahead of the vehicle's origin.
        y_min_m: Right edge of the first row, metres to its left.
        cells_x: Columns.
        cells_y: Rows.
        cell_m: Side of a cell.
        heights_m: Layers of voxels, metres above the ground.
    """

    x_min_m: float = -15.0
    y_min_m: float = -25.0
    cells_x: int = 100
    cells_y: int = 100
    cell_m: float = 0.5
    heights_m: tuple[float, ...] = (0.0, 0.6, 1.3, 2.2)

    def __post_init__(self) -> None:
        """Refuse what is no grid.

        Raises:
            ValueError: No cells or too many, cells of no size, a number that is not finite, or
                heights that do not rise.
        """
        if not (self.cells_x >= 1 and 1 <= self.cells_y <= MOST_CELLS // self.cells_x):
            raise ValueError(
                f"a grid of {self.cells_x} x {self.cells_y} cells, expected at least one in each "
                f"direction and at most {MOST_CELLS} in all"
            )
        if not (np.isfinite((self.x_min_m, self.y_min_m)).all() and 0 < self.cell_m < np.inf):
            raise ValueError(
                f"a grid from x {self.x_min_m} m, y {self.y_min_m} m in cells of {self.cell_m} m, "
                "expected finite numbers and a size above 0"
            )
        heights = np.array(self.heights_m, np.float64)
        if not (len(heights) and np.isfinite(heights).all() and (np.diff(heights) > 0).all()):
            raise ValueError(f"heights of a grid are {self.heights_m}, expected rising metres")

    @property
    def shape(self) -> tuple[int, int]:
        """``(rows, columns)`` of a map: cells along y, cells along x."""
        return self.cells_y, self.cells_x

    @property
    def extent_m(self) -> tuple[float, float, float, float]:
        """``(x_min, y_min, x_max, y_max)`` of its outer edges."""
        x_max = self.x_min_m + self.cells_x * self.cell_m
        return self.x_min_m, self.y_min_m, x_max, self.y_min_m + self.cells_y * self.cell_m

    def centres(self) -> NDArray[np.float64]:
        """Return ``(x, y)`` of the centre of each cell, (Y, X, 2) m."""
        x = self.x_min_m + (np.arange(self.cells_x) + 0.5) * self.cell_m
        y = self.y_min_m + (np.arange(self.cells_y) + 0.5) * self.cell_m
        return np.stack(np.meshgrid(x, y), axis=-1)

    def voxels(self) -> NDArray[np.float64]:
        """Return ``(x, y, z)`` of the centres of all layers, (Z, Y, X, 3) m."""
        flat = np.broadcast_to(self.centres(), (len(self.heights_m), *self.shape, 2))
        height = np.broadcast_to(
            np.array(self.heights_m)[:, None, None, None], (*flat.shape[:3], 1)
        )
        return np.concatenate((flat, height), axis=-1)

    def cells(self, points_m: NDArray) -> NDArray[np.float64]:
        """Map (..., 2) ``(x, y)`` metres to ``(column, row)``; centres of cells are integers."""
        corner = (self.x_min_m, self.y_min_m)
        return (np.asarray(points_m, np.float64) - corner) / self.cell_m - 0.5

    def points(self, cells: NDArray) -> NDArray[np.float64]:
        """Map (..., 2) ``(column, row)`` to ``(x, y)`` metres; the inverse of ``cells``."""
        corner = (self.x_min_m, self.y_min_m)
        return (np.asarray(cells, np.float64) + 0.5) * self.cell_m + corner

    def picture(self, values: NDArray) -> NDArray:
        """Turn a (Y, X, ...) map for people: x up, y to the left. The only place that turns one."""
        if values.shape[:2] != self.shape:
            raise ValueError(f"the map is {values.shape[:2]}, its grid {self.shape}")
        return np.ascontiguousarray(np.swapaxes(values, 0, 1)[::-1, ::-1])
