# SPDX-License-Identifier: Apache-2.0
"""The drivable surface in lines of JSON: what ``predict`` and ``replay`` write of it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from shared_encoder_perception.drawing.pictures import as_png
from shared_encoder_perception.files.data_paths import write_new
from shared_encoder_perception.images.preprocess import Crop
from shared_encoder_perception.tasks.drivable.answer import DrivableMask
from shared_encoder_perception.tasks.drivable.metric import Metric
from shared_encoder_perception.tasks.masks.record import DECIMALS, area_and_confidence

KEY: Final = "mask"
FOLDER: Final = "masks"
FILES: Final = {KEY: FOLDER}
DETECTABLE: Final[Sequence[str]] = ()


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
    return {KEY: area_and_confidence(answer, crop)}


def scores(counted: Metric) -> dict[str, Any]:
    """Return the IoU of one image; ``None`` without a label, or where there is nothing."""
    iou = counted.mask.compute().iou
    return {"mask_iou": None if math.isnan(iou) else round(float(iou), DECIMALS)}


def different(line: Mapping[str, Any], answer: DrivableMask, crop: Crop) -> Sequence[str]:
    """Compare the area, which a mask of a message has in common with a line."""
    area = area_and_confidence(answer, crop)["area"]
    return [] if area == line[KEY]["area"] else [KEY]
