# SPDX-License-Identifier: Apache-2.0
"""The demo's own town: a drive seen by four cameras."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from shared_encoder_perception.demo.rigs.clip import Scene, rig_clip
from shared_encoder_perception.world.rigs.dice_rig import four_cameras

MOMENTS: Final = 100
RATE_HZ: Final = 10.0
SPEED_M_PER_MOMENT: Final = 1.0
"""10 m/s at ``RATE_HZ``."""
SEED: Final = 1_000_000_292
"""A street with houses, traffic and parked vehicles on both sides. It was not trained on, and was
chosen before any model had seen it."""
SIZE: Final = (192, 480)
"""Of the pictures, ``(height, width)``."""


def town_clip(cache: Path, moments: int = MOMENTS) -> Path:
    """Return the folder of the drive, rendering it on first use; see ``rig_clip``.

    Args:
        cache: Folder for clips.
        moments: How many are needed.
    """
    return rig_clip(cache, "town", four_cameras(SIZE), [Scene(SEED, moments, SPEED_M_PER_MOMENT)])
