# SPDX-License-Identifier: Apache-2.0
"""Ground that something nearer hides, by the depth of the pixels."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.ground.camera import CameraModel
from shared_encoder_perception.tasks.depth.answer import RELATIVE, DepthMap
from shared_encoder_perception.tasks.depth.spec import Block

NEARER: Final = 0.2
"""Share of the ground's depth by which something is nearer that hides it."""
RULE: Final = f"left out where the model sees something nearer than the ground by {NEARER:.0%}"


def able(block: Block) -> bool:
    """Every depth tells it, one without a scale too."""
    return True


def hidden(answer: DepthMap, ground: NDArray[np.float32], camera: CameraModel) -> NDArray[np.bool_]:
    """Return (H, W) bool, where something nearer is seen; see the contract.

    Depth without a scale gets the one at which the ground is, in the median, where it is expected.
    """
    if answer.kind == RELATIVE:
        metres = answer.depth
        with np.errstate(invalid="ignore", divide="ignore"):
            ratio = ground / metres
        known = ratio[np.isfinite(ratio)]
        metres = metres * (np.float32(np.median(known)) if known.size else np.float32(1))
    else:
        metres = answer.through(float(camera.matrix[1, 1] / camera.binning[1])).depth
    with np.errstate(invalid="ignore"):
        return np.asarray(metres < (1 - NEARER) * ground)
