# SPDX-License-Identifier: Apache-2.0
"""How right the foreground is: what training validates by, and what ``evaluate`` adds."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.images.preprocess import Crop
from shared_encoder_perception.structures import Size
from shared_encoder_perception.tasks.contract.scores import CALIBRATION, FrameScores, Scores
from shared_encoder_perception.tasks.foreground.answer import ForegroundMask
from shared_encoder_perception.tasks.foreground.labels import Label
from shared_encoder_perception.tasks.masks.area import MaskMetric
from shared_encoder_perception.tasks.masks.boundary import BoundaryMetric
from shared_encoder_perception.tasks.masks.reliability import MaskReliability
from shared_encoder_perception.tasks.masks.values import NO, YES

SECTION: Final = "foreground"
EDGE: Final = "foreground_edge"
SCORE: Final = ("foreground_iou",)
COLUMNS: Final = ("foreground_iou", "foreground_edge_f1", "foreground_false_percent")
REACH_PX: Final = 2.0
"""Pixels of the image within which an edge counts as found."""


def shows_new(truth: NDArray[np.uint8]) -> bool:
    """Whether a labelled mask has anything new: a pair without has no IoU of its own."""
    return bool((truth == YES).any())


class Empty:
    """False pixels on pairs in which nothing is new.

    Attributes:
        pairs: How many.
        pixels: Of them, those called foreground, and those labelled.
    """

    def __init__(self) -> None:
        """Start empty."""
        self.pairs = 0
        self.pixels = np.zeros(2, np.int64)

    def update(self, said: NDArray[np.uint8], truth: NDArray[np.uint8]) -> None:
        """Add a pair, (H, W) uint8 each; nothing where something is new, or nothing known."""
        known = truth == NO
        if known.any() and not shows_new(truth):
            self.pairs += 1
            self.pixels += (int(((said > 0) & known).sum()), int(known.sum()))

    def merge(self, other: Empty) -> None:
        """Add the pairs of another one."""
        self.pairs += other.pairs
        self.pixels += other.pixels

    def percent(self) -> float:
        """Return how many pixels of a hundred are false; NaN without such a pair."""
        return 100.0 * float(self.pixels[0] / self.pixels[1]) if self.pixels[1] else math.nan


class Metric:
    """Area and confidence inside the crop, and false pixels where nothing is new.

    Attributes:
        mask: Intersection over union.
        reliability: Of the pixels' probability.
        empty: False pixels.
    """

    def __init__(self) -> None:
        """Start empty."""
        self.mask, self.reliability, self.empty = MaskMetric(), MaskReliability(), Empty()

    def update(self, answer: ForegroundMask, label: Label, image_size: Size, crop: Crop) -> None:
        """Add one image; see ``contract.scores.Metric``."""
        seen = answer.seen(crop).window
        said, truth = answer.binary()[seen], label.mask[seen]
        self.mask.update(said, truth, single=shows_new(truth))
        self.reliability.update(answer.probability[seen], truth)
        self.empty.update(said, truth)

    def merge(self, other: Metric) -> None:
        """Add everything another one has counted."""
        self.mask.merge(other.mask)
        self.reliability.merge(other.reliability)
        self.empty.merge(other.empty)

    def compute(self) -> Scores:
        """Return ``{"foreground": {...}, "calibration": {"foreground": Reliability as dict}}``.

        The first: a ``MaskScore``, ``empty_pairs`` and ``false_percent`` of their pixels.
        """
        more = {"empty_pairs": self.empty.pairs, "false_percent": self.empty.percent()}
        return {
            SECTION: {**asdict(self.mask.compute()), **more},
            CALIBRATION: {SECTION: self.reliability.compute()},
        }


class FullMetric:
    """The edges of what is new, within ``REACH_PX``.

    Attributes:
        boundary: Counts the edges' pixels, and the area of each image.
        empty: False pixels of pairs in which nothing is new.
    """

    def __init__(self) -> None:
        """Start empty."""
        self.boundary, self.empty = BoundaryMetric(reach_px=REACH_PX), Empty()

    def update(self, answer: ForegroundMask, label: Label, image_size: Size, crop: Crop) -> None:
        """Add one image; see ``contract.scores.Metric``."""
        seen = answer.seen(crop).window
        said, truth = answer.binary()[seen], label.mask[seen]
        self.boundary.update(said, truth, single=shows_new(truth))
        self.empty.update(said, truth)

    def merge(self, other: FullMetric) -> None:
        """Add everything another one has counted."""
        self.boundary.merge(other.boundary)
        self.empty.merge(other.empty)

    def compute(self) -> Scores:
        """Return ``{"foreground_edge": as BoundaryMetric.compute}``."""
        return {EDGE: self.boundary.compute()}


def headline(by_source: Mapping[str, Metric]) -> dict[str, float]:
    """Return ``foreground_iou``, the mean over sources, and ``foreground_false_percent``, pooled.

    NaN where nothing was counted.
    """
    each = [metric.mask.compute().iou for metric in by_source.values()]
    known = [iou for iou in each if not math.isnan(iou)]
    empty = Empty()
    for metric in by_source.values():
        empty.merge(metric.empty)
    return {
        "foreground_iou": sum(known) / len(known) if known else math.nan,
        "foreground_false_percent": empty.percent(),
    }


def shipped_scores(scores: Scores) -> dict[str, float]:
    """Return the IoU, and how many pixels of a hundred are false where nothing is."""
    said = scores[SECTION]
    return {"foreground_iou": said["iou"], "foreground_false_percent": said["false_percent"]}


def full_headline(by_source: Mapping[str, FullMetric]) -> dict[str, float]:
    """Return ``foreground_edge_f1``, all sources pooled."""
    pooled = BoundaryMetric(reach_px=REACH_PX)
    for metric in by_source.values():
        pooled.merge(metric.boundary)
    return {"foreground_edge_f1": pooled.compute()["boundary_f"]}


def record(answer: ForegroundMask, counted: FullMetric) -> FrameScores:
    """Return what one image scored; its faults are one minus the IoU, or what is false of it."""
    scores, false = counted.boundary.compute(), counted.empty.percent()
    iou, edge = scores["iou"], scores["boundary_f"]
    empty = not math.isnan(false)
    cells = dict(zip(COLUMNS, (math.nan if empty else iou, edge, false), strict=True))
    shares = {name: cells[name] for name in COLUMNS[:2]}
    if empty:
        return FrameScores(cells, false / 100, True, (f"false {false:.2f} %",), shares)
    scored = not math.isnan(iou)
    words = (f"foreground IoU {iou:.3f}",) if scored else ()
    return FrameScores(cells, 1 - iou if scored else 0.0, scored, words, shares)
