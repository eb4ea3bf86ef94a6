# SPDX-License-Identifier: Apache-2.0
"""How far each pixel of the picture is: planes of what is painted, met by the pixels' rays."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Final, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.world.camera import Camera, Ground

BEYOND: Final = np.float32(np.inf)
"""Depth of the sky, and of the hills and towns painted on it."""
UNKNOWN: Final = np.float32(np.nan)
"""Depth of the own vehicle: nobody asks for it."""
NEAREST_M: Final = 0.05
NEXT, LAST = [1, 2, 0], [2, 0, 1]
"""Axes after and before each axis."""


class Plane(NamedTuple):
    """A plane in the camera's frame (right, down, ahead; m): all points with ``normal . p = at``.

    Attributes:
        normal: (3,).
        at: See above.
        near_m: Depth of the nearest of what lies in it.
        far_m: Of the farthest; what smoothed edges show beyond is held in between.
    """

    normal: NDArray[np.float64]
    at: float
    near_m: float
    far_m: float


class Depth:
    """Metres along the optical axis of each pixel, written where its colour is written.

    Attributes:
        values: (H, W) float32; ``BEYOND`` until something is painted.
    """

    def __init__(self, camera: Camera) -> None:
        """Begin with the sky."""
        self._camera = camera
        self.values: NDArray[np.float32] = np.full(camera.size, BEYOND, np.float32)

    @cached_property
    def _slopes(self) -> NDArray[np.float32]:
        """(H, W, 2) right and down of each pixel's ray that goes 1 ahead; without the lens."""
        return np.stack(self._camera.slopes(), axis=-1)

    def ground(self, ground: Ground) -> None:
        """Write what the road and the land around it are away."""
        reach = ground.z / self._camera.ahead(ground.first)
        np.copyto(self.values[ground.first :], reach, where=ground.hit)

    def plane(self, points: NDArray[np.float64]) -> Plane:
        """Return the plane of a flat polygon, (N, 3) in the vehicle's frame (right, up, ahead; m).

        By Newell's method, which corners that lie in one line do not disturb.
        """
        seen = self._camera.placed(points)
        after = seen[(*range(1, len(seen)), 0), :]
        # The sum of the corners' cross products; numpy's own function is ten times as slow on few.
        normal = (seen[:, NEXT] * after[:, LAST] - seen[:, LAST] * after[:, NEXT]).sum(axis=0)
        centre = seen.sum(axis=0) / len(seen)
        near, far = float(seen[:, 2].min()), float(seen[:, 2].max())
        return Plane(normal, float(normal @ centre), max(near, NEAREST_M), max(far, NEAREST_M))

    def fill(self, fixed: Sequence[NDArray[np.int32]], shift: int, plane: Plane) -> None:
        """Write the polygons of one plane, in OpenCV's fixed point, as ``cv2.fillPoly`` does."""
        corners = fixed[0] if len(fixed) == 1 else np.concatenate(fixed)
        rows, columns = self.values.shape
        (left, top), (right, bottom) = (corners.min(axis=0) >> shift, corners.max(axis=0) >> shift)
        x0, y0 = max(int(left) - 1, 0), max(int(top) - 1, 0)
        x1, y1 = min(int(right) + 3, columns), min(int(bottom) + 3, rows)
        if x0 >= x1 or y0 >= y1:
            return
        inside = np.zeros((y1 - y0, x1 - x0), np.uint8)
        origin = np.array((x0, y0), np.int32) << shift
        cv2.fillPoly(inside, [one - origin for one in fixed], 1, cv2.LINE_8, shift)
        part = (slice(y0, y1), slice(x0, x1))
        np.copyto(self.values[part], self._reach(plane, part), where=inside > 0)

    def stamp(self, part: tuple[slice, slice], solid: NDArray[np.bool_], plane: Plane) -> None:
        """Write the solid pixels of a part of the picture."""
        np.copyto(self.values[part], self._reach(plane, part), where=solid)

    def _reach(self, plane: Plane, part: tuple[slice, slice]) -> NDArray[np.float32]:
        """Return where the rays of a part of the picture meet a plane."""
        right, down = (self._slopes[part][..., axis] for axis in (0, 1))
        x, y, z = (np.float32(value) for value in plane.normal)
        slope = right * x + down * y + z
        with np.errstate(divide="ignore", invalid="ignore"):
            reach = np.float32(plane.at) / slope
        # Where a ray runs along the plane, only an edge of it is seen.
        reach[~(reach > 0)] = plane.far_m
        return np.clip(reach, plane.near_m, plane.far_m, out=reach)
