# SPDX-License-Identifier: Apache-2.0
"""When the drivable surface is worth labelling."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.images.preprocess import Crop
from shared_encoder_perception.tasks.contract.comparisons import Reason
from shared_encoder_perception.tasks.drivable.answer import DrivableMask
from shared_encoder_perception.tasks.masks.record import unsure_share

UNSURE_MASK: Final = "unsure_mask"
REASONS: Final = {UNSURE_MASK: "it does not know where the drivable surface ends"}
NOTHING: Final = ""


def reasons(answer: DrivableMask, crop: Crop) -> dict[str, Reason]:
    """Return the share of the pixels that may or may not be drivable."""
    share = unsure_share(answer, crop)
    return {UNSURE_MASK: Reason(share, f"{share:.1%} of the mask")}


def planes(answer: DrivableMask, crop: Crop) -> tuple[NDArray[np.uint8]]:
    """Return the probability, as far as the network saw."""
    return (answer.probability[crop.window],)
