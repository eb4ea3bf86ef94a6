# SPDX-License-Identifier: Apache-2.0
"""What a picture must be before a network may see it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.images.frames import CompanionError
from shared_encoder_perception.images.preprocess import ImageError


def check_image(image: NDArray[np.uint8]) -> None:
    """Refuse what is no picture.

    Raises:
        ImageError: It is not uint8 (H, W, 3).
    """
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise ImageError(
            f"image is {image.dtype} of shape {image.shape}, expected uint8 (H, W, 3) BGR"
        )


def check_companion(name: str, picture: NDArray[np.uint8], image: NDArray[np.uint8]) -> None:
    """Refuse a picture that cannot be by the camera of an image.

    Raises:
        CompanionError: It is of another type or size.
    """
    if picture.dtype != np.uint8 or picture.shape != image.shape:
        raise CompanionError(
            f"{name} is {picture.dtype} of shape {picture.shape}, the image is {image.shape}: "
            "expected two pictures of one camera, of the same size"
        )
