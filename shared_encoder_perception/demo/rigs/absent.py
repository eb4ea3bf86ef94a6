# SPDX-License-Identifier: Apache-2.0
"""Which cameras are not in a map: the map itself tells, by the cells that only one of them sees."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.rig.grid import BevGrid
from shared_encoder_perception.rig.rig import Rig


class AbsentCameras:
    """Names the cameras of a rig that a map was made without.

    Whoever has no image loses the cells that it alone sees. That an image was taken in time does
    not say that it is in the map: it may have come too late.
    """

    def __init__(self, rig: Rig) -> None:
        """Compute nothing yet."""
        self._rig = rig
        self._alone: dict[BevGrid, dict[str, NDArray[np.bool_]]] = {}

    def of(self, answer: Any) -> tuple[str, ...]:
        """Return the names, in the rig's order.

        A camera that sees no cell alone is never named.

        Args:
            answer: ``Answer`` of the room: its ``grid`` and ``seen`` are asked.
        """
        alone = self._alone.get(answer.grid)
        if alone is None:
            alone = self._alone[answer.grid] = seen_alone(self._rig, answer.grid)
        return tuple(
            name for name, cells in alone.items() if cells.any() and not answer.seen[cells].any()
        )


def seen_alone(rig: Rig, grid: BevGrid) -> dict[str, NDArray[np.bool_]]:
    """Return the cells, (Y, X) bool, in which only one camera sees anything, at whatever height."""
    points = grid.voxels().reshape(-1, 3)
    voxels = (len(grid.heights_m), *grid.shape)
    seen = {
        camera.name: np.isfinite(camera.see(points)[:, 0]).reshape(voxels).any(axis=0)
        for camera in rig.cameras
    }
    count = np.sum([*seen.values()], axis=0)
    return {name: cells & (count == 1) for name, cells in seen.items()}
