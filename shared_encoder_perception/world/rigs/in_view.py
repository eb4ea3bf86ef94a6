# SPDX-License-Identifier: Apache-2.0
"""Which cells of the ground cameras see, and which of them something else stands in front of.

A cell is looked at where a camera's picture shows its centre at z = 0. It is in plain view of that
camera unless something nearer than the centre stands there: by the depth of the pixel that shows
it, and of the one above, which shows where something stands whose foot is between the two. So the
foot of what hides is exact; its sides and its upper edge are to a pixel. A thing that is labelled
does not hide the cells that it stands on itself: these are in plain view where it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, lru_cache
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.rig.boxes import Box
from shared_encoder_perception.rig.grid import BevGrid
from shared_encoder_perception.rig.ground_map import NO, NOT_KNOWN, YES, GroundMap
from shared_encoder_perception.rig.rig import RigCamera
from shared_encoder_perception.world.rigs.ground_view import GroundView
from shared_encoder_perception.world.rigs.solids import NO_BOX

GRID: Final = BevGrid(-50.0, -50.0, 200, 200, 0.5)
"""Cells of which it is told; those of maps for cars are usually as large."""


class _Places(NamedTuple):
    """Where a camera's picture shows cells.

    Attributes:
        cells: (M,) flat indices.
        rows: (M,) of the pixel that shows the centre.
        columns: (M,) likewise.
        reach: (M,) float32 depth of the centre along the optical axis, m.
    """

    cells: NDArray[np.intp]
    rows: NDArray[np.intp]
    columns: NDArray[np.intp]
    reach: NDArray[np.float32]


class InView:
    """Gathers what the cameras of one moment see of the cells of ``GRID``."""

    def __init__(self, boxes: Sequence[Box]) -> None:
        """Begin with nobody looking.

        Args:
            boxes: What is labelled, in the vehicle's frame; indices are those of pixels' owners.
        """
        self._standing = standing(boxes, GRID).ravel()
        self._values = np.full(GRID.cells_x * GRID.cells_y, NOT_KNOWN, np.uint8)

    def add(
        self,
        camera: RigCamera,
        ground: GroundView,
        depth: NDArray[np.float32],
        owners: NDArray[np.int16],
    ) -> None:
        """Add what one camera sees: a cell that any of them has in plain view is in plain view.

        Args:
            camera: In the vehicle's frame.
            ground: Where its pixels would meet the ground.
            depth: (H, W) m along the optical axis, NaN where the picture shows no world.
            owners: (H, W) index of the box that a pixel is of, or ``NO_BOX``.
        """
        cells, rows, columns, reach = _places(camera)
        near = depth.copy()  # of what is no ground
        free = ground.hit & (depth[ground.first :] >= ground.reach)
        near[ground.first :][free] = np.inf
        standing = self._standing[cells]
        hidden = np.zeros(len(cells), np.bool_)
        for there in (rows, np.maximum(rows - 1, 0)):
            owner = owners[there, columns]
            is_own = (owner == standing) & (owner != NO_BOX)
            hidden |= (near[there, columns] < reach) & ~is_own
        looked = ~np.isnan(depth[rows, columns])
        self._values[cells[looked & ~hidden]] = YES
        dark = cells[looked & hidden]
        self._values[dark[self._values[dark] != YES]] = NO

    def map(self) -> GroundMap:
        """Return ``YES`` in plain view of some camera, ``NO`` hidden, else ``NOT_KNOWN``."""
        return GroundMap(GRID, self._values.reshape(GRID.shape).copy())


def standing(boxes: Sequence[Box], grid: BevGrid) -> NDArray[np.int16]:
    """Return the index of the box in whose footprint each cell's centre is, or ``NO_BOX``."""
    found = np.full(grid.shape, NO_BOX, np.int16)
    centres = grid.centres()
    for index, box in enumerate(boxes):
        cells = grid.cells(box.footprint())
        low = np.maximum(np.ceil(cells.min(axis=0)), 0).astype(int)
        high = np.maximum(np.floor(cells.max(axis=0)) + 1, 0).astype(int)
        part = (slice(low[1], high[1]), slice(low[0], high[0]))
        away = centres[part] - (box.x_m, box.y_m)
        cos, sin = np.cos(box.yaw_rad), np.sin(box.yaw_rad)
        along, across = np.abs(away @ np.array([[cos, -sin], [sin, cos]])).transpose(2, 0, 1)
        found[part][(along <= box.length_m / 2) & (across <= box.width_m / 2)] = index
    return found


@lru_cache(maxsize=32)
def _places(camera: RigCamera) -> _Places:
    """Return where a camera's picture shows cells; who asks for the same one gets the same."""
    points, pose = _centres(), camera.view.extrinsics
    placed = (points - pose.position.astype(np.float32)) @ pose.rotation.astype(np.float32)
    likely, _ = camera.view.camera.find(placed)  # most of them lie outside of the picture
    pixels = camera.see(points[likely].astype(np.float64))
    shown = np.flatnonzero(~np.isnan(pixels[:, 0]))
    columns, rows = np.rint(pixels[shown]).astype(np.intp).T
    height, width = camera.image_size
    cells = likely[shown]
    return _Places(
        cells, rows.clip(0, height - 1), columns.clip(0, width - 1), placed[cells, 2].copy()
    )


@cache
def _centres() -> NDArray[np.float32]:
    """Return the centres of the cells of ``GRID`` on the ground, (N, 3) m."""
    flat = GRID.centres().reshape(-1, 2)
    return np.concatenate((flat, np.zeros((len(flat), 1))), axis=1).astype(np.float32)
