# SPDX-License-Identifier: Apache-2.0
"""Where rays meet the flat road, and how far that point moves with each cause of error."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

CAUSES: Final = ("roll", "pitch", "yaw", "height")
"""Order of the calibration's errors: rotations of the camera, rad, about ``turning_axes``, and its
height above the road in m."""

LEVEL: Final = 1e-9
"""Rays that sink less count as level."""


@dataclass(frozen=True, eq=False)
class RoadPoints:
    """Points on the road; NaN where a ray does not meet it.

    Attributes:
        xy: (..., 2) float64 in the vehicle's frame, metres.
        by_column: (..., 2) their derivative by the pixel's column, m / px.
        by_calibration: (..., 2, 4) their derivative by the ``CAUSES``.
    """

    xy: NDArray[np.float64]
    by_column: NDArray[np.float64]
    by_calibration: NDArray[np.float64]


def turning_axes(ahead: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (3, 3): the axes of roll, pitch and yaw, as rows, of a camera that looks ``ahead``.

    Yaw is about the vertical, pitch about the level axis that the camera is turned to by it, roll
    about the direction it looks in: the axes of the angles of ``Extrinsics.from_angles``.
    """
    ahead = ahead / np.linalg.norm(ahead)
    level = np.array([-ahead[1], ahead[0], 0.0])
    length = np.linalg.norm(level)
    # A camera that looks straight down has no yaw of its own.
    level = level / length if length > 0.0 else np.array([0.0, 1.0, 0.0])
    return np.stack((ahead, level, np.array([0.0, 0.0, 1.0])))


def meet_road(
    rays: NDArray[np.float64],
    by_column: NDArray[np.float64],
    axes: NDArray[np.float64],
    position: NDArray[np.float64],
    plane_z_m: float,
    max_range_m: float,
) -> RoadPoints:
    """Intersect rays with the plane ``z = plane_z_m``.

    Args:
        rays: (..., 3) directions in the vehicle's frame, NaN where unknown.
        by_column: (..., 3) their derivative by the pixel's column.
        axes: (3, 3) of ``turning_axes``.
        position: (3,) where they start, above the plane.
        plane_z_m: Height of the road.
        max_range_m: Points farther from the camera, along the road, are NaN.
    """
    height = position[2] - plane_z_m
    x, y, z = np.moveaxis(rays, -1, 0)
    # Rays that do not come down have no length to the road.
    z = np.where(z < -LEVEL, z, np.nan)
    length = -height / z
    far = np.hypot(x, y) * length > max_range_m
    length[far] = np.nan
    along = rays[..., :2] * length[..., None]
    # A ray that turns by dr meets the road at P + length * (dr_xy - r_xy * dr_z / r_z).
    slope = rays[..., :2] / z[..., None]
    # The cross products of each axis with each ray.
    turned = np.empty((*z.shape, 3, 3))
    turned[..., 0, :] = z[..., None] * axes[:, 1] - y[..., None] * axes[:, 2]
    turned[..., 1, :] = x[..., None] * axes[:, 2] - z[..., None] * axes[:, 0]
    turned[..., 2, :] = y[..., None] * axes[:, 0] - x[..., None] * axes[:, 1]
    by_calibration = np.empty((*z.shape, 2, 4))
    by_calibration[..., :3] = length[..., None, None] * (
        turned[..., :2, :] - slope[..., :, None] * turned[..., 2:, :]
    )
    by_calibration[..., 3] = along / height
    moved = length[..., None] * (by_column[..., :2] - slope * by_column[..., 2:])
    return RoadPoints(along + position[:2], moved, by_calibration)
