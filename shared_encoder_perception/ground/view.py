# SPDX-License-Identifier: Apache-2.0
"""Pixels <-> rays in the vehicle's frame, by a calibrated camera or by a homography."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.ground.camera import CameraModel
from shared_encoder_perception.ground.extrinsics import Extrinsics
from shared_encoder_perception.structures import Size


class View(Protocol):
    """How images of one size look at the world around the vehicle."""

    @property
    def image_size(self) -> Size:
        """``(height, width)`` of the images."""

    @property
    def position(self) -> NDArray[np.float64]:
        """(3,) position of the camera in the vehicle's frame, metres."""

    @property
    def ahead(self) -> NDArray[np.float64]:
        """(3,) direction in which the camera looks, of any length."""

    def rays(self, points_px: NDArray) -> NDArray[np.float64]:
        """Turn (N, 2) pixels into (N, 3) directions of any positive length, NaN where unknown."""

    def pixels(self, rays: NDArray) -> NDArray[np.float64]:
        """Turn (N, 3) directions into (N, 2) pixels, NaN where the camera cannot look."""


@dataclass(frozen=True, eq=False)
class CameraView:
    """The view of a calibrated camera, mounted somewhere on the vehicle."""

    camera: CameraModel
    extrinsics: Extrinsics

    @property
    def image_size(self) -> Size:
        """See ``View``."""
        return self.camera.image_size

    @property
    def position(self) -> NDArray[np.float64]:
        """See ``View``."""
        return self.extrinsics.position

    @property
    def ahead(self) -> NDArray[np.float64]:
        """See ``View``."""
        return self.extrinsics.rotation[:, 2]

    def rays(self, points_px: NDArray) -> NDArray[np.float64]:
        """See ``View``."""
        return np.asarray(self.camera.rays(points_px) @ self.extrinsics.rotation.T)

    def pixels(self, rays: NDArray) -> NDArray[np.float64]:
        """See ``View``."""
        return self.camera.pixels(np.asarray(rays, np.float64) @ self.extrinsics.rotation)


@dataclass(frozen=True, eq=False)
class HomographyView:
    """A flat road as a homography sees it, and a camera that sees the same.

    Attributes:
        image_size: ``(height, width)`` of the images.
        position: (3,) of the camera: which rays lead to the points on the road.
        ahead: (3,) direction of the image's middle.
        to_rays: (3, 3) float64 from ``(u, v, 1)`` to a direction.
    """

    image_size: Size
    position: NDArray[np.float64]
    ahead: NDArray[np.float64]
    to_rays: NDArray[np.float64]

    @classmethod
    def from_matrix(
        cls,
        homography: NDArray[np.float64],
        image_size: Size,
        position: tuple[float, float, float],
        plane_z_m: float,
    ) -> HomographyView:
        """Build the view.

        Args:
            homography: (3, 3) that takes pixels ``(u, v, 1)`` to ``(x, y, 1)`` on the road in
                metres, up to scale.
            image_size: ``(height, width)`` of the images.
            position: Of the camera in the vehicle's frame, metres.
            plane_z_m: Height of the road in that frame, below the camera.

        Raises:
            ValueError: The lower edge of the image does not show the road.
        """
        x, y, z = position
        height, width = image_size
        # Its sign is free: the bottom of the image must look down.
        bottom = homography @ ((width - 1) / 2, height - 1.0, 1.0)
        if abs(bottom[2]) < 1e-9 * np.abs(homography).max():
            raise ValueError(
                f"the homography puts the bottom of a {width}x{height} image at infinity: it "
                "does not belong to such images"
            )
        scaled = homography / bottom[2]
        to_rays = np.array([[1, 0, -x], [0, 1, -y], [0, 0, plane_z_m - z]]) @ scaled
        ahead = to_rays @ ((width - 1) / 2, (height - 1) / 2, 1.0)
        return cls(image_size, np.array(position, np.float64), ahead, to_rays)

    def rays(self, points_px: NDArray) -> NDArray[np.float64]:
        """See ``View``."""
        points_px = np.asarray(points_px, np.float64)
        return np.asarray(points_px @ self.to_rays[:, :2].T + self.to_rays[:, 2])

    def pixels(self, rays: NDArray) -> NDArray[np.float64]:
        """See ``View``."""
        points = np.asarray(rays, np.float64) @ np.linalg.inv(self.to_rays).T
        return np.asarray(points[:, :2] / np.where(points[:, 2:] > 0, points[:, 2:], np.nan))
