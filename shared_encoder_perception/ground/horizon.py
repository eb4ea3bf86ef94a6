# SPDX-License-Identifier: Apache-2.0
"""Where a calibrated camera sees the horizon, and which crop puts it where networks like it."""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from shared_encoder_perception.ground.view import View
from shared_encoder_perception.structures import Crop, Size

BEST: Final = (0.02, 0.3)
"""Height of the horizon below the crop's top, as a share of the crop's height, between which the
shipped model answers alike; measured by ``evaluate --sweep`` (docs/evaluation.md)."""


def horizon_px(view: View) -> float | None:
    """Return the row in which the level horizon lies straight ahead; it may be outside.

    Returns:
        ``None`` where the camera cannot look there, such as straight down.
    """
    ahead = np.array((*view.ahead[:2], 0.0))
    length = float(np.linalg.norm(ahead))
    if length < 1e-6:
        return None
    row = float(view.pixels(ahead[None] / length)[0, 1])
    return row if math.isfinite(row) else None


def share(row_px: float, crop: Crop) -> float:
    """Return how far below the top of a crop a row lies, as a share of the crop's height."""
    return (row_px + 0.5 - crop.y) / crop.height


def better_crop(row_px: float, crop: Crop, image_size: Size) -> Crop | None:
    """Return the crop nearest to ``crop``, of its aspect ratio, that has the horizon well inside.

    Args:
        row_px: Row of the horizon in the image.
        crop: What the network sees now.
        image_size: ``(height, width)`` of the image.

    Returns:
        ``crop`` itself where nothing is wrong with it; ``None`` where the image has no better one.
    """
    low, high = BEST
    now = share(row_px, crop)
    if low <= now <= high:
        return crop
    wanted, row, rows = (low if now < low else high), row_px + 0.5, image_size[0]
    above, below = row / wanted, (rows - row) / (1.0 - wanted)
    height = math.floor(min(crop.height, above, below))
    width = round(crop.width * height / crop.height)
    if height < crop.height / 4:
        return None
    left = min(max(round(crop.x + (crop.width - width) / 2), 0), image_size[1] - width)
    top = min(max(round(row - wanted * height), 0), rows - height)
    return Crop(left, top, width, height)


def advice(row_px: float, crop: Crop, image_size: Size) -> str:
    """Say where the horizon is in what the network sees, and what to do if that is bad.

    Returns:
        Nothing where it lies well.
    """
    better = better_crop(row_px, crop, image_size)
    if better == crop:
        return ""
    low, high = BEST
    text = (
        f"the horizon lies {share(row_px, crop):.0%} below the top of what the network sees, "
        f"expected {low:.0%} to {high:.0%} of its height"
    )
    if better is None:
        return f"{text}: no crop of these images has it there, turn the camera"
    return f"{text}: input.crop:={list(better)} would have it there"
