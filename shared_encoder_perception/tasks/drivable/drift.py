"""How two models differ about the drivable surface: counts of an image, scores of their sums."""

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
    NEITHER,
    DriftTexts,
    Limit,
    SummedScore,
    Sums,
    Values,
)
from shared_encoder_perception.tasks.drivable.answer import DrivableMask
from shared_encoder_perception.tasks.drivable.metric import FullMetric, Metric
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

SHARES: Final = ("mask_iou", "boundary_f")
CALIBRATION: Final = "mask_calibration"
EDGES: Final = ("edge_right", "edge_said", "edge_found", "edge_labelled")
COLUMNS: Final = (
    *("intersection", "union", *EDGES),
    *image_columns(SHARES),
    *("area", "areas", "common", "united"),  # of the mask; against the other model's
    *reliability_columns(CALIBRATION),
)
MASK: Final = "mask"
THINGS: Final = None
TEXTS: Final = DriftTexts(
    whole="the mask",
    faults="one minus the IoU of the mask",
    apart="one minus the IoU of the masks",
)


def answer_counts(answer: DrivableMask, crop: Crop) -> dict[str, float]:
    """Count how much of what the network saw is drivable."""
    seen = answer.seen(crop).window
    return {"area": float((answer.binary()[seen] > 0).mean()), "areas": 1.0}


def label_counts(metric: Metric, full: FullMetric, shares: Mapping[str, float]) -> dict[str, float]:
    """Take the counts from the metrics of one image."""
    counts = {
        "intersection": float(metric.mask.intersection),
        "union": float(metric.mask.union),
    }
    counts |= dict(zip(EDGES, map(float, full.boundary.pixels), strict=True))
    # In pixels of a thousand, which keeps sums of many images exact; shares do not care.
    counts |= reliability_counts(CALIBRATION, metric.reliability.binned() / 1000.0)
    return counts | image_counts(shares)


def agreement_counts(one: DrivableMask, other: DrivableMask, crop: Crop) -> dict[str, float]:
    """Count the pixels that both, and that one of them calls drivable, where both saw them."""
    seen = other.seen(one.seen(crop)).window
    said, too = one.binary()[seen] > 0, other.binary()[seen] > 0
    return {"common": float((said & too).sum()), "united": float((said | too).sum())}


def apart(one: DrivableMask, other: DrivableMask, image_size: Size, crop: Crop) -> dict[str, float]:
    """Return one minus the IoU of the masks."""
    counts = agreement_counts(one, other, crop)
    union = counts["united"]
    return {MASK: float(1 - counts["common"] / union) if union else 0.0}


def words(answer: DrivableMask) -> tuple[str, ...]:
    """Return nothing: a picture says it."""
    return ()


def _mask_iou(sums: Sums) -> Values:
    """Return the mean over sources, since their conventions differ."""
    pairs = zip(sums.each("intersection"), sums.each("union"), strict=True)
    return mean([ratio(common, union) for common, union in pairs])


def _boundary_f(sums: Sums) -> Values:
    """Return the harmonic mean of precision and recall of the edge."""
    precision = ratio(sums["edge_right"], sums["edge_said"])
    recall = ratio(sums["edge_found"], sums["edge_labelled"])
    both = np.nan_to_num(precision) + np.nan_to_num(recall)
    score = np.where(both > 0, 2 * precision * recall / both, 0.0)
    nothing = np.isnan(precision) & np.isnan(recall)
    return np.where(nothing, np.nan, np.nan_to_num(score))


SCORES: Final = (
    SummedScore("mask_iou", HIGHER, _mask_iou, limit=Limit(0.01), place=0, glance=True),
    SummedScore("boundary_f", HIGHER, _boundary_f, limit=Limit(0.02), place=10),
    SummedScore(
        "mask_ece",
        LOWER,
        calibration_error(CALIBRATION),
        limit=Limit(0.02, significant=True),
        place=30,
    ),
    SummedScore("image/mask_iou", HIGHER, image_mean("mask_iou"), limit=Limit(0.01), place=40),
    SummedScore("image/boundary_f", HIGHER, image_mean("boundary_f"), place=40),
    SummedScore("mask/area", NEITHER, share("area", "areas"), place=50),
    SummedScore(
        f"{AGREEMENT}mask_iou",
        HIGHER,
        share("common", "united"),
        perfect=1.0,
        limit=Limit(0.1),
        place=90,
        glance=True,
    ),
)
