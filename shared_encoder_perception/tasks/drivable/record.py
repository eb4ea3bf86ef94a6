"""The drivable surface in lines of JSON: what ``predict`` and ``replay`` write of it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.drawing.pictures import as_png
from shared_encoder_perception.files.data_paths import write_new
from shared_encoder_perception.images.preprocess import Crop
from shared_encoder_perception.tasks.drivable.answer import DrivableMask
from shared_encoder_perception.tasks.drivable.metric import Metric

KEY: Final = "mask"
FOLDER: Final = "masks"
FILES: Final = {KEY: FOLDER}
DETECTABLE: Final[Sequence[str]] = ()
DECIMALS: Final = 4
SURENESS: Final = np.maximum(np.arange(256), 255 - np.arange(256)) / 255
"""How sure a mask is of a pixel with each probability, of being drivable or of not being."""


def detected(answer: DrivableMask) -> list[str]:
    """Return nothing: there is nearly always some drivable surface."""
    return []


def prediction(answer: DrivableMask, out: Path, picture: Path) -> dict[str, Any]:
    """Write the mask, see ``DrivableMask.values``, and return ``{"mask": "masks/....png"}``."""
    path = FOLDER / picture
    write_new(out, path, as_png(answer.values()))
    return {KEY: path.as_posix()}


def result(answer: DrivableMask, crop: Crop) -> dict[str, Any]:
    """Return how much of what the network saw is drivable, and how sure it is of that."""
    histogram = _histogram(answer, crop)
    sureness = float(histogram @ SURENESS / histogram.sum())
    area = _area(histogram, answer.threshold)
    return {KEY: {"area": area, "mean_confidence": round(sureness, DECIMALS)}}


def scores(counted: Metric) -> dict[str, Any]:
    """Return the IoU of one image; ``None`` without a label, or where there is nothing."""
    iou = counted.mask.compute().iou
    return {"mask_iou": None if math.isnan(iou) else round(float(iou), DECIMALS)}


def different(line: Mapping[str, Any], answer: DrivableMask, crop: Crop) -> Sequence[str]:
    """Compare the area, which a mask of a message has in common with a line."""
    area = _area(_histogram(answer, crop), answer.threshold)
    return [] if area == line[KEY]["area"] else [KEY]


def _histogram(answer: DrivableMask, crop: Crop) -> NDArray[np.float64]:
    """Count the pixels (256,) of each probability in the part of a crop that was seen."""
    window = answer.seen(crop).window
    seen: NDArray[np.uint8] = np.ascontiguousarray(answer.probability[window])
    counts = cv2.calcHist([seen], [0], None, [256], [0, 256])
    return np.asarray(counts.ravel(), np.float64)


def _area(histogram: NDArray[np.float64], threshold: int) -> float:
    """Return the share of drivable pixels."""
    return round(float(histogram[threshold:].sum() / histogram.sum()), DECIMALS)
