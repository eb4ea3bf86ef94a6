# SPDX-License-Identifier: Apache-2.0
"""How two models differ about a mask: counts of an image, scores of their sums."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from shared_encoder_perception.structures import Crop
from shared_encoder_perception.tasks.contract.comparisons import (
    AGREEMENT,
    HIGHER,
    LOWER,
    NEITHER,
    Limit,
    SummedScore,
    Sums,
    Values,
)
from shared_encoder_perception.tasks.masks.answer import Mask
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

CALIBRATION: Final = "mask_calibration"
EDGES: Final = ("edge_right", "edge_said", "edge_found", "edge_labelled")


def columns(shares: tuple[str, str]) -> tuple[str, ...]:
    """Return the columns of a task whose ``FrameScores.shares`` are those of area and edge."""
    return (
        *("intersection", "union", *EDGES),
        *image_columns(shares),
        *("area", "areas", "common", "united"),  # of the mask; against the other model's
        *reliability_columns(CALIBRATION),
    )


def answer_counts(answer: Mask, crop: Crop) -> dict[str, float]:
    """Count how much of what is known is "yes"."""
    said = answer.binary()[answer.seen(crop).window]
    return {"area": float((said > 0).mean()), "areas": 1.0} if said.size else {}


def label_counts(metric: Any, full: Any, shares: Mapping[str, float]) -> dict[str, float]:
    """Take the counts from the metrics of one image: ``mask``, ``reliability``, ``boundary``."""
    counts = {
        "intersection": float(metric.mask.intersection),
        "union": float(metric.mask.union),
    }
    counts |= dict(zip(EDGES, map(float, full.boundary.pixels), strict=True))
    # In pixels of a thousand, which keeps sums of many images exact; shares do not care.
    counts |= reliability_counts(CALIBRATION, metric.reliability.binned() / 1000.0)
    return counts | image_counts(shares)


def agreement_counts(one: Mask, other: Mask, crop: Crop) -> dict[str, float]:
    """Count the pixels of "yes" of both, and of one of them, where both know something."""
    seen = other.seen(one.seen(crop)).window
    said, too = one.binary()[seen] > 0, other.binary()[seen] > 0
    return {"common": float((said & too).sum()), "united": float((said | too).sum())}


def apart(one: Mask, other: Mask, crop: Crop) -> float:
    """Return one minus the IoU of two masks."""
    counts = agreement_counts(one, other, crop)
    union = counts["united"]
    return float(1 - counts["common"] / union) if union else 0.0


def _iou(sums: Sums) -> Values:
    """Return the mean over sources, since their conventions differ."""
    pairs = zip(sums.each("intersection"), sums.each("union"), strict=True)
    return mean([ratio(common, union) for common, union in pairs])


def _edge(sums: Sums) -> Values:
    """Return the harmonic mean of precision and recall of the edge."""
    precision = ratio(sums["edge_right"], sums["edge_said"])
    recall = ratio(sums["edge_found"], sums["edge_labelled"])
    both = np.nan_to_num(precision) + np.nan_to_num(recall)
    score = np.where(both > 0, 2 * precision * recall / both, 0.0)
    nothing = np.isnan(precision) & np.isnan(recall)
    return np.where(nothing, np.nan, np.nan_to_num(score))


def scores(name: str, area: str, edge: str) -> tuple[SummedScore, ...]:
    """Return the scores of a task.

    Args:
        name: Of its mask.
        area: Of its IoU, in files and among the shares of an image.
        edge: Likewise, of its edge.
    """
    return (
        SummedScore(area, HIGHER, _iou, limit=Limit(0.01), place=0, glance=True),
        SummedScore(edge, HIGHER, _edge, limit=Limit(0.02), place=10),
        SummedScore(
            f"{name}_ece",
            LOWER,
            calibration_error(CALIBRATION),
            limit=Limit(0.02, significant=True),
            place=30,
        ),
        SummedScore(f"image/{area}", HIGHER, image_mean(area), limit=Limit(0.01), place=40),
        SummedScore(f"image/{edge}", HIGHER, image_mean(edge), place=40),
        SummedScore(f"{name}/area", NEITHER, share("area", "areas"), place=50),
        SummedScore(
            f"{AGREEMENT}{area}",
            HIGHER,
            share("common", "united"),
            perfect=1.0,
            limit=Limit(0.1),
            place=90,
            glance=True,
        ),
    )
