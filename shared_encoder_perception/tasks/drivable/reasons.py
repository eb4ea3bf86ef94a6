"""When the drivable surface is worth labelling."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.images.preprocess import Crop
from shared_encoder_perception.tasks.contract.comparisons import Reason
from shared_encoder_perception.tasks.drivable.answer import DrivableMask

UNSURE_MASK: Final = "unsure_mask"
REASONS: Final = {UNSURE_MASK: "it does not know where the drivable surface ends"}
NOTHING: Final = ""
UNSURE: Final = (0.1, 0.9)
"""Probabilities between which the mask is unsure."""


def reasons(answer: DrivableMask, crop: Crop) -> dict[str, Reason]:
    """Return the share of the pixels whose probability lies between ``UNSURE``."""
    seen = answer.probability[crop.window]
    low, high = (255 * value for value in UNSURE)
    share = float(np.mean((seen > low) & (seen < high)))
    return {UNSURE_MASK: Reason(share, f"{share:.1%} of the mask")}


def planes(answer: DrivableMask, crop: Crop) -> tuple[NDArray[np.uint8]]:
    """Return the probability, as far as the network saw."""
    return (answer.probability[crop.window],)
