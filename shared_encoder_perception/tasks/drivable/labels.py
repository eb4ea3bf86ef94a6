"""What a label of drivable_surface is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.structures import Size

MASK_DRIVABLE: Final = 255
MASK_IGNORE: Final = 127
MASK_NOT_DRIVABLE: Final = 0


@dataclass(frozen=True, eq=False)
class Label:
    """What is known about the drivable surface of one image.

    Attributes:
        mask: (H, W) uint8 of 255 drivable, 0 not drivable, 127 ignore.
        confidence: (H, W) uint8 weight of each pixel of ``mask``, 255 for a sure one; ``None``
            where all are.
    """

    mask: NDArray[np.uint8]
    confidence: NDArray[np.uint8] | None = None

    def check(self, image_size: Size) -> None:
        """Refuse a mask that does not fit its image.

        Raises:
            ValueError: It is not uint8, or not of the image's size.
        """
        for what, mask in (("mask", self.mask), ("mask_confidence", self.confidence)):
            if mask is not None and (mask.dtype != np.uint8 or mask.shape != tuple(image_size)):
                raise ValueError(
                    f"{what} is {mask.dtype} {mask.shape}, expected uint8 {tuple(image_size)}"
                )
