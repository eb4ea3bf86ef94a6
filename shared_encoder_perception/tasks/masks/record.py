# SPDX-License-Identifier: Apache-2.0
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

UNSURE: Final = (0.1, 0.9)
"""Probabilities between which a mask is unsure."""


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


def unsure_share(answer: Mask, crop: Crop) -> float:
    """Return the share of the pixels in a crop whose probability lies between ``UNSURE``."""
    seen = answer.probability[crop.window]
    low, high = (255 * value for value in UNSURE)
    return float(np.mean((seen > low) & (seen < high)))


def _histogram(answer: Mask, crop: Crop) -> NDArray[np.float64]:
    """Count the pixels (256,) of each probability in the part of a crop that was seen."""
    window = answer.seen(crop).window
    seen: NDArray[np.uint8] = np.ascontiguousarray(answer.probability[window])
    counts = cv2.calcHist([seen], [0], None, [256], [0, 256])
    return np.asarray(counts.ravel(), np.float64)
