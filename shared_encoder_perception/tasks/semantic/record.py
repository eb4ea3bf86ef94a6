# SPDX-License-Identifier: Apache-2.0
"""Classes in lines of JSON: what ``predict`` and ``replay`` write of them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from shared_encoder_perception.drawing.pictures import as_png
from shared_encoder_perception.files.data_paths import write_new
from shared_encoder_perception.images.preprocess import Crop
from shared_encoder_perception.tasks.semantic.answer import SemanticMask
from shared_encoder_perception.tasks.semantic.metric import SECTION, Metric

KEY: Final = "semantic"
SHARES: Final = "class_shares"
FOLDER: Final = "semantic"
FILES: Final = {KEY: FOLDER}
DETECTABLE: Final[Sequence[str]] = ()
DECIMALS: Final = 4


def detected(answer: SemanticMask) -> list[str]:
    """Return nothing: every pixel is something."""
    return []


def prediction(answer: SemanticMask, out: Path, picture: Path) -> dict[str, Any]:
    """Write the ids, and return ``{"semantic": "semantic/....png", "class_shares": {...}}``."""
    path = FOLDER / picture
    write_new(out, path, as_png(answer.ids))
    whole = Crop(0, 0, answer.ids.shape[1], answer.ids.shape[0])
    return {KEY: path.as_posix(), SHARES: _shares(answer, answer.seen(whole))}


def result(answer: SemanticMask, crop: Crop) -> dict[str, Any]:
    """Return how much of what the network saw each class covers, and how sure that is."""
    seen = answer.seen(crop)
    sure = float(answer.confidence[seen.window].mean()) / 255
    return {KEY: {"shares": _shares(answer, seen), "mean_confidence": round(sure, DECIMALS)}}


def scores(counted: Metric) -> dict[str, Any]:
    """Return the mean IoU of one image; ``None`` without a label."""
    miou = counted.compute()[SECTION]["miou"]
    return {"semantic_miou": None if math.isnan(miou) else round(miou, DECIMALS)}


def different(line: Mapping[str, Any], answer: SemanticMask, crop: Crop) -> Sequence[str]:
    """Compare the shares, which ids of a message have in common with a line, names or not."""
    said = sorted(line[KEY]["shares"].values())
    shares = sorted(_shares(answer, answer.seen(crop)).values())
    return [] if said == shares else [KEY]


def _shares(answer: SemanticMask, crop: Crop) -> dict[str, float]:
    """Return the share of each class that is seen at all."""
    ids = answer.ids[crop.window]
    counts = np.bincount(ids.ravel(), minlength=256)
    return {
        one.name: round(float(counts[one.id]) / ids.size, DECIMALS)
        for one in answer.classes
        if counts[one.id]
    }
