# SPDX-License-Identifier: Apache-2.0
"""The ground that a vehicle drove over later, in a picture that was taken before.

The ground is z = 0 of the vehicle's frame at each of its later poses: hills, bends and pitch come
with the poses. What lies behind a crest of that ground is not seen, and left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.adapt.trajectory import Trajectory
from shared_encoder_perception.ground.camera import CameraModel
from shared_encoder_perception.ground.rigid import Rigid
from shared_encoder_perception.tasks.masks.values import NOT_KNOWN, YES

STATION_M: Final = 0.25
"""From one cross-section of the strip to the next."""
NEAREST_AXIS_M: Final = 0.3
"""Along the optical axis: what is nearer is not drawn."""
SHIFT: Final = 4
"""Bits of a pixel in which corners are given: sixteenths."""
FARTHEST_PX: Final = 1e5
"""Corners further away are of no picture."""
CREST_SLOPE: Final = 0.001
"""How much steeper a place may be seen than all before it and still not lie behind them: 3 cm at
30 m, as poses are measured."""


@dataclass(frozen=True, eq=False)
class Footprint:
    """What is known of a picture.

    Attributes:
        plane: (H, W) uint8: 255 where the vehicle drove, 127 everywhere else.
        depth: (H, W) float32 m along the optical axis, of that ground; NaN elsewhere.
        away: (H, W) float32 m driven from the picture's place to that ground; NaN elsewhere.
    """

    plane: NDArray[np.uint8]
    depth: NDArray[np.float32]
    away: NDArray[np.float32]


class Strip:
    """The strip of ground that a vehicle drove over, of its width, along its whole path."""

    def __init__(self, trajectory: Trajectory, width_m: float) -> None:
        """Lay it out.

        Args:
            trajectory: The path.
            width_m: Of the vehicle.
        """
        self._trajectory = trajectory
        self.at_m, poses = trajectory.stations(STATION_M)
        half = np.array([0.0, width_m / 2, 0.0])
        self.left = np.array([pose.rotation @ half + pose.shift for pose in poses])
        self.right = np.array([pose.shift - pose.rotation @ half for pose in poses])

    def seen(
        self,
        at_ns: int,
        camera: CameraModel,
        to_camera: Rigid,
        near_m: float,
        far_m: float,
    ) -> Footprint:
        """Return where a picture shows it.

        Args:
            at_ns: When the picture was taken; the path must cover it.
            camera: Its lens.
            to_camera: From the vehicle's frame to the camera's.
            near_m: Driven distance from which on it is drawn, from the vehicle's frame.
            far_m: Up to which.
        """
        height, width = camera.image_size
        plane = np.full((height, width), NOT_KNOWN, np.uint8)
        depth = np.full((height, width), np.nan, np.float32)
        away = np.full((height, width), np.nan, np.float32)
        here = self._trajectory.driven_m(at_ns)
        used = (self.at_m >= here + near_m) & (self.at_m <= here + far_m)
        to_vehicle = self._trajectory.pose(at_ns).inverse()
        edges = [to_vehicle.apply(side[used].T).T for side in (self.left, self.right)]
        hidden = behind_crest((edges[0] + edges[1]) / 2, to_camera.inverse().shift)
        in_camera = [to_camera.apply(side.T).T for side in edges]
        pixels = np.stack([camera.pixels(side) for side in in_camera], axis=1)  # (K, 2 sides, xy)
        axis = np.stack([side[:, 2] for side in in_camera], axis=1)
        usable = (axis > NEAREST_AXIS_M).all(axis=1) & ~hidden
        with np.errstate(invalid="ignore"):
            usable &= (np.abs(pixels) < FARTHEST_PX).all(axis=(1, 2))
        driven = self.at_m[used] - here
        for index in np.flatnonzero(usable[:-1] & usable[1:])[::-1]:  # far ones first
            quad = np.stack((*pixels[index], pixels[index + 1, 1], pixels[index + 1, 0]))
            corners = np.rint(quad * (1 << SHIFT)).astype(np.int32)
            values = float(axis[index : index + 2].mean()), float(driven[index : index + 2].mean())
            for picture, value in ((plane, YES), (depth, values[0]), (away, values[1])):
                cv2.fillConvexPoly(picture, corners, value, shift=SHIFT)
        return Footprint(plane, depth, away)


def behind_crest(middle: NDArray[np.float64], eye: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Say which places, (N, 3) near to far, lie behind ground before them, seen from a place (3,).

    A place is seen if none before it is seen under a higher angle.
    """
    if not len(middle):
        return np.zeros(0, bool)
    across = np.linalg.norm(middle[:, :2] - eye[:2], axis=1)
    slope = (middle[:, 2] - eye[2]) / np.maximum(across, 0.1)
    return np.asarray(slope < np.maximum.accumulate(slope) - CREST_SLOPE)


def above_horizon(camera: CameraModel, to_camera: Rigid, least_deg: float) -> NDArray[np.bool_]:
    """Return (H, W) bool, which pixels look up by more than an angle, in the vehicle's frame."""
    height, width = camera.image_size
    rows, columns = np.mgrid[0:height, 0:width]
    rays = camera.rays(np.column_stack((columns.ravel(), rows.ravel())))
    up = rays @ to_camera.rotation[:, 2]  # the vehicle's z in the camera's frame
    with np.errstate(invalid="ignore"):
        sine = up / np.linalg.norm(rays, axis=1)
        return np.asarray(sine > np.sin(np.radians(least_deg))).reshape(height, width)
