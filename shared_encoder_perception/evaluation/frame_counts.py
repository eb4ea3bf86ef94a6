# SPDX-License-Identifier: Apache-2.0
"""Everything that is counted of a group of images: ``Counts``, and what only evaluation shows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shared_encoder_perception import tasks
from shared_encoder_perception.evaluation.scorer import (
    Counts,
    by_task,
    count,
    in_order,
    joined,
    merge,
)
from shared_encoder_perception.images.preprocess import Crop
from shared_encoder_perception.labels.sample import Sample
from shared_encoder_perception.structures import Perception
from shared_encoder_perception.tasks.contract.scores import Scores


class FullCounts:
    """All metrics of one group of images.

    Attributes:
        basic: What training counts too.
        full: ``FullMetric`` of each task that was answered, labelled or not, by name.
    """

    def __init__(self) -> None:
        """Start empty."""
        self.basic = Counts()
        self.full: dict[str, Any] = {}

    def update(self, perception: Perception, sample: Sample, crop: Crop) -> None:
        """Add one image; arguments as of ``Counts.update``."""
        self.basic.update(perception, sample, crop)
        count(self.full, "FullMetric", perception, sample, crop)

    def merge(self, other: FullCounts) -> None:
        """Add everything another one has counted."""
        self.basic.merge(other.basic)
        merge(self.full, other.full, "FullMetric")

    def compute(self) -> Scores:
        """Return the scores: as ``Counts.compute``, and then the other sections of each task."""
        beside = joined(metric.compute() for _, metric in in_order(self.full))
        basic = self.basic.compute()
        return {**basic, **{key: value for key, value in beside.items() if key not in basic}}


def full_headline(by_source: Mapping[str, FullCounts]) -> dict[str, float]:
    """Return what evaluation adds to ``Scorer.summary``, of all sources together."""
    found: dict[str, float] = {}
    metrics = by_task({source: counts.full for source, counts in by_source.items()})
    for name, group in metrics.items():
        found |= tasks.part(name, "metric").full_headline(group)
    return found
