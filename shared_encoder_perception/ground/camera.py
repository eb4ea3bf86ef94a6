"""Pixels of the received image <-> rays of the camera."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.structures import Size

UNDISTORT: Final = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 60, 1e-4)
"""Iterations at most, and the error in pixels at which they end."""
TOLERANCE_PX: Final = 0.02
"""A pixel whose ray leads back to another one, further away than this, has no ray."""
TOLERANCE_SLOPE: Final = 1e-4


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
            error = np.abs(self._distorted(rays) - pixels).max(axis=1)
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
            full = turned[:, :2] * self.matrix.diagonal()[:2] + self.matrix[:2, 2]
            return np.asarray((full - self.origin_px) / self.binning)
        pixels = np.full((len(rays), 2), np.nan)
        if ahead.any():
            full = self._distorted(turned[ahead])
            pixels[ahead] = (full - self.origin_px) / self.binning
            # The polynomial of a lens folds back far outside of the image.
            back = self.rays(pixels[ahead]) @ self.rectification
            error = np.abs(back[:, :2] - turned[ahead, :2]).max(axis=1)
            pixels[ahead] = np.where((error <= TOLERANCE_SLOPE)[:, None], pixels[ahead], np.nan)
        return pixels

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

    def _distorted(self, rays: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return (N, 2) full-resolution pixels of (N, 3) rays with z = 1, before rectification."""
        zero = np.zeros(3)
        project = cv2.fisheye.projectPoints if self.fisheye else cv2.projectPoints
        points, _ = project(rays[:, None], zero, zero, self.matrix, self.distortion)
        return np.asarray(points[:, 0], np.float64)
