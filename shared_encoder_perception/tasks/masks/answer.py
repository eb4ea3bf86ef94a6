# SPDX-License-Identifier: Apache-2.0
"""An answer of yes or no for each pixel of the source image, validated once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.structures import Crop, Size
from shared_encoder_perception.tasks.masks.values import NO, NOT_KNOWN, YES


@dataclass(frozen=True, eq=False)
class Mask:
    """Where something is, with how probable that is.

    Attributes:
        probability: (H, W) uint8 of the source image's size, 0 to 255 for 0 to 1; 0 outside the
            crop.
        threshold: Lowest ``probability`` value that counts as yes, 1 to 255.
        crop: What the network saw; outside of it nothing is known. ``None``: all of the image, or
            nobody says.
        unseen_value: Of the pixels outside of ``crop`` where the mask is given to others, 0 to
            254; 0 cannot be told from no.
    """

    probability: NDArray[np.uint8]
    threshold: int = 128
    crop: Crop | None = None
    unseen_value: int = NOT_KNOWN

    def __post_init__(self) -> None:
        """Check type, shape and threshold; the array is kept without a copy and made read-only."""
        array = self.probability
        if array.dtype != np.uint8 or array.ndim != 2:
            raise ValueError(
                f"mask is {array.dtype} of shape {array.shape}, expected uint8 of shape (H, W)"
            )
        if not 1 <= self.threshold <= 255:
            raise ValueError(f"mask threshold is {self.threshold}, expected 1 to 255")
        if not 0 <= self.unseen_value < YES:
            raise ValueError(f"mask unseen value is {self.unseen_value}, expected 0 to 254")
        view = array.view()
        view.flags.writeable = False
        object.__setattr__(self, "probability", view)

    def binary(self) -> NDArray[np.uint8]:
        """Return (H, W) uint8: 255 yes, 0 no, or not seen: see ``seen``."""
        # 1 becomes 255 by wrapping around: several times as fast as np.where.
        return np.negative((self.probability >= self.threshold).view(np.uint8))

    def values(self) -> NDArray[np.uint8]:
        """Return (H, W) uint8 for others: 255 yes, 0 no, ``unseen_value`` where not seen."""
        said = self.binary()
        if self.crop is not None and self.unseen_value != NO:
            x, y, width, height = self.crop
            rows = slice(y, y + height)
            for outside in (
                np.s_[:y],
                np.s_[y + height :],
                np.s_[rows, :x],
                np.s_[rows, x + width :],
            ):
                said[outside] = self.unseen_value
        return said

    def seen(self, crop: Crop) -> Crop:
        """Return the part of a crop that the network saw: elsewhere the mask says nothing."""
        return crop.shared(self.crop)

    def check(self, image_size: Size) -> None:
        """Refuse a mask that does not fit its image.

        Raises:
            ValueError: It is not of the image's size.
        """
        if self.probability.shape != tuple(image_size):
            raise ValueError(
                f"mask is {self.probability.shape}, expected the image's {tuple(image_size)}"
            )
