"""The answer of drivable_surface: a mask of the source image's size, validated once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.structures import Size


@dataclass(frozen=True, eq=False)
class DrivableMask:
    """Where the vehicle may drive.

    Attributes:
        probability: (H, W) uint8 of the source image's size, 0 to 255 for 0 to 1; 0 outside the
            crop.
        threshold: Lowest ``probability`` value that counts as drivable, 1 to 255.
    """

    probability: NDArray[np.uint8]
    threshold: int = 128

    def __post_init__(self) -> None:
        """Check type, shape and threshold; the array is kept without a copy and made read-only."""
        array = self.probability
        if array.dtype != np.uint8 or array.ndim != 2:
            raise ValueError(
                f"mask is {array.dtype} of shape {array.shape}, expected uint8 of shape (H, W)"
            )
        if not 1 <= self.threshold <= 255:
            raise ValueError(f"mask threshold is {self.threshold}, expected 1 to 255")
        view = array.view()
        view.flags.writeable = False
        object.__setattr__(self, "probability", view)

    def binary(self) -> NDArray[np.uint8]:
        """Return (H, W) uint8: 255 drivable, 0 not."""
        # 1 becomes 255 by wrapping around: several times as fast as np.where.
        return np.negative((self.probability >= self.threshold).view(np.uint8))

    def check(self, image_size: Size) -> None:
        """Refuse a mask that does not fit its image.

        Raises:
            ValueError: It is not of the image's size.
        """
        if self.probability.shape != tuple(image_size):
            raise ValueError(
                f"mask is {self.probability.shape}, expected the image's {tuple(image_size)}"
            )


Answer = DrivableMask
