# SPDX-License-Identifier: Apache-2.0
"""What the parameters ``ground.*`` say of the camera and the road: those that no task owns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.ground.extrinsics import Extrinsics


@dataclass(frozen=True)
class GroundOptions:
    """Values of the parameters ``ground.*``, by the same names; see there for what they mean."""

    source: str
    frame_id: str
    calibration: str
    rectified: bool
    height_m: float
    roll_deg: float
    pitch_deg: float
    yaw_deg: float
    offset_x_m: float
    offset_y_m: float
    plane_z_m: float
    roll_std_deg: float
    pitch_std_deg: float
    yaw_std_deg: float
    height_std_m: float

    @property
    def position(self) -> tuple[float, float, float]:
        """Position of the camera in the vehicle's frame, metres."""
        return self.offset_x_m, self.offset_y_m, self.plane_z_m + self.height_m

    @property
    def extrinsics(self) -> Extrinsics:
        """Pose of the camera as the parameters give it."""
        angles = np.radians((self.roll_deg, self.pitch_deg, self.yaw_deg))
        return Extrinsics.from_angles(self.position, *map(float, angles))

    @property
    def calibration_std(self) -> NDArray[np.float64]:
        """(4,) standard deviations of roll, pitch, yaw (rad) and height (m)."""
        angles = np.radians((self.roll_std_deg, self.pitch_std_deg, self.yaw_std_deg))
        return np.append(angles, self.height_std_m)


def ground_options(value: Callable[[str], Any]) -> GroundOptions:
    """Take the options from the node's parameters.

    Args:
        value: Returns the value of the parameter of a name.
    """
    return GroundOptions(
        **{field.name: value(f"ground.{field.name}") for field in fields(GroundOptions)}
    )
