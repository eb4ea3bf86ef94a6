"""Labels drawn on their picture."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.drawing.visualize import draw_line, tint_mask
from shared_encoder_perception.labels.view import Lanes
from shared_encoder_perception.tasks.drivable.labels import MASK_DRIVABLE, MASK_IGNORE


def draw_labels(
    image: NDArray[np.uint8], lanes: Lanes, mask: NDArray[np.uint8] | None
) -> NDArray[np.uint8]:
    """Return a copy of an image with its mask (ignored parts darkened) and its lanes.

    Args:
        image: (H, W, 3) uint8 BGR.
        lanes: As ``Sample.lanes``.
        mask: (H, W) uint8 of 255, 0 and 127 ignore, or ``None``.
    """
    canvas = image.copy()
    if mask is not None:
        canvas[mask == MASK_IGNORE] //= 2
        tint_mask(canvas, mask == MASK_DRIVABLE)
    for lane, points in lanes.items():
        if points is not None:
            draw_line(canvas, np.asarray(points, np.float32), lane, max(image.shape[1] / 800, 0.5))
    return canvas
