# SPDX-License-Identifier: Apache-2.0
"""A level ground of patterns that nowhere repeat, and what cameras of a rig see of it.

Pictures are made the other way round than the package looks things up: from each pixel along its
ray to the ground.
"""

from dataclasses import replace
from functools import cache

import cv2
import numpy as np

from shared_encoder_perception.ground.extrinsics import Extrinsics
from shared_encoder_perception.ground.view import CameraView
from shared_encoder_perception.rig.rig import Rig
from shared_encoder_perception.rig.rig_entries import CameraEntry, Intrinsics
from shared_encoder_perception.rig.rig_file import RigFile

SKY = (230, 190, 150)
HALF_M, PX_PER_M = 40.0, 20.0
SIZE = (240, 320)


@cache
def pattern():
    """Return the ground from above, (N, N, 3) float32 BGR: patches of 1.6 m, lightly coloured."""
    side = round(2 * HALF_M * PX_PER_M)
    rng = np.random.default_rng(5)
    grey, tint = rng.uniform(10, 245, (50, 50, 1)), rng.uniform(-25, 25, (160, 160, 3))
    both = [
        cv2.resize(one.astype(np.float32), (side, side), interpolation=cv2.INTER_LINEAR)
        for one in (np.repeat(grey, 3, axis=2), tint)
    ]
    return np.clip(both[0] + both[1], 0, 255)


def ground_colour(points):
    """Return the colour of the ground at (N, 2) ``(x, y)`` metres."""
    at = ((points + HALF_M) * PX_PER_M - 0.5).astype(np.float32).reshape(1, -1, 2)
    parts = [at[:, first : first + 30_000] for first in range(0, at.shape[1], 30_000)]
    found = [cv2.remap(pattern(), part, None, cv2.INTER_LINEAR) for part in parts]
    return np.concatenate(found, axis=1)[0]


def photograph(camera, colour=ground_colour, gain=1.0):
    """Return what a camera sees, (H, W, 3) uint8 BGR; four rays for each pixel."""
    height, width = camera.image_size
    total = np.zeros((height * width, 3))
    for dx, dy in ((-0.25, -0.25), (-0.25, 0.25), (0.25, -0.25), (0.25, 0.25)):
        columns, rows = np.meshgrid(np.arange(width) + dx, np.arange(height) + dy)
        rays = camera.view.rays(np.c_[columns.ravel(), rows.ravel()])
        down = rays[:, 2] < -1e-3
        ground = camera.view.position + rays * (-camera.view.position[2] / rays[:, 2:])
        down &= np.abs(ground[:, :2]).max(axis=1) < HALF_M - 1
        seen = np.tile(np.array(SKY, float), (len(rays), 1))
        seen[down] = colour(ground[down, :2])
        total += seen
    picture = np.clip(gain * total / 4, 0, 255).reshape(height, width, 3)
    return np.rint(picture).astype(np.uint8)


def entry(name, place, roll, pitch, yaw, focal=150.0, size=SIZE, model="", d=()):
    """Return a camera of a ``rig.yaml``."""
    height, width = size
    k = (focal, 0, (width - 1) / 2 + 3, 0, focal, (height - 1) / 2 - 2, 0, 0, 1)
    pose = Extrinsics.from_angles(place, *np.deg2rad((roll, pitch, yaw)))
    return CameraEntry(name, intrinsics=Intrinsics(size, k, model, d), pose=pose)


@cache
def rig_file():
    """Return four cameras that have nothing in common; one is a fisheye, one is distorted."""
    bent = {"focal": 110.0, "model": "equidistant", "d": (0.02, -0.01, 0.003, -0.001)}
    return RigFile(
        (
            entry("front", (1.9, 0.2, 1.5), 1.0, 12.0, -6.0, 120.0),
            entry("left", (0.6, 0.9, 1.9), -1.0, 24.0, 84.0, **bent),
            entry("rear", (-1.2, -0.1, 1.3), 0.0, 15.0, 172.0, size=(300, 400), focal=170.0),
            entry("right", (0.4, -0.8, 2.0), 2.0, 20.0, -97.0, 115.0, SIZE, "plumb_bob",
                  (-0.15, 0.02, 0.001, -0.001)),
        )
    )  # fmt: skip


@cache
def photographs():
    """Return the pictures of that rig, by camera."""
    return {camera.name: photograph(camera) for camera in rig_file().rig().cameras}


def reposed(rig, name, rotation, position):
    """Return a rig with one camera somewhere else; rotation and position are functions."""
    cameras = []
    for camera in rig.cameras:
        pose = camera.view.extrinsics
        if camera.name == name:
            moved = Extrinsics(rotation(pose.rotation), position(pose.position))
            camera = replace(camera, view=CameraView(camera.view.camera, moved))
        cameras.append(camera)
    return Rig(tuple(cameras))


def turned_by(rig, name, roll=0.0, pitch=0.0, yaw=0.0):
    """Return a rig with one camera turned about the vehicle's axes, degrees."""
    turn = Extrinsics.from_angles((0.0, 0.0, 0.0), *np.deg2rad((roll, pitch, yaw))).rotation
    straight = Extrinsics.from_angles((0.0, 0.0, 0.0), 0.0, 0.0, 0.0).rotation
    return reposed(rig, name, lambda r: turn @ straight.T @ r, lambda p: p)
