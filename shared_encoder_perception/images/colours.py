# SPDX-License-Identifier: Apache-2.0
"""Whether a picture was taken in colours, as far as its pixels tell."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

FIRST: Final = 128
"""Rows and columns that are looked at first, about; most pictures need no more."""
COLOURED: Final = 24
"""Least difference of the channels of a pixel that has a colour."""
SHARE: Final = 0.01
"""Least share of such pixels in a picture that has colours."""
CONTRAST: Final = 32
"""Least between the darkest and the brightest pixel of a grey picture that tells something."""


def in_colours(picture: NDArray[np.uint8]) -> bool | None:
    """Say whether a picture has colours; ``None`` where its pixels do not tell.

    Without colours are blue, green and red the same in every single pixel: a colour camera at night
    is nearly grey, never quite. What is all but black, or all but white, tells nothing.

    Args:
        picture: (H, W, 3) uint8 BGR.
    """
    rows, columns = (max(length // FIRST, 1) for length in picture.shape[:2])
    blue, green, red = (np.ascontiguousarray(picture[::rows, ::columns, i]) for i in range(3))
    spread = np.maximum(np.maximum(blue, green), red) - np.minimum(np.minimum(blue, green), red)
    if spread.any():
        return True if (spread >= COLOURED).mean() >= SHARE else None
    blue, green, red = cv2.split(picture)
    if int(green.max()) - int(green.min()) < CONTRAST:
        return None
    return False if np.array_equal(blue, green) and np.array_equal(green, red) else None
