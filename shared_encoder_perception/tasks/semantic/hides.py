# SPDX-License-Identifier: Apache-2.0
"""Ground that vehicles and people hide, by the classes of the pixels."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.ground.camera import CameraModel
from shared_encoder_perception.tasks.semantic.answer import SemanticMask
from shared_encoder_perception.tasks.semantic.spec import Block

MOVING: Final = ("vehicle", "human")
HIDING: Final = (*MOVING, "void")
"""Categories of classes that move, and of the own vehicle, as the tables that are known call them.
"""
RULE: Final = "left out where the model sees a vehicle, a person or the own bonnet"
EDGE: Final = 100
"""One part in so many of the picture's width around them: masks end a little early."""


def able(block: Block) -> bool:
    """Whether the model tells apart what moves; a table may be without categories."""
    return set(MOVING) <= {one.category for one in block.classes}


def hidden(
    answer: SemanticMask, ground: NDArray[np.float32], camera: CameraModel
) -> NDArray[np.bool_]:
    """Return (H, W) bool, where something else than the ground is seen; see the contract."""
    table = np.zeros(256, np.uint8)
    table[[one.id for one in answer.classes if one.category in HIDING]] = 1
    found = table[answer.ids]
    side = 2 * (answer.ids.shape[1] // (2 * EDGE)) + 1
    return np.asarray(cv2.dilate(found, np.ones((side, side), np.uint8)) > 0)
