# SPDX-License-Identifier: Apache-2.0
"""The vehicle that carries the rig: where its cameras see it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.ground.view import CameraView
from shared_encoder_perception.world.atlas import Colour
from shared_encoder_perception.world.rigs.bodies import Stand, vehicle_faces
from shared_encoder_perception.world.rigs.lens import Lens, lens_of
from shared_encoder_perception.world.rigs.solids import Scene, Solid

SHIFT: Final = 3


@dataclass(frozen=True)
class OwnBody:
    """Shape of the own vehicle; the origin of its frame is below the middle of the rear axle.

    Attributes:
        kind: A key of ``vehicles.BODIES``.
        size_m: ``(length, width, height)``.
    """

    kind: str
    size_m: tuple[float, float, float]

    @property
    def stand(self) -> Stand:
        """Where it stands in its own frame."""
        length = self.size_m[0]
        return Stand(length / 2 - 0.2 * length, 0.0, 0.0, self.size_m)

    def _holds(self, position: NDArray[np.float64]) -> bool:
        """Whether a place is within it."""
        length, width, height = self.size_m
        x, y, z = position - (self.stand.x_m, 0.0, 0.0)
        return bool(abs(x) < length / 2 and abs(y) < width / 2 and 0 < z < height)

    def mask(self, view: CameraView) -> NDArray[np.bool_] | None:
        """Return where a camera sees it, (H, W); and nothing else: outside of the lens.

        A camera within the body sees what faces it: the bonnet, not the windscreen in front of it;
        and the dashboard below.
        ``None`` where it sees nothing of it.
        """
        lens = lens_of(view)
        faces, _ = vehicle_faces(self.stand, self.kind, (0.0, 0.0, 0.0), lights=False)
        scene = Scene([Solid(0, faces)])
        shown = np.flatnonzero(scene.seen_from(lens.position))
        counts = np.diff(np.r_[scene.starts, len(scene.points)])
        taken = np.repeat(np.isin(np.arange(len(counts)), shown), counts)
        starts = np.cumsum(counts[shown]) - counts[shown]
        outlines = lens.outlines(lens.placed(scene.points[taken]), starts)
        mask = np.zeros(lens.size, np.uint8)
        for polygon in outlines.points:
            fixed = np.round(np.clip(polygon, -6000, 6000) * (1 << SHIFT)).astype(np.int32)
            cv2.fillPoly(mask, [fixed], 1, cv2.LINE_8, SHIFT)
        own = mask > 0
        if self._holds(lens.position):
            # From within, what is below the bonnet's upper edge is the body, too.
            own = np.logical_or.accumulate(own, axis=0)
        own |= ~lens.seen
        return own if own.any() else None


def paint_own(image: NDArray[np.uint8], own: NDArray[np.bool_], lens: Lens, colour: Colour) -> None:
    """Paint the own vehicle (in place), brighter towards its edge; black where no ray comes in."""
    rim = cv2.distanceTransform(np.pad(own, 1, mode="edge").astype(np.uint8), cv2.DIST_L2, 3)
    share = rim[1:-1, 1:-1] * np.float32(5 / lens.size[0])
    shade = np.clip(np.float32(1.25) - share, 0.7, 1.25)[own][:, None]
    image[own] = np.clip(np.array(colour, np.float32) * shade, 0, 255).astype(np.uint8)
    image[~lens.seen] = 0
