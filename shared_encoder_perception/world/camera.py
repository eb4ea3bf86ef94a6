# SPDX-License-Identifier: Apache-2.0
"""The camera over the road: rays of pixels, pixels of points, and the ground that pixels hit."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.structures import Size
from shared_encoder_perception.world.alignment import DEPTHS_M, Profile

HORIZON_TANGENT: Final = 1e-3
STEEPEST: Final = 3.0
"""Tangent below the horizon beyond which no pixel looks."""
TABLE: Final = 16384
BEHIND_M: Final = 0.05
OUTSIDE: Final = 2.4
"""Focal lengths from the principal point: no picture reaches as far."""


@dataclass(frozen=True)
class Camera:
    """Camera with one radial distortion coefficient.

    Attributes:
        size: ``(height, width)`` of the image.
        focal_px: Focal length.
        centre_px: Principal point, ``(x, y)``; it may lie outside of a cropped image.
        height_m: Above the road.
        pitch_rad: Downwards.
        yaw_rad: To the right of the road's direction at the vehicle.
        roll_rad: Clockwise.
        distortion: A pixel at radius r (focal lengths) from the principal point looks along
            ``r * (1 + distortion * r^2)``; above 0 is a barrel.
    """

    size: Size
    focal_px: float
    centre_px: tuple[float, float]
    height_m: float
    pitch_rad: float
    yaw_rad: float
    roll_rad: float
    distortion: float

    @cached_property
    def _turn(self) -> NDArray[np.float64]:
        """(3, 3) from camera (right, down, ahead) to vehicle (right, down, ahead)."""
        cr, sr = np.cos(self.roll_rad), np.sin(self.roll_rad)
        cp, sp = np.cos(self.pitch_rad), np.sin(self.pitch_rad)
        cy, sy = np.cos(self.yaw_rad), np.sin(self.yaw_rad)
        roll = np.array([[cr, sr, 0], [-sr, cr, 0], [0, 0, 1]])
        pitch = np.array([[1, 0, 0], [0, cp, sp], [0, -sp, cp]])
        yaw = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
        return yaw @ pitch @ roll

    def project(self, x: NDArray, y: NDArray, z: NDArray) -> NDArray[np.float64]:
        """Vehicle frame (x right, y up from the road, z ahead; m) to pixels (..., 2)."""
        turn, down = self._turn, self.height_m - y
        ahead = np.maximum(x * turn[0, 2] + down * turn[1, 2] + z * turn[2, 2], BEHIND_M)
        u = (x * turn[0, 0] + down * turn[1, 0] + z * turn[2, 0]) / ahead
        v = (x * turn[0, 1] + down * turn[1, 1] + z * turn[2, 1]) / ahead
        if self.distortion:
            straight = np.sqrt(u * u + v * v) + 1e-12
            # Far outside of the picture the polynomial would fold back into it.
            target = np.minimum(straight, OUTSIDE)
            radius = target
            for _ in range(4):  # Newton's method for the inverse of the distortion
                bent = self.distortion * radius * radius
                radius = radius - (radius * (1 + bent) - target) / (1 + 3 * bent)
            u, v = u * radius / straight, v * radius / straight
        pixels = np.empty((*np.shape(u), 2))
        pixels[..., 0] = u * self.focal_px + self.centre_px[0]
        pixels[..., 1] = v * self.focal_px + self.centre_px[1]
        return pixels

    def placed(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Vehicle frame (x right, y up from the road, z ahead) to camera (right, down, ahead)."""
        return np.asarray((points * (1, -1, 1) + (0, self.height_m, 0)) @ self._turn)

    def slopes(self, first: int = 0) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """How far right and down of the optical axis each pixel looks, for 1 along it.

        From row ``first`` on, without the lens: the ray is ``(right, down, 1)`` in camera frame.
        """
        u, v = self._directions(first)
        scale = self._bend(u, v)
        return scale * u, scale * v

    def ahead(self, first: int = 0) -> NDArray[np.float32]:
        """How far ahead of the vehicle each pixel looks, for 1 along the optical axis."""
        u, v = self._directions(first)
        turn = self._turn.astype(np.float32)
        return np.asarray(self._bend(u, v) * (turn[2, 0] * u + turn[2, 1] * v) + turn[2, 2])

    def rays(self, first: int = 0) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Tangent to the right and below the horizontal of every pixel from row ``first`` on."""
        u, v = self._directions(first)
        scale = self._bend(u, v)
        turn = self._turn.astype(np.float32)
        # scale * (a u + b v) + c, the sums of small vectors first
        ahead = scale * (turn[2, 0] * u + turn[2, 1] * v) + turn[2, 2]
        right = (scale * (turn[0, 0] * u + turn[0, 1] * v) + turn[0, 2]) / ahead
        return right, (scale * (turn[1, 0] * u + turn[1, 1] * v) + turn[1, 2]) / ahead

    def _directions(self, first: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Columns (1, W) and rows (R, 1) from ``first`` on, in focal lengths from the centre."""
        u = (np.arange(self.size[1]) - self.centre_px[0]).astype(np.float32)[None] / self.focal_px
        v = (np.arange(first, self.size[0]) - self.centre_px[1])[:, None] / self.focal_px
        return u.astype(np.float32), v.astype(np.float32)

    def _bend(self, u: NDArray[np.float32], v: NDArray[np.float32]) -> NDArray[np.float32]:
        """How much further from the axis the lens looks."""
        return np.asarray(1 + np.float32(self.distortion) * (u * u + v * v))

    def moved(self, horizon: float, scale: float) -> Camera:
        """Return the camera with other pixels cut out of its picture.

        Args:
            horizon: Where the level horizon is then, as a share of the height.
            scale: How much larger things look.
        """
        focal = self.focal_px * scale
        moved = replace(self, focal_px=focal)
        down = horizon * self.size[0] - moved.horizon_px
        return replace(moved, centre_px=(self.centre_px[0], self.centre_px[1] + down))

    @cached_property
    def horizon_px(self) -> float:
        """Row of the level horizon in the middle column."""
        return float(self.project(np.array(0.0), np.array(self.height_m), np.array(1e4))[1])


@dataclass(frozen=True)
class FlatRoad:
    """How far a flat road would be in a camera's picture, or in its mirror image."""

    camera: Camera
    mirrored: bool = False

    def __call__(self) -> NDArray[np.float32]:
        """Return depth along the optical axis, (H, W) m; NaN above the horizon."""
        _, down = self.camera.rays()
        with np.errstate(divide="ignore", invalid="ignore"):
            reach = np.float32(self.camera.height_m) / (down * self.camera.ahead())
        depth = np.where(down > HORIZON_TANGENT, reach, np.nan).astype(np.float32)
        return np.ascontiguousarray(depth[:, ::-1]) if self.mirrored else depth

    def mirror(self) -> FlatRoad:
        """Return the flat road of the mirrored picture."""
        return replace(self, mirrored=not self.mirrored)


@dataclass(frozen=True, eq=False)
class Ground:
    """What the pixels of the rows from ``first`` on hit; (R, W) arrays.

    Attributes:
        first: First row with ground in it.
        hit: bool, the pixel shows ground.
        z: float32 distance ahead, m; of no meaning where not hit.
        offset: float32 lateral offset from the road's reference line, m.
        away: float32 distance from the camera, where it looks to other sides than ahead and ``z``
            may be below 0; ``None``: ``z`` is that.
    """

    first: int
    hit: NDArray[np.bool_]
    z: NDArray[np.float32]
    offset: NDArray[np.float32]
    away: NDArray[np.float32] | None = None

    @property
    def distance(self) -> NDArray[np.float32]:
        """Distance by which haze thickens and detail fades, m."""
        return self.z if self.away is None else self.away


def see_ground(camera: Camera, profile: Profile) -> Ground:
    """Intersect all pixel rays with the road surface; what hides behind a crest is not hit."""
    tangent = (camera.height_m - profile.height) / DEPTHS_M
    lowest = np.minimum.accumulate(tangent)
    seen = tangent <= lowest + 1e-9
    horizon = max(float(lowest[-1]), HORIZON_TANGENT)
    # One table from tangent to depth and lateral position: both depend on nothing else.
    below = (np.arange(TABLE) + 0.5) * (STEEPEST / TABLE)
    depth = np.interp(below, tangent[seen][::-1], DEPTHS_M[seen][::-1])
    near = below > tangent[0]
    depth[near] = camera.height_m / below[near]
    lateral = np.interp(depth, DEPTHS_M, profile.lateral)
    table = np.stack((depth, lateral), axis=-1).astype(np.float32)[None]
    right, down, first = _rays_below(camera, horizon)
    at = down * np.float32(TABLE / STEEPEST) - np.float32(0.5)
    found = cv2.remap(
        table, at, np.zeros_like(at), cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    z = np.ascontiguousarray(found[:, :, 0])
    return Ground(first, down >= horizon, z, right * z - found[:, :, 1])


def _rays_below(
    camera: Camera, horizon: float
) -> tuple[NDArray[np.float32], NDArray[np.float32], int]:
    """Rays of the rows with ground in them, and the first such row."""
    far = 1e4 * np.array([-camera.size[1] / camera.focal_px, 0.0, camera.size[1] / camera.focal_px])
    level = camera.project(far, np.full(3, camera.height_m), np.full(3, 1e4))[:, 1]
    start = int(np.clip(level.min() - 0.05 * camera.size[0], 0, camera.size[0] - 1))
    right, down = camera.rays(start)
    rows = np.flatnonzero((down >= horizon).any(axis=1))
    skip = int(rows[0]) if len(rows) else len(down) - 1
    return right[skip:], down[skip:], start + skip


def crest_mask(camera: Camera, profile: Profile) -> NDArray[np.bool_]:
    """Which of ``DEPTHS_M`` are not hidden behind a crest."""
    tangent = (camera.height_m - profile.height) / DEPTHS_M
    visible = tangent <= np.minimum.accumulate(tangent) + 1e-9
    return np.asarray(visible & (tangent > HORIZON_TANGENT))
