# SPDX-License-Identifier: Apache-2.0
"""The demo's own drive: a motorway's exit, a street and a motorway in the rain, by four cameras."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from shared_encoder_perception.demo.rigs.clip import Scene, rig_clip, shortened
from shared_encoder_perception.rig.rig import Rig
from shared_encoder_perception.world.rigs.dice_rig import four_cameras

SHOWN_HZ: Final = 10.0
"""Moments of the drive in a second of it."""
SCENES: Final = (
    Scene(1_000_500_309, 70, 1.4, split_probability=1.0),
    Scene(1_000_500_046, 70, 0.9),
    Scene(1_000_500_175, 60, 1.6),
)
"""Worlds of a sunny motorway with an exit, a narrow street between houses, and a motorway in the
rain, each with traffic. None was trained on; they were chosen by what they show, before any model
had seen them."""
AHEAD: Final = "front"
"""The camera whose pictures are seen alone, too: the rig's first."""
AHEAD_SIZE, AHEAD_DEG = (320, 832), 86.0
SIZE: Final = (160, 416)
"""Of the pictures, ``(height, width)``: of the shape that the shipped networks take, so that these
see all of them. Field of view of the first, which is as wide as those that lanes are learned of."""


def vehicle_rig() -> Rig:
    """Return the cameras: the usual four, the first with a longer lens and more pixels."""
    ahead = four_cameras(AHEAD_SIZE, AHEAD_DEG)[AHEAD]
    return Rig((ahead, *four_cameras(SIZE).cameras[1:]))


def vehicle_clip(cache: Path, moments: int | None = None) -> Path:
    """Return the folder of the drive, rendering it on first use; see ``rig_clip``.

    Args:
        cache: Folder for clips.
        moments: How many are needed, from the beginning; ``None`` for all.
    """
    scenes = SCENES if moments is None else shortened(SCENES, moments)
    return rig_clip(cache, "drive", vehicle_rig(), scenes)
