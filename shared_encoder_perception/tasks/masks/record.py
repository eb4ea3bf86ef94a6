"""How much of what the network saw a mask covers, and how sure it is: for lines of JSON."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.structures import Crop
from shared_encoder_perception.tasks.masks.answer import Mask

DECIMALS: Final = 4
SURENESS: Final = np.maximum(np.arange(256), 255 - np.arange(256)) / 255
"""How sure a mask is of a pixel with each probability, of yes or of no."""


def area_and_confidence(answer: Mask, crop: Crop, decimals: int = DECIMALS) -> dict[str, float]:
    """Return ``area``, the share of what the network saw that is "yes", and ``mean_confidence``.

    NaN where it saw nothing.
    """
    histogram = _histogram(answer, crop)
    seen = histogram.sum()
    if not seen:
        return {"area": float("nan"), "mean_confidence": float("nan")}
    area = histogram[answer.threshold :].sum() / seen
    sureness = float(histogram @ SURENESS / seen)
    return {"area": round(float(area), decimals), "mean_confidence": round(sureness, DECIMALS)}


def _histogram(answer: Mask, crop: Crop) -> NDArray[np.float64]:
    """Count the pixels (256,) of each probability in the part of a crop that was seen."""
    window = answer.seen(crop).window
    seen: NDArray[np.uint8] = np.ascontiguousarray(answer.probability[window])
    counts = cv2.calcHist([seen], [0], None, [256], [0, 256])
    return np.asarray(counts.ravel(), np.float64)
