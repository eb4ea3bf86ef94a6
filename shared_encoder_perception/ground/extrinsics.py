# SPDX-License-Identifier: Apache-2.0
"""Where the camera sits and looks: position and rotation in the vehicle's frame (REP-103)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.ground.rigid import Rigid

BODY_FROM_OPTICAL: Final = np.array([[0.0, 0.0, 1.0], [-1.0, 0.0, 0.0], [0.0, -1.0, 0.0]])
"""Optical axes (x right, y down, z ahead) to those of a body (x ahead, y left, z up)."""
ORTHONORMAL: Final = 1e-4


@dataclass(frozen=True, eq=False)
class Extrinsics:
    """Pose of the camera's optical frame in the vehicle's frame.

    Attributes:
        rotation: (3, 3) float64; its columns are the optical axes in the vehicle's frame.
        position: (3,) float64 of the camera, metres.
    """

    rotation: NDArray[np.float64]
    position: NDArray[np.float64]

    def __post_init__(self) -> None:
        """Refuse what is no pose."""
        if not (np.isfinite(self.rotation).all() and np.isfinite(self.position).all()):
            raise ValueError("the camera's pose holds NaN or infinity")
        if (
            np.abs(self.rotation @ self.rotation.T - np.eye(3)).max() > ORTHONORMAL
            or np.linalg.det(self.rotation) < 0
        ):
            raise ValueError(
                f"the camera's rotation is {self.rotation.tolist()}, expected a rotation matrix"
            )

    @classmethod
    def from_angles(
        cls,
        position: tuple[float, float, float],
        roll_rad: float,
        pitch_rad: float,
        yaw_rad: float,
    ) -> Extrinsics:
        """Build the pose from angles that are all zero when the camera looks straight ahead.

        Args:
            position: Of the camera in the vehicle's frame, metres.
            roll_rad: About x, first: above 0 the right side of the camera sinks.
            pitch_rad: About y, second: above 0 it looks down.
            yaw_rad: About z, third: above 0 it looks to the left.
        """
        cr, sr = np.cos(roll_rad), np.sin(roll_rad)
        cp, sp = np.cos(pitch_rad), np.sin(pitch_rad)
        cy, sy = np.cos(yaw_rad), np.sin(yaw_rad)
        roll = np.array([[1, 0, 0], [0, cr, -sr], [0, sr, cr]])
        pitch = np.array([[cp, 0, sp], [0, 1, 0], [-sp, 0, cp]])
        yaw = np.array([[cy, -sy, 0], [sy, cy, 0], [0, 0, 1]])
        return cls(yaw @ pitch @ roll @ BODY_FROM_OPTICAL, np.array(position, np.float64))

    @classmethod
    def from_matrix(cls, matrix: NDArray) -> Extrinsics:
        """Build the pose from a (4, 4) matrix that takes optical to vehicle coordinates."""
        matrix = np.asarray(matrix, np.float64)
        if matrix.shape != (4, 4) or not np.array_equal(matrix[3], (0, 0, 0, 1)):
            raise ValueError(f"{matrix.tolist()} is no 4x4 rigid transform")
        return cls(matrix[:3, :3].copy(), matrix[:3, 3].copy())

    @classmethod
    def from_transform(cls, transform: Any) -> Extrinsics:
        """Build the pose from a ``geometry_msgs/Transform`` of the optical in the vehicle's frame.

        Raises:
            ValueError: Its quaternion is zero, or a number is not finite.
        """
        found = Rigid.from_transform(transform)
        return cls(found.rotation, found.shift)
