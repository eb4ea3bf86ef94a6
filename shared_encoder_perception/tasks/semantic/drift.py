# SPDX-License-Identifier: Apache-2.0
"""How two models differ about classes: counts of an image, scores of their sums."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np

from shared_encoder_perception.images.preprocess import Crop
from shared_encoder_perception.structures import Size
from shared_encoder_perception.tasks.contract.comparisons import (
    AGREEMENT,
    HIGHER,
    LOWER,
    DriftTexts,
    Limit,
    SummedScore,
    Sums,
    Values,
)
from shared_encoder_perception.tasks.semantic.answer import SemanticMask
from shared_encoder_perception.tasks.semantic.classes import MOST_CLASSES, UNLABELLED
from shared_encoder_perception.tasks.semantic.label import Label, in_table
from shared_encoder_perception.tasks.semantic.metric import FullMetric, Metric
from shared_encoder_perception.tasks.sums import (
    calibration_error,
    image_columns,
    image_counts,
    image_mean,
    mean,
    ratio,
    reliability_columns,
    reliability_counts,
    share,
)

SHARES: Final = ("semantic_miou", "pixel_accuracy")
CALIBRATION: Final = "semantic_calibration"
KINDS: Final = ("right", "union")
COLUMNS: Final = (
    *("class_pixels_right", "class_pixels"),
    *(f"class/{index}/{kind}" for index in range(MOST_CLASSES) for kind in KINDS),
    *image_columns(SHARES),
    *("class_pixels_same", "class_pixels_both"),
    *reliability_columns(CALIBRATION),
)
SEMANTIC: Final = "semantic"
THOUSAND: Final = 1000.0
"""Pixels are counted in thousands, which keeps sums of many images exact; shares do not care."""
THINGS: Final = None
TEXTS: Final = DriftTexts(
    whole="the classes",
    faults="the share of pixels of another class",
    apart="the share of pixels of another class",
    note="Classes of two models are compared by their names.",
)


def answer_counts(answer: SemanticMask, crop: Crop) -> dict[str, float]:
    """Return nothing: what is seen is no fault of a model."""
    return {}


def label_counts(metric: Metric, full: FullMetric, shares: Mapping[str, float]) -> dict[str, float]:
    """Take the counts from the metrics of one image."""
    matrix = metric.matrix
    right = np.diagonal(matrix)
    union = matrix.sum(axis=1) + matrix[:, :-1].sum(axis=0) - right
    counts = {
        "class_pixels_right": float(right.sum()) / THOUSAND,
        "class_pixels": float(matrix.sum()) / THOUSAND,
    }
    for index in np.flatnonzero(union):
        counts[f"class/{index}/right"] = float(right[index]) / THOUSAND
        counts[f"class/{index}/union"] = float(union[index]) / THOUSAND
    counts |= reliability_counts(CALIBRATION, metric.binned() / THOUSAND)
    return counts | image_counts(shares)


def agreement_counts(one: SemanticMask, other: SemanticMask, crop: Crop) -> dict[str, float]:
    """Count the pixels of which both say the same, of those that both saw."""
    window = other.seen(one.seen(crop)).window
    theirs = in_table(Label(other.ids, other.classes), one.classes)[window]
    said = one.ids[window]
    both = (said != UNLABELLED) | (theirs != UNLABELLED)
    same = both & (said == theirs)
    return {
        "class_pixels_same": float(same.sum()) / THOUSAND,
        "class_pixels_both": float(both.sum()) / THOUSAND,
    }


def apart(one: SemanticMask, other: SemanticMask, image_size: Size, crop: Crop) -> dict[str, float]:
    """Return the share of pixels of which they say different things."""
    counts = agreement_counts(one, other, crop)
    both = counts["class_pixels_both"]
    return {SEMANTIC: 1 - counts["class_pixels_same"] / both if both else 0.0}


def words(answer: SemanticMask) -> tuple[str, ...]:
    """Return nothing: a picture says it."""
    return ()


def _miou(sums: Sums) -> Values:
    """Return the mean over sources of the mean over classes of the IoU."""
    columns = [
        (sums.each(f"class/{index}/right"), sums.each(f"class/{index}/union"))
        for index in range(MOST_CLASSES)
        if np.any(sums[f"class/{index}/union"])
    ]
    if not columns:
        return np.full_like(np.asarray(sums["class_pixels"], np.float64), np.nan)
    sources = range(len(columns[0][0]))
    return mean([mean([ratio(right[s], union[s]) for right, union in columns]) for s in sources])


SCORES: Final = (
    SummedScore("semantic_miou", HIGHER, _miou, limit=Limit(0.01), place=0, glance=True),
    SummedScore(
        "pixel_accuracy",
        HIGHER,
        share("class_pixels_right", "class_pixels"),
        limit=Limit(0.01),
        place=10,
    ),
    SummedScore(
        "semantic_ece",
        LOWER,
        calibration_error(CALIBRATION),
        limit=Limit(0.02, significant=True),
        place=30,
    ),
    SummedScore("image/semantic_miou", HIGHER, image_mean("semantic_miou"), place=40),
    SummedScore("image/pixel_accuracy", HIGHER, image_mean("pixel_accuracy"), place=40),
    SummedScore(
        f"{AGREEMENT}classes",
        HIGHER,
        share("class_pixels_same", "class_pixels_both"),
        perfect=1.0,
        limit=Limit(0.1),
        place=90,
        glance=True,
    ),
)
