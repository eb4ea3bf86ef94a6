# SPDX-License-Identifier: Apache-2.0
"""How far an engine's foreground is from another's, and what is tolerated."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.tasks.contract.comparisons import Quantity, ShownScore
from shared_encoder_perception.tasks.foreground.spec import OUTPUT_FOREGROUND

QUANTITIES: Final = {"foreground": Quantity("foreground, 1/255", {"fp32": 1}, rounding=1)}
SCORES: Final = {"foreground_iou": ShownScore("foreground IoU", loss=0.005)}


def errors(
    outputs: Mapping[str, NDArray], reference: Mapping[str, NDArray]
) -> dict[str, NDArray[np.int16]]:
    """Return the absolute error of the (H, W) uint8 mask, steps of 1/255."""
    said, right = (one[OUTPUT_FOREGROUND].astype(np.int16) for one in (outputs, reference))
    return {"foreground": np.abs(said - right)}
