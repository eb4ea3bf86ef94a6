# SPDX-License-Identifier: Apache-2.0
"""How far an engine's classes are from another's, and what is tolerated."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.tasks.contract.comparisons import Quantity, ShownScore
from shared_encoder_perception.tasks.semantic.spec import OUTPUT_CONFIDENCE, OUTPUT_IDS

SURE: Final = 140
"""Confidence, of 255, from which on rounding cannot make another class the most probable one."""
QUANTITIES: Final = {
    "semantic": Quantity("classes, of sure cells", {"fp32": 0}, rounding=0),
    "semantic_confidence": Quantity("classes' confidence, 1/255", {"fp32": 1}, rounding=1),
}
SCORES: Final = {"semantic_miou": ShownScore("mean IoU", loss=0.005)}


def errors(
    outputs: Mapping[str, NDArray], reference: Mapping[str, NDArray]
) -> dict[str, NDArray[np.int16]]:
    """Return where sure cells have another class (1), and how far confidence is apart."""
    sure = reference[OUTPUT_CONFIDENCE] >= SURE
    other = (outputs[OUTPUT_IDS] != reference[OUTPUT_IDS]) & sure
    confidence = outputs[OUTPUT_CONFIDENCE].astype(np.int16) - reference[OUTPUT_CONFIDENCE]
    return {"semantic": other.astype(np.int16), "semantic_confidence": np.abs(confidence)}
