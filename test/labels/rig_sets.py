# SPDX-License-Identifier: Apache-2.0
"""Labelled rigs for tests: written here, in our format and as nuScenes and CARLA lay them out."""

import json
from pathlib import Path

import cv2
import numpy as np

from shared_encoder_perception.ground.extrinsics import Extrinsics
from shared_encoder_perception.ground.view import CameraView
from shared_encoder_perception.labels.rigs.cameras import lens_of
from shared_encoder_perception.rig.boxes import Box
from shared_encoder_perception.rig.frame import RigFrame
from shared_encoder_perception.rig.grid import BevGrid
from shared_encoder_perception.rig.ground_map import GroundLabel, GroundMap
from shared_encoder_perception.rig.rig import Rig, RigCamera
from shared_encoder_perception.structures import Crop

KEY_FRAME = Path(__file__).parents[2].parent / "shared/data/nuscenes_one"
SIZE = (60, 100)
VALUES = (0, 127, 255)


def camera(name, yaw_deg, d=(), model="", own=None, crop=None, pitch_deg=10.0):
    """Return a camera 1.5 m above the ground."""
    height, width = SIZE
    k = np.array([[60.0, 0, (width - 1) / 2], [0, 61.0, (height - 1) / 2], [0, 0, 1]])
    lens = lens_of(SIZE, k, np.array(d, float), model)
    angles = (0.0, np.deg2rad(pitch_deg), np.deg2rad(yaw_deg))
    return RigCamera(
        name, CameraView(lens, Extrinsics.from_angles((0.5, 0, 1.5), *angles)), own, crop
    )


def rig():
    """Return three cameras of three kinds."""
    own = np.zeros(SIZE, bool)
    own[-6:, 20:70] = True
    bend = (0.02, -0.01, 0.002, 0.0)
    return Rig(
        (
            camera("front", 0.0, own=own),
            camera("left", 95.0, bend, "equidistant", crop=Crop(2, 4, 60, 40)),
            camera("rear right", 200.0, (-0.1, 0.01, 0.001, 0.0005), "plumb_bob"),
        )
    )


def image(seed):
    """Return a picture that no other seed gives."""
    return np.random.default_rng(seed).integers(0, 256, (*SIZE, 3), np.uint8)


def frame(number=0):
    """Return a labelled moment."""
    cameras = rig()
    dice = np.random.default_rng(number)
    grid = BevGrid(-10.0, -8.0, 40, 32, 0.5)
    values = dice.choice(np.array(VALUES, np.uint8), grid.shape)
    objects = (
        Box("vehicle", 12.0, 3.0, 0.8, 4.2, 1.8, 1.6, 0.3, 0.9),
        Box("person", 1.0, 8.0, 0.9, 0.5, 0.6, 1.8, -2.0),
    )
    return RigFrame(
        f"{number:06d}",
        cameras,
        {name: image(number * 10 + at) for at, name in enumerate(cameras.names)},
        {name: 100.0 + number + 0.01 * at for at, name in enumerate(cameras.names)},
        GroundLabel(objects, GroundMap(grid, values), in_view(cameras, dice)),
    )


def in_view(cameras, dice):
    """Return a map that tells of cells where a camera looks, and of no others."""
    grid = BevGrid(-7.0, -9.0, 26, 36, 0.5)
    flat = grid.centres().reshape(-1, 2)
    points = np.c_[flat, np.zeros(len(flat))]
    looked = np.any([~np.isnan(one.see(points)[:, 0]) for one in cameras.cameras], axis=0)
    told = dice.choice(np.array((0, 255), np.uint8), len(flat))
    return GroundMap(grid, np.where(looked, told, 127).astype(np.uint8).reshape(grid.shape))


def write_lines(folder, *records):
    """Write lines, each an object or a text."""
    texts = [one if isinstance(one, str) else json.dumps(one) for one in records]
    (folder / "rigs.jsonl").write_text("".join(f"{text}\n" for text in texts))
    return folder


def line(folder=None, **changes):
    """Return the object of a line of two cameras, and write its pictures if a folder is given."""
    cameras = {}
    for at, one in enumerate((camera("front", 0.0), camera("rear", 180.0))):
        name = f"{one.name}.png"
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(folder / name), image(at))
        placed = np.eye(4)
        placed[:3, :3], placed[:3, 3] = one.view.extrinsics.rotation, one.view.position
        cameras[one.name] = {
            "image": name,
            "size": list(SIZE),
            "k": one.view.camera.matrix.tolist(),
            "vehicle_from_optical": placed.tolist(),
            "stamp_s": 10.0 + 0.02 * at,
        }
    return {"cameras": cameras, "objects": [thing()], **changes}


def thing(**changes):
    """Return the object of a vehicle 12 m ahead."""
    sides = {"length": 4.2, "width": 1.8, "height": 1.6}
    return {"class": "vehicle", "x": 12.0, "y": 1.0, "z": 0.8, "yaw": 0.3, **sides, **changes}
