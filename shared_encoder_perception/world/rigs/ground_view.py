# SPDX-License-Identifier: Apache-2.0
"""The ground as a camera of a rig sees it: flat, to all sides."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.world.camera import Ground
from shared_encoder_perception.world.rigs.course import Course
from shared_encoder_perception.world.rigs.horizon import PICTURE, Panorama, SkyView
from shared_encoder_perception.world.rigs.lens import Lens

FAREST_M: Final = 500.0
"""Ground is seen up to here."""
MIRRORS: Final = 0.55
"""Most that wet ground mirrors."""


class GroundView:
    """Where the pixels of a camera meet the ground.

    Attributes:
        first: First row with ground in it.
        hit: (R, W) bool, of the rows from there on.
        reach: (R, W) float32 depth along the optical axis, m.
        x: (R, W) float32 m ahead in the vehicle's frame.
        y: (R, W) float32 m to the left.
        away: (R, W) float32 m from the camera: ahead or to the side, whichever is more, as the
            forward camera's world counts what haze does.
        below: (R, W) float32 tangent below the horizon.
    """

    def __init__(self, lens: Lens) -> None:
        """Intersect all rays with the plane."""
        down = -lens.directions[..., 2]
        level = np.hypot(lens.directions[..., 0], lens.directions[..., 1])
        height = np.float32(lens.position[2])
        with np.errstate(invalid="ignore"):
            hit = (down * np.float32(FAREST_M) > level * height) & lens.seen
        rows = np.flatnonzero(hit.any(axis=1))
        self.first = int(rows[0]) if len(rows) else lens.size[0] - 1
        part = slice(self.first, None)
        self.hit = np.ascontiguousarray(hit[part])
        down = np.where(self.hit, down[part], np.float32(1))
        self.reach = height / down
        position = lens.position.astype(np.float32)
        rays = np.where(self.hit[..., None], lens.directions[part], 0)
        self.x = position[0] + self.reach * rays[..., 0]
        self.y = position[1] + self.reach * rays[..., 1]
        aside, ahead = np.abs(self.y - position[1]), np.abs(self.x - position[0])
        self.away = np.maximum(aside, ahead)
        self.below = height / np.maximum(np.hypot(aside, ahead), np.float32(1e-3))

    def ground(self, course: Course) -> Ground:
        """Return what lies there along a course."""
        offset = (-self.y - course.right(self.x)).astype(np.float32)
        return Ground(self.first, self.hit, self.x, offset, self.away)

    def wetted(
        self,
        ground: NDArray[np.uint8],
        drivable: NDArray[np.uint8],
        panorama: Panorama,
        sky: SkyView,
        wet: float,
    ) -> NDArray[np.uint8]:
        """Return the (R, W, 3) ground with the sky that it mirrors where it is paved."""
        mirrored = panorama.mirrored(sky, self.first)
        grazing = np.clip(np.float32(1.1) - self.below * np.float32(2 / PICTURE), 0.1, 1)
        alpha = (drivable.astype(np.float32) * np.float32(MIRRORS * wet / 255) * grazing)[..., None]
        kept = np.float32(1 - 0.3 * wet) * (1 - alpha)
        return np.asarray((ground * kept + mirrored * alpha).astype(np.uint8))
