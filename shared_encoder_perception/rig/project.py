# SPDX-License-Identifier: Apache-2.0
"""Answers of a rig's cameras, put on the ground: what each says of the pixel that shows a cell.

The ground is taken to be flat (z = 0): nothing that stands on it is where the map says. A camera
that sees a vehicle, or a wall, takes it for ground that lies behind its foot, so that upright
things smear away from the camera over all that they hide; the foot itself is in its place. Slopes
and a wrong pose do the same to everything, the more the further away. That is the limit of the
method, whatever the answers are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.rig.grid import BevGrid
from shared_encoder_perception.rig.rig import Rig, RigCamera

Read = Callable[[NDArray[np.float64]], NDArray[np.float32]]
"""Says of (N, 2) pixels of a picture what is there, (N,) float32, NaN where it is not known."""

STEP: Final = 0.01
"""Share of a cell by which a point is moved to see how large the cell appears."""
LEAST_PX: Final = 1e-6
"""Pixels that a cell covers at least, so that whatever is seen counts for something."""


@dataclass(frozen=True, eq=False)
class _Places:
    """Where one camera sees the cells.

    Attributes:
        cells: (M,) flat indices of those that it sees, ascending.
        pixels: (M, 2) of its picture, of their centres.
        cover_px: (M,) how many pixels of its picture each of them covers.
    """

    cells: NDArray[np.intp]
    pixels: NDArray[np.float64]
    cover_px: NDArray[np.float64]


class GroundProjection:
    """Where the cameras of a rig see the cells of a grid; computed once for both.

    Attributes:
        grid: The cells.
    """

    def __init__(self, rig: Rig, grid: BevGrid) -> None:
        """Find the centre of each cell in each picture.

        Raises:
            ValueError: No camera sees any.
        """
        self.grid = grid
        flat = grid.centres().reshape(-1, 2)
        points = np.concatenate((flat, np.zeros((len(flat), 1))), axis=1)
        self._places = {camera.name: _places(camera, points, grid.cell_m) for camera in rig.cameras}
        if not any(len(places.cells) for places in self._places.values()):
            x_min, y_min, x_max, y_max = grid.extent_m
            raise ValueError(
                f"no camera of the rig ({', '.join(rig.names)}) sees any of the ground from x "
                f"{x_min:g} to {x_max:g} m, y {y_min:g} to {y_max:g} m: check poses (metres, x "
                "ahead, y left, z up from the ground) and masks of the own vehicle"
            )

    def join(self, reads: Mapping[str, Read]) -> NDArray[np.float32]:
        """Return what the cameras say of the ground, (Y, X); NaN where none of them knows.

        Cells that several see get the mean, each camera weighted by the pixels that the cell covers
        in its picture: who is nearer, and looks down more steeply, errs less by a wrong pose, by
        ground that is not flat, and by what stands on it. The order of the cameras does not matter.

        Args:
            reads: What is asked of each camera's picture, by its name; cameras that are left out
                say nothing.

        Raises:
            KeyError: The rig has no such camera.
        """
        total, weight = np.zeros((2, self.grid.cells_x * self.grid.cells_y))
        for name in sorted(reads):  # sums depend on the order by rounding
            places = self._places[name]
            values = reads[name](places.pixels)
            known = np.isfinite(values)
            cells, cover = places.cells[known], places.cover_px[known]
            total[cells] += cover * values[known]
            weight[cells] += cover
        mean = np.full(len(total), np.nan, np.float32)
        np.divide(total, weight, out=mean, where=weight > 0, casting="same_kind")
        return mean.reshape(self.grid.shape)


def _places(camera: RigCamera, points: NDArray[np.float64], cell_m: float) -> _Places:
    """Return where a camera sees points on the ground, (N, 3) m, each the centre of a cell."""
    pixels = camera.see(points)
    cells = np.flatnonzero(np.isfinite(pixels).all(axis=1))
    cover = _cover_px(camera, points[cells], cell_m)
    return _Places(cells, pixels[cells], cover)


def _cover_px(camera: RigCamera, points: NDArray[np.float64], cell_m: float) -> NDArray[np.float64]:
    """Return how many pixels a square on the ground around each of (N, 3) points covers."""
    pose, step_m = camera.view.extrinsics, STEP * cell_m

    def seen(x_m: float, y_m: float) -> NDArray[np.float64]:
        moved = points + np.array((x_m, y_m, 0.0)) - pose.position
        return camera.view.camera.see(moved @ pose.rotation)

    along_x, along_y = (seen(x, y) - seen(-x, -y) for x, y in ((step_m, 0.0), (0.0, step_m)))
    across = along_x[:, 0] * along_y[:, 1] - along_x[:, 1] * along_y[:, 0]
    cover = np.abs(across) * (cell_m / (2 * step_m)) ** 2
    return np.maximum(np.nan_to_num(cover, nan=0.0), LEAST_PX)
