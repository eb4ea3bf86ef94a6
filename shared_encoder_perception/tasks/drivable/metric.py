# SPDX-License-Identifier: Apache-2.0
"""How right the drivable surface is: what training validates by, and what ``evaluate`` adds."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Final

from shared_encoder_perception.images.preprocess import Crop
from shared_encoder_perception.structures import Size
from shared_encoder_perception.tasks.contract.scores import CALIBRATION, FrameScores, Scores
from shared_encoder_perception.tasks.drivable.answer import DrivableMask
from shared_encoder_perception.tasks.drivable.labels import Label
from shared_encoder_perception.tasks.drivable.road_scores import RoadScores
from shared_encoder_perception.tasks.masks.area import MaskMetric
from shared_encoder_perception.tasks.masks.boundary import BoundaryMetric
from shared_encoder_perception.tasks.masks.reliability import MaskReliability

SECTION: Final = "mask"
SCORE: Final = ("mask_iou",)
COLUMNS: Final = ("mask_iou", "boundary_f")


class Metric:
    """Area and confidence inside the crop: the network sees nothing else.

    Attributes:
        mask: Intersection over union.
        reliability: Of the pixels' probability.
    """

    def __init__(self) -> None:
        """Start empty."""
        self.mask = MaskMetric()
        self.reliability = MaskReliability()

    def update(self, answer: DrivableMask, label: Label, image_size: Size, crop: Crop) -> None:
        """Add one image; see ``contract.scores.Metric``."""
        seen = answer.seen(crop).window
        truth = label.mask[seen]
        self.mask.update(answer.binary()[seen], truth)
        self.reliability.update(answer.probability[seen], truth)

    def merge(self, other: Metric) -> None:
        """Add everything another one has counted."""
        self.mask.merge(other.mask)
        self.reliability.merge(other.reliability)

    def compute(self) -> Scores:
        """Return ``{"mask": MaskScore as dict, "calibration": {"mask": Reliability as dict}}``."""
        return {
            SECTION: asdict(self.mask.compute()),
            CALIBRATION: {SECTION: self.reliability.compute()},
        }


class FullMetric:
    """The surface's edge, and what all thresholds make of the probabilities.

    Attributes:
        boundary: Counts the edge's pixels.
        road: As KITTI's road benchmark scores.
    """

    def __init__(self) -> None:
        """Start empty."""
        self.boundary, self.road = BoundaryMetric(), RoadScores()

    def update(self, answer: DrivableMask, label: Label, image_size: Size, crop: Crop) -> None:
        """Add one image; see ``contract.scores.Metric``."""
        seen = answer.seen(crop)
        self.boundary.update(answer.binary()[seen.window], label.mask[seen.window])
        self.road.update(answer.probability, label, seen)

    def merge(self, other: FullMetric) -> None:
        """Add everything another one has counted."""
        self.boundary.merge(other.boundary)
        self.road.merge(other.road)

    def compute(self) -> Scores:
        """Return ``{"boundary": as BoundaryMetric.compute, "road": as RoadScores.compute}``."""
        return {"boundary": self.boundary.compute(), "road": self.road.compute()}


def headline(by_source: Mapping[str, Metric]) -> dict[str, float]:
    """Return ``mask_iou``: the mean over sources, since their conventions differ; NaN without."""
    each = [metric.mask.compute().iou for metric in by_source.values()]
    known = [iou for iou in each if not math.isnan(iou)]
    return {"mask_iou": sum(known) / len(known) if known else math.nan}


def shipped_scores(scores: Scores) -> dict[str, float]:
    """Return the IoU."""
    return {"mask_iou": scores[SECTION]["iou"]}


def full_headline(by_source: Mapping[str, FullMetric]) -> dict[str, float]:
    """Return ``boundary_f``, all sources pooled."""
    pooled = BoundaryMetric()
    for metric in by_source.values():
        pooled.merge(metric.boundary)
    return {"boundary_f": pooled.compute()["boundary_f"]}


def record(answer: DrivableMask, counted: FullMetric) -> FrameScores:
    """Return what one image scored; its faults are one minus the IoU."""
    scores = counted.boundary.compute()
    iou = scores["iou"]
    scored = not math.isnan(iou)
    shares = {"mask_iou": iou, "boundary_f": scores["boundary_f"]}
    words = (f"mask IoU {iou:.3f}",) if scored else ()
    return FrameScores(shares, 1 - iou if scored else 0.0, scored, words, shares)
