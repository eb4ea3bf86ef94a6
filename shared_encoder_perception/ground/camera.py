# SPDX-License-Identifier: Apache-2.0
"""Pixels of the received image <-> rays of the camera."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.ground.distortion import distort, distort_fisheye
from shared_encoder_perception.structures import Size

UNDISTORT: Final = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 60, 1e-4)
"""Iterations at most, and the error in pixels at which they end."""
TOLERANCE_PX: Final = 0.02
"""A pixel whose ray leads back to another one, further away than this, has no ray."""
TOLERANCE_SLOPE: Final = 1e-4
STEEPEST: Final = 20.0
"""Slope from the optical axis beyond which no camera is asked to look: 87 degrees."""


@dataclass(frozen=True, eq=False)
class CameraModel:
    """How one image size of one camera sees: pinhole or fisheye, with distortion.

    Rays are in the frame that CameraInfo calls rectified, x right, y down, z ahead: the same for
    raw and for rectified images. It is the camera's optical frame unless that is one of a stereo
    pair, and even there ROS's image pipeline gives it that name.

    Attributes:
        image_size: ``(height, width)`` of the image as received.
        matrix: (3, 3) float64 camera matrix at full resolution.
        distortion: (n,) float64 coefficients in OpenCV's order; empty for none.
        fisheye: Whether they belong to the equidistant model.
        rectification: (3, 3) float64 rotation from the camera's to the rectified frame.
        binning: Pixels of the full resolution in one received, ``(x, y)``.
        origin_px: Full-resolution pixel at the centre of the received pixel (0, 0).
    """

    image_size: Size
    matrix: NDArray[np.float64]
    distortion: NDArray[np.float64]
    fisheye: bool
    rectification: NDArray[np.float64]
    binning: tuple[int, int]
    origin_px: tuple[float, float]

    def rays(self, points_px: NDArray) -> NDArray[np.float64]:
        """Turn (N, 2) pixels of the received image into (N, 3) rays of any positive length.

        NaN where the distortion has no inverse: far outside of what was calibrated.
        """
        pixels = np.asarray(points_px, np.float64) * self.binning + self.origin_px
        rays = np.ones((len(pixels), 3))
        if not len(pixels):
            return rays
        if len(self.distortion):
            rays[:, :2] = self._undistorted(pixels)
            error = np.abs(self._distorted(*rays[:, :2].T).T - pixels).max(axis=1)
            rays[~(error <= TOLERANCE_PX)] = np.nan
        else:
            rays[:, :2] = (pixels - self.matrix[:2, 2]) / self.matrix.diagonal()[:2]
        return np.asarray(rays @ self.rectification.T)

    def pixels(self, rays: NDArray) -> NDArray[np.float64]:
        """Turn (N, 3) rays into (N, 2) pixels of the received image, maybe outside of it.

        NaN where the camera cannot look.
        """
        rays = np.asarray(rays, np.float64)
        turned = rays @ self.rectification
        ahead = turned[:, 2] > 0
        turned = turned / np.where(ahead, turned[:, 2], np.nan)[:, None]
        if not len(self.distortion):
            return np.asarray((self._distorted(*turned[:, :2].T).T - self.origin_px) / self.binning)
        pixels = np.full((len(rays), 2), np.nan)
        if ahead.any():
            full = self._distorted(*turned[ahead, :2].T).T
            pixels[ahead] = (full - self.origin_px) / self.binning
            # The polynomial of a lens folds back far outside of the image.
            back = self.rays(pixels[ahead]) @ self.rectification
            error = np.abs(back[:, :2] - turned[ahead, :2]).max(axis=1)
            pixels[ahead] = np.where((error <= TOLERANCE_SLOPE)[:, None], pixels[ahead], np.nan)
        return pixels

    @cached_property
    def reach(self) -> float:
        """Slope from the optical axis up to which the lens maps outwards; beyond, it folds back."""
        if not len(self.distortion):
            return np.inf
        slopes = np.linspace(0.0, STEEPEST, 2000)
        directions = np.linspace(0, 2 * np.pi, 16, endpoint=False)
        x, y = (np.outer(turn(directions), slopes) for turn in (np.cos, np.sin))
        radius = np.hypot(*self._bent(x.ravel(), y.ravel())).reshape(x.shape)
        falls = np.diff(radius, axis=1) <= 0
        first = np.where(falls.any(axis=1), falls.argmax(axis=1), len(slopes) - 1)
        return float(slopes[first.min()])

    def see(self, points: NDArray) -> NDArray[np.float64]:
        """Turn many (N, 3) points of the rectified frame into (N, 2) pixels; see ``find``.

        NaN for what ``find`` leaves out.
        """
        pixels = np.full((len(points), 2), np.nan)
        found, places = self.find(points)
        pixels[found] = places.T
        return pixels

    def find(self, points: NDArray) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
        """Return which of many points are in the image or near it, and where, fast.

        Left out is what is surely not in it: behind the camera, beyond ``reach``, or out of the
        image's field of view.

        Args:
            points: (N, 3) of the rectified frame, float32 or float64.

        Returns:
            (M,) their indices, ascending, and (2, M) x and y of their pixels.
        """
        turned = np.asarray(points)
        if not np.array_equal(self.rectification, np.eye(3)):
            turned = turned @ self.rectification
        x, y, z = np.ascontiguousarray(turned.T)
        # Python's floats keep float32 what is float32.
        (least_x, least_y), (most_x, most_y) = (bound.tolist() for bound in self._field)
        # Multiplied, not divided: most points of a sweep are to be left out.
        with np.errstate(invalid="ignore"):
            ahead = (z > 0) & (z < np.inf) & (x > least_x * z) & (x < most_x * z)
            ahead &= (y > least_y * z) & (y < most_y * z)
        found = np.flatnonzero(ahead)
        depth = z[found].astype(np.float64)
        x, y = x[found] / depth, y[found] / depth
        if np.isfinite(self.reach):
            inside = x * x + y * y < self.reach**2
            found, x, y = found[inside], x[inside], y[inside]
        origin, binning = (np.array(pair)[:, None] for pair in (self.origin_px, self.binning))
        return found, (self._distorted(x, y) - origin) / binning

    @cached_property
    def _field(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Least and greatest ``(x / z, y / z)`` of what the image shows, before rectification."""
        height, width = self.image_size
        columns, rows = np.arange(-1, width + 1, 8.0), np.arange(-1, height + 1, 8.0)
        edges = [(x, y) for x in columns for y in (-1.0, float(height))]
        edges += [(x, y) for y in rows for x in (-1.0, float(width))]
        slopes = (self.rays(np.array(edges)) @ self.rectification)[:, :2]
        if not np.isfinite(slopes).all():  # part of the image has no rays
            return np.full(2, -np.inf), np.full(2, np.inf)
        margin = 0.02 * (slopes.max(axis=0) - slopes.min(axis=0))
        return slopes.min(axis=0) - margin, slopes.max(axis=0) + margin

    def _undistorted(self, pixels: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return (N, 2) ``(x / z, y / z)`` of full-resolution pixels, before rectification."""
        seen, lens = pixels[:, None], (self.matrix, self.distortion)
        if self.fisheye:
            points = cv2.fisheye.undistortPoints(seen, *lens, criteria=UNDISTORT)
        elif hasattr(cv2, "undistortPointsIter"):  # what OpenCV 4 calls it where it takes criteria
            points = cv2.undistortPointsIter(seen, *lens, np.eye(3), np.eye(3), UNDISTORT)
        else:
            points = cv2.undistortPoints(seen, *lens, criteria=UNDISTORT)
        return np.asarray(points[:, 0], np.float64)

    def _distorted(self, x: NDArray, y: NDArray) -> NDArray[np.float64]:
        """Return (2, N) full-resolution pixels of ``x / z`` and ``y / z`` before rectification."""
        focal, centre = self.matrix.diagonal()[:2, None], self.matrix[:2, 2, None]
        return np.stack(self._bent(x, y)) * focal + centre

    def _bent(self, x: NDArray, y: NDArray) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return ``x / z`` and ``y / z`` as the lens bends them."""
        if not len(self.distortion):
            return x, y
        bend = distort_fisheye if self.fisheye else distort
        with np.errstate(over="ignore", invalid="ignore"):  # what nobody sees, nearly across
            return bend(x, y, self.distortion)
