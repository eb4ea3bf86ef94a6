# SPDX-License-Identifier: Apache-2.0
"""The answer of semantic: a class for every pixel of the source image, validated once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.structures import Crop, Size
from shared_encoder_perception.tasks.semantic.classes import UNLABELLED, Table


@dataclass(frozen=True, eq=False)
class SemanticMask:
    """What every pixel is.

    Attributes:
        ids: (H, W) uint8 of the source image's size: ids of ``classes``, 255 where nothing is said:
            outside of the crop, and where the model is not sure enough.
        confidence: (H, W) uint8, the probability of that class, 0 to 255 for 0 to 1; 0 outside of
            the crop.
        classes: The model's table.
        crop: What the network saw. ``None``: all of the image, or nobody says.
    """

    ids: NDArray[np.uint8]
    confidence: NDArray[np.uint8]
    classes: Table
    crop: Crop | None = None

    def __post_init__(self) -> None:
        """Check types and shapes; arrays are kept without a copy and made read-only."""
        for name in ("ids", "confidence"):
            array = getattr(self, name)
            if array.dtype != np.uint8 or array.ndim != 2 or array.shape != self.ids.shape:
                raise ValueError(
                    f"{name} is {array.dtype} of shape {array.shape}, expected uint8 of shape "
                    f"{self.ids.shape if self.ids.ndim == 2 else '(H, W)'}"
                )
            view = array.view()
            view.flags.writeable = False
            object.__setattr__(self, name, view)

    def seen(self, crop: Crop) -> Crop:
        """Return the part of a crop that the network saw: elsewhere the answer says nothing."""
        return crop.shared(self.crop)

    def check(self, image_size: Size) -> None:
        """Refuse an answer that does not fit its image.

        Raises:
            ValueError: It is not of the image's size, or has ids that its table lacks.
        """
        if self.ids.shape != tuple(image_size):
            raise ValueError(f"ids are {self.ids.shape}, expected the image's {tuple(image_size)}")
        present = np.flatnonzero(np.bincount(self.ids.ravel(), minlength=256))
        strange = [int(one) for one in present if len(self.classes) <= one != UNLABELLED]
        if strange:
            raise ValueError(
                f"ids {strange} are in no class of the table, which has 0 to "
                f"{len(self.classes) - 1}; {UNLABELLED} is for what is not said"
            )


Answer = SemanticMask
