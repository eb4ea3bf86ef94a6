# SPDX-License-Identifier: Apache-2.0
"""A camera that is calibrated: how it looks at the road, and how well that is known."""

from __future__ import annotations

from dataclasses import dataclass

from shared_encoder_perception.ground.options import GroundOptions
from shared_encoder_perception.ground.view import CameraView, View


@dataclass(frozen=True, eq=False)
class CalibratedCamera:
    """Images of one size, and the road before the vehicle.

    Attributes:
        view: How the camera looks at the world around the vehicle.
        options: What the parameters say: the vehicle's frame, the height of the road in it, how
            well the camera's pose is known.
    """

    view: View
    options: GroundOptions

    def __post_init__(self) -> None:
        """Refuse a camera below the road."""
        if self.height_m <= 0.0:
            raise ValueError(
                f"the camera is {self.height_m:.2f} m above the road in {self.options.frame_id}, "
                "expected more than 0: check its pose and ground.plane_z_m"
            )

    @property
    def has_pose(self) -> bool:
        """Whether somebody says where the camera is.

        A homography tells where on the road pixels lie, whatever height it is given.
        """
        return isinstance(self.view, CameraView)

    @property
    def height_m(self) -> float:
        """Calibrated height of the camera above the road."""
        return float(self.view.position[2]) - self.options.plane_z_m
