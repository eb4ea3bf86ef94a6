# SPDX-License-Identifier: Apache-2.0
"""Four cameras around a vehicle, each with its own colours; nothing here needs ROS."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from shared_encoder_perception.ground.extrinsics import Extrinsics
from shared_encoder_perception.rig.grid import BevGrid
from shared_encoder_perception.rig.rig_entries import CameraEntry, Intrinsics
from shared_encoder_perception.rig.rig_file import RigFile, write_rig

YAWS = {"front": 0.0, "left": 90.0, "rear": 180.0, "right": -90.0}
NAMES = tuple(YAWS)
SIZE = (48, 96)
FOCAL = 40.0
"""Pixels: 100 degrees across."""
GRID = BevGrid(-12.0, -12.0, 24, 24, 1.0)
FRAME = "truck"


def lens(focal: float = FOCAL, size: tuple[int, int] = SIZE) -> Intrinsics:
    """Return how a camera sees."""
    height, width = size
    k = (focal, 0.0, (width - 1) / 2, 0.0, focal, (height - 1) / 2, 0.0, 0.0, 1.0)
    return Intrinsics(size, k)


def entry(name: str, *, by_topic: bool = False, by_tf: bool = False) -> CameraEntry:
    """Return a camera that looks down a little, with all said of it, or not."""
    yaw = np.deg2rad(YAWS[name])
    place = (float(1.5 * np.cos(yaw)), float(1.5 * np.sin(yaw)), 1.6)
    pose = Extrinsics.from_angles(place, 0.0, 0.3, float(yaw))
    return CameraEntry(
        name,
        f"{name}/image",
        info_topic=f"{name}/camera_info" if by_topic else "",
        intrinsics=None if by_topic else lens(),
        pose=None if by_tf else pose,
        tf_frame=f"{name}_optical" if by_tf else "",
    )


def write(path: Path, *by_topic: str, names: tuple[str, ...] = NAMES) -> RigFile:
    """Write a ``rig.yaml``; some cameras tell their lens by a topic."""
    entries = tuple(entry(name, by_topic=name in by_topic) for name in names)
    file = RigFile(entries, FRAME)
    write_rig(path, file)
    return file


def picture(seed: int, size: tuple[int, int] = SIZE) -> np.ndarray:
    """Return smooth colours, (H, W, 3) uint8: every place has its own green, which is the mask."""
    rng = np.random.default_rng(seed)
    slope, offset = rng.uniform(0.5, 2, 2), rng.uniform(0, 60)
    rows, columns = np.mgrid[: size[0], : size[1]]
    green = np.clip(offset + rows * slope[0] + columns * slope[1], 0, 255)
    return np.stack([green * 0.5, green, green * 0.25], axis=-1).astype(np.uint8)


PICTURES = {name: picture(seed) for seed, name in enumerate(NAMES)}
