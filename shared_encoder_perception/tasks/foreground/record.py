# SPDX-License-Identifier: Apache-2.0
"""The foreground in lines of JSON: what ``predict`` and ``replay`` write of it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from shared_encoder_perception.drawing.pictures import as_png
from shared_encoder_perception.files.data_paths import write_new
from shared_encoder_perception.images.preprocess import Crop
from shared_encoder_perception.tasks.foreground.answer import ForegroundMask
from shared_encoder_perception.tasks.foreground.metric import Metric
from shared_encoder_perception.tasks.masks.record import DECIMALS, area_and_confidence

KEY: Final = "foreground"
FOLDER: Final = "foregrounds"
FILES: Final = {KEY: FOLDER}
DETECTABLE: Final = ("something_new",)
FINER: Final = 6
"""Decimals of an area: a person far away is one pixel in ten thousand."""


def detected(answer: ForegroundMask) -> Sequence[str]:
    """Return whether anything is new."""
    return DETECTABLE if answer.known and answer.binary().any() else ()


def prediction(answer: ForegroundMask, out: Path, picture: Path) -> dict[str, Any]:
    """Write the mask, see ``Mask.values``, and return ``{"foreground": "foregrounds/....png"}``."""
    path = FOLDER / picture
    write_new(out, path, as_png(answer.values()))
    return {KEY: path.as_posix()}


def result(answer: ForegroundMask, crop: Crop) -> dict[str, Any]:
    """Return how much of what the network saw is new, and how sure it is; ``null`` if not known."""
    said = area_and_confidence(answer, crop, FINER)
    return {KEY: {name: None if math.isnan(value) else value for name, value in said.items()}}


def scores(counted: Metric) -> dict[str, Any]:
    """Return the IoU of one image; ``None`` without a label, or where nothing is new."""
    iou = counted.mask.compute().iou
    return {"foreground_iou": None if math.isnan(iou) else round(float(iou), DECIMALS)}


def different(line: Mapping[str, Any], answer: ForegroundMask, crop: Crop) -> Sequence[str]:
    """Compare the area, which a mask of a message has in common with a line."""
    return [] if result(answer, crop)[KEY]["area"] == line[KEY]["area"] else [KEY]
