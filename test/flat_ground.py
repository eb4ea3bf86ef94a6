# SPDX-License-Identifier: Apache-2.0
"""A flat world of two values, ray-cast through the cameras of a rig, for tests of ground maps.

The picture is green where one may drive, so that the tiny model's mask is exact.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.ground.camera import CameraModel
from shared_encoder_perception.ground.extrinsics import Extrinsics
from shared_encoder_perception.ground.view import CameraView
from shared_encoder_perception.rig.rig import Rig, RigCamera

SIZE = (320, 800)
KEPT = 16
REACHED: dict[tuple, tuple[NDArray, NDArray, NDArray]] = {}
World = Callable[[NDArray, NDArray], NDArray]
"""Says of x and y, metres in the vehicle's frame, where one may drive."""


def camera(
    name,
    yaw_deg,
    place=(0.0, 0.0, 1.6),
    pitch_deg=12.0,
    roll_deg=0.0,
    focal_px=420.0,
    size=SIZE,
    distortion=(),
    fisheye=False,
    own=None,
    aside_px=3.0,
):
    """Return a camera whose principal point is ``aside_px`` right of its picture's middle."""
    height, width = size
    centre = ((width - 1) / 2 + aside_px, (height - 1) / 2 - 5)
    matrix = np.array([[focal_px, 0, centre[0]], [0, focal_px, centre[1]], [0, 0, 1]])
    lens = CameraModel(size, matrix, np.array(distortion), fisheye, np.eye(3), (1, 1), (0.0, 0.0))
    pose = Extrinsics.from_angles(place, *np.deg2rad((roll_deg, pitch_deg, yaw_deg)))
    return RigCamera(name, CameraView(lens, pose), own)


def four_cameras(sign=1):
    """Return a rig that is lopsided in every way; with -1 the one that a mirror shows."""
    front = {"place": (1.9, 0.2 * sign, 1.5), "roll_deg": 1.0 * sign, "aside_px": 6.0 * sign}
    left = {"place": (0.6, 0.9 * sign, 1.9), "focal_px": 300.0, "distortion": (-0.2, 0.05, 0, 0)}
    rear = {"place": (-1.2, -0.1 * sign, 1.2), "size": (480, 640), "focal_px": 330.0}
    right = {"place": (0.4, -0.8 * sign, 2.0), "focal_px": 250.0, "fisheye": True}
    return Rig(
        (
            camera("front", 4.0 * sign, **front),
            camera("left", 83.0 * sign, aside_px=3.0 * sign, **left),
            camera("rear", 171.0 * sign, pitch_deg=16.0, aside_px=0.0, **rear),
            camera(
                "right",
                -98.0 * sign,
                aside_px=-4.0 * sign,
                distortion=(0.02, -0.01, 0.003, -0.001),
                **right,
            ),
        )
    )


def town(x, y):
    """Say where the roads are: one along the vehicle, one across, and a yard on the left only."""
    along, across = np.abs(y + 1.0) < 4.0, np.abs(x - 14.0) < 3.5
    return along | across | ((x > -9) & (x < -2) & (y > 5) & (y < 13))


def shown(camera, world: World):
    """Return the picture that a camera takes, (H, W, 3) uint8 BGR: green, black, or grey sky."""
    x, y, ground = reached(camera)
    with np.errstate(invalid="ignore"):
        drivable = ground & world(x, y)
    picture = np.zeros((len(x), 3), np.uint8)
    picture[~ground] = (90, 0, 90)
    picture[drivable] = (0, 255, 0)
    return picture.reshape(*camera.image_size, 3)


def reached(camera):
    """Return x and y where the pixels of a camera look, each (H * W,), and which reach the ground.

    Those of the last cameras are kept: most tests have the same ones.
    """
    view, lens = camera.view, camera.view.camera
    numbers = (lens.matrix, lens.distortion, lens.rectification, view.extrinsics.rotation)
    key = (lens.image_size, lens.fisheye, lens.binning, lens.origin_px, tuple(view.position))
    key += tuple(tuple(array.ravel()) for array in numbers)
    if key not in REACHED:
        height, width = camera.image_size
        columns, rows = np.meshgrid(np.arange(width), np.arange(height))
        pixels = np.stack((columns, rows), axis=-1).reshape(-1, 2).astype(np.float64)
        rays, at = view.rays(pixels), view.position
        with np.errstate(divide="ignore", invalid="ignore"):
            reach = -at[2] / rays[:, 2]
            x, y = at[0] + reach * rays[:, 0], at[1] + reach * rays[:, 1]
            REACHED[key] = x, y, reach > 0
        if len(REACHED) > KEPT:
            del REACHED[next(iter(REACHED))]
    return REACHED[key]


def pictures(rig, world: World = town):
    """Return the picture of each camera, by its name."""
    return {camera.name: shown(camera, world) for camera in rig.cameras}
