# SPDX-License-Identifier: Apache-2.0
"""How right the classes are: what training validates by, and what ``evaluate`` adds."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.images.preprocess import Crop
from shared_encoder_perception.structures import Size
from shared_encoder_perception.tasks.contract.scores import CALIBRATION, FrameScores, Scores
from shared_encoder_perception.tasks.reliability import BINS, bin_of, reliability_of
from shared_encoder_perception.tasks.semantic.answer import SemanticMask
from shared_encoder_perception.tasks.semantic.classes import UNLABELLED, Table
from shared_encoder_perception.tasks.semantic.confusion import counted, scores_of
from shared_encoder_perception.tasks.semantic.instances import InstanceScores
from shared_encoder_perception.tasks.semantic.label import Label, in_table

SECTION: Final = "semantic"
SCORE: Final = ("semantic_miou",)
COLUMNS: Final = ("semantic_miou", "pixel_accuracy")


class Metric:
    """Confusion of classes inside the crop, and whether confidence comes true.

    Labels of another table are compared by the names of its classes; what the model has no class
    for is not scored.

    Attributes:
        classes: The table of the answers; empty until there is one.
        matrix: (C, C + 1) as of ``confusion.counted``.
        images_with: (C,) images that show the class.
        images: Images scored.
        stated: (2, 256) pixels that were wrong, and that were right, by the confidence stated.
    """

    def __init__(self) -> None:
        """Start empty."""
        self.classes: Table = ()
        self.matrix = np.zeros((0, 1), np.int64)
        self.images_with = np.zeros(0, np.int64)
        self.images = 0
        self.stated = np.zeros((2, 256), np.int64)

    def update(self, answer: SemanticMask, label: Label, image_size: Size, crop: Crop) -> None:
        """Add one image; see ``contract.scores.Metric``.

        Raises:
            ValueError: The answer is of another table than those before.
        """
        table = answer.classes or label.classes
        self._of(table)
        window = answer.seen(crop).window
        truth = in_table(label, table)[window]
        said, confidence = answer.ids[window], answer.confidence[window]
        matrix = counted(said, truth, len(table))
        self.matrix += matrix
        shown = matrix.sum(axis=1) > 0
        self.images_with += shown
        self.images += bool(shown.any())
        labelled = (truth != UNLABELLED) & (said != UNLABELLED)
        right = labelled & (truth == said)
        for row, which in enumerate((labelled & ~right, right)):
            self.stated[row] += np.bincount(confidence[which], minlength=256)

    def merge(self, other: Metric) -> None:
        """Add everything another one has counted."""
        if not other.classes:
            return
        self._of(other.classes)
        self.matrix += other.matrix
        self.images_with += other.images_with
        self.images += other.images
        self.stated += other.stated

    def _of(self, table: Table) -> None:
        """Take a table, or refuse another one."""
        if not self.classes:
            self.classes = table
            self.matrix = np.zeros((len(table), len(table) + 1), np.int64)
            self.images_with = np.zeros(len(table), np.int64)
        elif self.classes != table:
            raise ValueError("answers have different tables of classes: score them apart")

    def binned(self) -> NDArray[np.float64]:
        """Return (BINS, 3): statements, the sum of their confidence, how many were right."""
        stated = np.arange(256) / 255.0
        count = self.stated.sum(axis=0)
        sums = (count, count * stated, self.stated[1])
        return np.stack([np.bincount(bin_of(stated), values, BINS) for values in sums], axis=1)

    def compute(self) -> Scores:
        """Return ``{"semantic": as scores_of, and images, "calibration": {"semantic": ...}}``."""
        scores: dict[str, Any] = scores_of(self.matrix, self.images_with, self.classes)
        reliability = asdict(reliability_of(*self.binned().T))
        return {
            SECTION: {**scores, "images": self.images},
            CALIBRATION: {SECTION: reliability},
        }


class FullMetric(Metric):
    """The matrix itself, for people to see which class is taken for which; and objects.

    Attributes:
        objects: iIoU, of the images whose labels tell objects apart.
    """

    def __init__(self) -> None:
        """Start empty."""
        super().__init__()
        self.objects = InstanceScores()

    def update(self, answer: SemanticMask, label: Label, image_size: Size, crop: Crop) -> None:
        """Add one image; see ``Metric.update``."""
        super().update(answer, label, image_size, crop)
        if label.instances is not None:
            truth, window = in_table(label, self.classes), answer.seen(crop).window
            self.objects.update(answer.ids, truth, label.instances, window, self.classes)

    def merge(self, other: Metric) -> None:
        """Add everything another one has counted."""
        super().merge(other)
        if isinstance(other, FullMetric):
            self.objects.merge(other.objects)

    def compute(self) -> Scores:
        """Return ``{"confusion": {"names": [...], "counts": [[...]]}, "instances": {...}}``.

        Rows of the counts are labels; ``instances`` is as of ``InstanceScores.compute``.
        """
        names = [one.name for one in self.classes]
        confusion = {"names": names, "counts": self.matrix.tolist()}
        return {"confusion": confusion, "instances": self.objects.compute()}


def headline(by_source: Mapping[str, Metric]) -> dict[str, float]:
    """Return ``semantic_miou``: the mean over sources, since their conventions differ."""
    each = [metric.compute()[SECTION]["miou"] for metric in by_source.values()]
    known = [iou for iou in each if not math.isnan(iou)]
    return {"semantic_miou": sum(known) / len(known) if known else math.nan}


def shipped_scores(scores: Scores) -> dict[str, float]:
    """Return the mean IoU."""
    return {"semantic_miou": scores[SECTION]["miou"]}


def full_headline(by_source: Mapping[str, FullMetric]) -> dict[str, float]:
    """Return ``pixel_accuracy``, all sources pooled."""
    right = sum(int(np.trace(one.matrix)) for one in by_source.values())
    labelled = sum(int(one.matrix.sum()) for one in by_source.values())
    return {"pixel_accuracy": right / labelled if labelled else math.nan}


def record(answer: SemanticMask, full: FullMetric) -> FrameScores:
    """Return what one image scored; its faults are the share of wrong pixels."""
    scores = scores_of(full.matrix, full.images_with, full.classes)
    accuracy, miou = scores["pixel_accuracy"], scores["miou"]
    scored = not math.isnan(accuracy)
    shares = {"semantic_miou": miou, "pixel_accuracy": accuracy}
    words = (f"classes: IoU {miou:.3f}, {accuracy:.1%} of the pixels",) if scored else ()
    return FrameScores(shares, 1 - accuracy if scored else 0.0, scored, words, shares)
