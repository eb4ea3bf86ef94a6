# SPDX-License-Identifier: Apache-2.0
"""What is said of the drivable surface without looking at the image."""

from __future__ import annotations

from typing import Final

import numpy as np

from shared_encoder_perception.structures import Size
from shared_encoder_perception.tasks.drivable.answer import DrivableMask
from shared_encoder_perception.tasks.masks import baseline

USUAL: Final = "the usual drivable surface"
NOTHING: Final = "no drivable surface"


def nothing(image_size: Size) -> DrivableMask:
    """Say that nothing is drivable."""
    return DrivableMask(np.zeros(image_size, np.uint8))


class Constant(baseline.Constant):
    """Says of every image that it is drivable where at least half of the labels are."""

    def answer(self, image_size: Size) -> DrivableMask:
        """Say what is usual; that nothing is drivable where no label was seen."""
        return DrivableMask(self.probability(image_size))
