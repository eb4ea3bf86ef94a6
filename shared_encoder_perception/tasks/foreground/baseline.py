# SPDX-License-Identifier: Apache-2.0
"""What is said of the foreground without looking at the image."""

from __future__ import annotations

from typing import Final

import numpy as np

from shared_encoder_perception.structures import Size
from shared_encoder_perception.tasks.foreground.answer import ForegroundMask
from shared_encoder_perception.tasks.masks import baseline

USUAL: Final = "the usual foreground"
NOTHING: Final = "no foreground"


def nothing(image_size: Size) -> ForegroundMask:
    """Say that nothing is new."""
    return ForegroundMask(np.zeros(image_size, np.uint8))


class Constant(baseline.Constant):
    """Says of every image that it is foreground where at least half of the labels are."""

    def answer(self, image_size: Size) -> ForegroundMask:
        """Say what is usual; that nothing is new where no label was seen."""
        return ForegroundMask(self.probability(image_size))
