# SPDX-License-Identifier: Apache-2.0
"""The answer of foreground: what is new since a picture of the empty place was taken."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.structures import Crop
from shared_encoder_perception.tasks.masks.answer import Mask
from shared_encoder_perception.tasks.masks.values import NO, NOT_KNOWN, YES

FOREGROUND: Final = YES
BACKGROUND: Final = NO


@dataclass(frozen=True, eq=False)
class ForegroundMask(Mask):
    """Where something is that the picture of the empty place does not show; see ``Mask``.

    Attributes:
        known: Whether there was such a picture to compare with; otherwise no pixel is known,
            whatever ``probability`` holds.
    """

    unseen_value: int = NOT_KNOWN
    known: bool = True

    def binary(self) -> NDArray[np.uint8]:
        """Return (H, W) uint8: 255 foreground, 0 not, or not known: see ``seen``."""
        return super().binary() if self.known else np.zeros_like(self.probability)

    def values(self) -> NDArray[np.uint8]:
        """Return (H, W) uint8 for others; all of it ``unseen_value`` where nothing is known."""
        if self.known:
            return super().values()
        return np.full(self.probability.shape, self.unseen_value, np.uint8)

    def seen(self, crop: Crop) -> Crop:
        """Return the part of a crop of which something is known."""
        return super().seen(crop) if self.known else Crop(crop.x, crop.y, 0, 0)


Answer = ForegroundMask
