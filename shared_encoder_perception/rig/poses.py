# SPDX-License-Identifier: Apache-2.0
"""A camera of a rig in another place: as usual mistakes put it, and as they are undone."""

from __future__ import annotations

from typing import Final

import numpy as np

from shared_encoder_perception.ground.extrinsics import Extrinsics
from shared_encoder_perception.rig.rig import RigCamera
from shared_encoder_perception.rig.rig_entries import angles_deg

MIRRORED: Final = np.diag([1.0, -1.0, 1.0])
FLIPPED: Final = np.diag([-1.0, 1.0, 1.0])


def mirrored(camera: RigCamera) -> RigCamera:
    """Return it on the other side of the vehicle: y, yaw and roll negated."""
    pose = camera.view.extrinsics
    return camera.posed(Extrinsics(MIRRORED @ pose.rotation @ FLIPPED, MIRRORED @ pose.position))


def turned_round(camera: RigCamera) -> RigCamera:
    """Return it where it is, looking the other way."""
    pose = camera.view.extrinsics
    return camera.posed(Extrinsics(np.diag([-1.0, -1.0, 1.0]) @ pose.rotation, pose.position))


def pitch_negated(camera: RigCamera) -> RigCamera:
    """Return it with its pitch negated."""
    pose = camera.view.extrinsics
    down = np.diag([1.0, 1.0, -1.0])
    return camera.posed(Extrinsics(down @ pose.rotation @ np.diag([1.0, -1.0, 1.0]), pose.position))


def yaw_negated(camera: RigCamera) -> RigCamera:
    """Return it with its yaw and roll negated, but not its place."""
    pose = camera.view.extrinsics
    return camera.posed(Extrinsics(MIRRORED @ pose.rotation @ FLIPPED, pose.position))


def tilted(
    camera: RigCamera, roll_deg: float = 0.0, pitch_deg: float = 0.0, yaw_deg: float = 0.0
) -> RigCamera:
    """Return it where it is, with so much added to its angles."""
    pose = camera.view.extrinsics
    angles = np.radians(np.add(angles_deg(pose), (roll_deg, pitch_deg, yaw_deg)))
    rotation = Extrinsics.from_angles((0.0, 0.0, 0.0), *map(float, angles)).rotation
    return camera.posed(Extrinsics(rotation, pose.position))


def raised(camera: RigCamera, times: float) -> RigCamera:
    """Return it at so many times its height above the ground."""
    pose = camera.view.extrinsics
    return camera.posed(Extrinsics(pose.rotation, pose.position * (1.0, 1.0, times)))
