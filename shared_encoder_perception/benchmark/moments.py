# SPDX-License-Identifier: Apache-2.0
"""Moments of a rig, to be measured on: a drive through the demo's town, seen by its cameras."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from shared_encoder_perception.demo.rigs.town import SEED, SPEED_M_PER_MOMENT
from shared_encoder_perception.files.plain_file import plain
from shared_encoder_perception.labels.rigs.render import FOUR
from shared_encoder_perception.rig.rig import Rig
from shared_encoder_perception.rig.rig_file import read_rig
from shared_encoder_perception.world.rigs.dice_rig import four_cameras
from shared_encoder_perception.world.rigs.drive import RigDrive

Pictures = dict[str, NDArray[np.uint8]]
"""(H, W, 3) uint8 BGR by the name of the camera."""


def rig_of(text: str) -> Rig:
    """Return the cameras that ``--rig`` names: ``four``, or those of a ``rig.yaml``.

    Raises:
        ValueError: There is no such file, or a camera in it is wrong or lacks its calibration; the
            message names it.
    """
    if text == FOUR:
        return four_cameras()
    path = Path(text)
    if not path.is_file():
        raise ValueError(f"--rig is {text!r}, expected {FOUR} or a rig.yaml")
    return read_rig(plain(path)).rig()


def render(rig: Rig, count: int) -> list[Pictures]:
    """Return ``count`` moments in turn of a drive through the demo's town."""
    drive = RigDrive(SEED, rig, split_probability=0.0, traffic_probability=1.0)
    steps = tqdm(range(count), desc="rendering the town", unit="moment")
    return [dict(drive.render(step * SPEED_M_PER_MOMENT).images) for step in steps]
