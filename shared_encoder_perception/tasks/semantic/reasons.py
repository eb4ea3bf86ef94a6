# SPDX-License-Identifier: Apache-2.0
"""When classes are worth labelling."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.images.preprocess import Crop
from shared_encoder_perception.tasks.contract.comparisons import Reason
from shared_encoder_perception.tasks.semantic.answer import SemanticMask

UNSURE_CLASSES: Final = "unsure_classes"
REASONS: Final = {UNSURE_CLASSES: "it does not know what things are"}
NOTHING: Final = ""
UNSURE: Final = 128
"""Confidence, of 255, below which no class has half of the probability."""


def reasons(answer: SemanticMask, crop: Crop) -> dict[str, Reason]:
    """Return the share of the pixels of which no class is probable."""
    share = float(np.mean(answer.confidence[answer.seen(crop).window] < UNSURE))
    return {UNSURE_CLASSES: Reason(share, f"{share:.1%} of the pixels")}


def planes(answer: SemanticMask, crop: Crop) -> tuple[NDArray[np.uint8]]:
    """Return the ids, as far as the network saw."""
    return (answer.ids[crop.window],)
