# SPDX-License-Identifier: Apache-2.0
"""CARLA's conventions, and the way to ours: all of it stands here, and nowhere else.

World, actors and sensors of CARLA are in Unreal's frame: x ahead, y to the right, z up, which is
left-handed, metres; angles are degrees. Ours is REP-103: x ahead, y to the left, z up, radians.
One map leads from one to the other, and is its own inverse: ``y`` changes its sign, and so do pitch
and yaw; roll does not. A sign that is wrong gives a rotation that is a valid one, of another rig:
only places of known things tell.

Sources: the pages of CARLA's documentation on coordinates and on sensors.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.ground.camera import CameraModel
from shared_encoder_perception.ground.extrinsics import BODY_FROM_OPTICAL, Extrinsics
from shared_encoder_perception.ground.rigid import Rigid
from shared_encoder_perception.labels.adapters.depth_maps import carla_depth
from shared_encoder_perception.labels.rigs.cameras import lens_of
from shared_encoder_perception.rig.boxes import Box
from shared_encoder_perception.structures import Size

MIRROR: Final = np.array([1.0, -1.0, 1.0])
"""What becomes of ``(x, y, z)``."""
STRAIGHT_UP: Final = 1e-9
"""Cosine of a pitch below which roll and yaw are one turn, and yaw is taken for 0."""


class Location(NamedTuple):
    """A ``carla.Location``: metres, y to the right."""

    x: float
    y: float
    z: float


@dataclass(frozen=True)
class Rotation:
    """A ``carla.Rotation``: degrees. Pitch above 0 looks up, yaw above 0 turns to the right."""

    pitch: float = 0.0
    yaw: float = 0.0
    roll: float = 0.0


def vector(location: tuple[float, float, float]) -> NDArray[np.float64]:
    """Return a place or a direction of CARLA in our frame, (3,); also the way back."""
    return np.array(location, np.float64) * MIRROR


def turn(rotation: Rotation) -> NDArray[np.float64]:
    """Return the (3, 3) rotation from a body to the frame that it is turned in, both ours.

    ``Rz(yaw) Ry(pitch) Rx(roll)`` of our angles: CARLA's roll, and its pitch and yaw negated.
    """
    angles = (rotation.roll, -rotation.pitch, -rotation.yaw)
    roll, pitch, yaw = (np.deg2rad(angle) for angle in angles)
    body = Extrinsics.from_angles((0.0, 0.0, 0.0), roll, pitch, yaw)
    return np.asarray(body.rotation @ BODY_FROM_OPTICAL.T)


def rotation_of(matrix: NDArray) -> Rotation:
    """Return CARLA's angles of a rotation in our frame: the inverse of ``turn``."""
    pitch = np.arctan2(-matrix[2, 0], np.hypot(matrix[0, 0], matrix[1, 0]))
    if np.cos(pitch) < STRAIGHT_UP:
        roll, yaw = np.arctan2(-matrix[1, 2], matrix[1, 1]), 0.0
    else:
        roll = np.arctan2(matrix[2, 1], matrix[2, 2])
        yaw = np.arctan2(matrix[1, 0], matrix[0, 0])
    pitch, yaw, roll = (float(np.rad2deg(angle)) for angle in (-pitch, -yaw, roll))
    return Rotation(pitch, yaw, roll)


def pose(location: tuple[float, float, float], rotation: Rotation) -> Rigid:
    """Return a ``carla.Transform``: from a body's frame to that of its parent, both ours."""
    return Rigid(turn(rotation), vector(location))


def carla_pose(place: Rigid) -> tuple[Location, Rotation]:
    """Return the ``carla.Transform`` of a pose: the inverse of ``pose``."""
    x, y, z = (float(value) for value in vector(tuple(place.shift)))
    return Location(x, y, z), rotation_of(place.rotation)


def extrinsics(vehicle: Rigid, sensor: Rigid) -> Extrinsics:
    """Return where a camera sits and looks.

    Args:
        vehicle: The vehicle in the world.
        sensor: The camera's sensor in the world; its x axis is what the camera looks along.
    """
    placed = vehicle.inverse().after(sensor)
    return Extrinsics(placed.rotation @ BODY_FROM_OPTICAL, placed.shift)


def lens(size: Size, fov_deg: float) -> CameraModel:
    """Return how a camera of CARLA sees.

    Args:
        size: ``(height, width)``.
        fov_deg: Its horizontal field of view.

    Raises:
        ValueError: The field of view is none of a pinhole's.
    """
    if not 0 < fov_deg < 180:
        raise ValueError(f"fov is {fov_deg:g}, expected degrees between 0 and 180")
    height, width = size
    focal = width / (2 * np.tan(np.deg2rad(fov_deg) / 2))
    # CARLA counts from the picture's corner to its middle, we count from the first pixel's centre.
    matrix = [focal, 0, width / 2 - 0.5, 0, focal, height / 2 - 0.5, 0, 0, 1]
    return lens_of(size, np.array(matrix))


def box(
    kind: str,
    placed: Rigid,
    extent: tuple[float, float, float],
    vehicle: Rigid,
    visible: float | None = None,
) -> Box:
    """Return a bounding box in the vehicle's frame.

    Args:
        kind: Its class.
        placed: The box in the world: the actor's pose, after the box's in the actor's frame.
        extent: Half of its length, width and height, as CARLA says it.
        vehicle: The vehicle in the world.
        visible: See ``Box``.

    Raises:
        ValueError: A box of no size.
    """
    seen = vehicle.inverse().after(placed)
    ahead = seen.rotation[:, 0]
    yaw = float(np.arctan2(ahead[1], ahead[0]))
    x, y, z = seen.shift.tolist()
    length, width, height = (2.0 * half for half in extent)
    return Box(kind, x, y, z, length, width, height, yaw, visible)


def picture(bgra: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return BGR (H, W, 3) of a sensor's BGRA (H, W, 4), which is in our order of colours."""
    if bgra.ndim != 3 or bgra.shape[2] != 4 or bgra.dtype != np.uint8:
        raise ValueError(f"the picture is {bgra.dtype} {bgra.shape}, expected uint8 (H, W, 4)")
    return np.ascontiguousarray(bgra[:, :, :3])


def depth(bgra: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the depth in a depth sensor's BGRA (H, W, 4).

    Returns:
        (H, W) float32 metres along the optical axis, not along the ray: ``(R + 256 G + 65536 B) /
        (256^3 - 1) * 1000``; +Inf at the far end, NaN for 0.
    """
    return carla_depth(picture(bgra))
