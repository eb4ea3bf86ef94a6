# SPDX-License-Identifier: Apache-2.0
"""When the foreground is worth labelling."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.images.preprocess import Crop
from shared_encoder_perception.tasks.contract.comparisons import Reason
from shared_encoder_perception.tasks.foreground.answer import ForegroundMask
from shared_encoder_perception.tasks.masks.record import unsure_share

UNSURE: Final = "unsure_foreground"
REASONS: Final = {UNSURE: "it does not know what is new"}
NOTHING: Final = "nothing new"


def reasons(answer: ForegroundMask, crop: Crop) -> dict[str, Reason]:
    """Return the share of the pixels that may or may not be new."""
    share = unsure_share(answer, crop)
    return {UNSURE: Reason(share, f"{share:.1%} of the foreground mask")}


def planes(answer: ForegroundMask, crop: Crop) -> tuple[NDArray[np.uint8]]:
    """Return the probability, as far as the network saw."""
    return (answer.probability[crop.window],)
