# SPDX-License-Identifier: Apache-2.0
"""Scores of many images, by source: what training, evaluation and comparison count alike."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from shared_encoder_perception import tasks
from shared_encoder_perception.images.preprocess import Crop, default_crop
from shared_encoder_perception.labels.sample import Sample
from shared_encoder_perception.structures import Perception, Size
from shared_encoder_perception.tasks.contract.scores import CALIBRATION, Scores


class Counts:
    """The metric of each task, of one group of images.

    Attributes:
        metrics: ``Metric`` of each task that was answered, labelled or not, by name.
    """

    def __init__(self) -> None:
        """Start empty."""
        self.metrics: dict[str, Any] = {}

    def update(self, perception: Perception, sample: Sample, crop: Crop) -> None:
        """Add one image; labels are scored inside the crop only: the network sees nothing else.

        Args:
            perception: What was predicted, in pixels of ``sample.image``.
            sample: The labels; what is not labelled is not scored.
            crop: What the network saw.
        """
        count(self.metrics, "Metric", perception, sample, crop)

    def merge(self, other: Counts) -> None:
        """Add everything another one has counted."""
        merge(self.metrics, other.metrics, "Metric")

    def compute(self) -> Scores:
        """Return the scores: the sections of each task, and ``calibration``, which they share."""
        return joined(metric.compute() for _, metric in in_order(self.metrics))


class Scorer:
    """Counts of each source. They are pooled, so scorers can be merged."""

    def __init__(self, input_size: Size) -> None:
        """Start empty; ``input_size`` is the network's, for the crop where none is given."""
        self._input_size = input_size
        self._sources: dict[str, Counts] = {}

    def update(
        self, source: str, perception: Perception, sample: Sample, crop: Crop | None = None
    ) -> None:
        """Add one image.

        Args:
            source: Name of the group.
            perception: What was predicted, in pixels of ``sample.image``.
            sample: The labels.
            crop: What the network saw; by default ``default_crop``.
        """
        used = crop or default_crop(perception.image_size, self._input_size)
        self._sources.setdefault(source, Counts()).update(perception, sample, used)

    def add(self, source: str, counts: Counts) -> None:
        """Add what was counted elsewhere to a source."""
        self._sources.setdefault(source, Counts()).merge(counts)

    def merge(self, other: Scorer) -> None:
        """Add everything another scorer has counted."""
        for source, counts in other._sources.items():
            self.add(source, counts)

    def compute(self) -> dict[str, Scores]:
        """Return the scores of each source, as ``Counts.compute``."""
        return {source: counts.compute() for source, counts in sorted(self._sources.items())}

    def summary(self) -> dict[str, float]:
        """Return the headline numbers.

        Returns:
            Those numbers of each task that count for the score; ``score``, their mean as far as
            they are there; and the tasks' other numbers. NaN where nothing was labelled.
        """
        by_source = {source: counts.metrics for source, counts in self._sources.items()}
        found: dict[str, float] = {}
        scored: list[str] = []
        for name, metrics in by_task(by_source).items():
            room = tasks.part(name, "metric")
            found |= room.headline(metrics)
            scored += room.SCORE
        first = {key: found[key] for key in scored}
        return {**first, "score": _mean(first.values()), **found}


def count(
    metrics: dict[str, Any], kind: str, perception: Perception, sample: Sample, crop: Crop
) -> None:
    """Add one image to the metrics of each task that is answered (in place).

    Args:
        metrics: By task; those which lack are made.
        kind: ``"Metric"`` or ``"FullMetric"`` of the rooms' ``metric.py``.
        perception: As of ``Counts.update``, as what follows.
        sample: The labels.
        crop: What the network saw.
    """
    for name, room in tasks.parts("metric", perception.answers).items():
        if name not in metrics:
            metrics[name] = getattr(room, kind)()
        if name in sample.labels:
            answer, label = perception.answers[name], sample.labels[name]
            metrics[name].update(answer, label, perception.image_size, crop)


def merge(metrics: dict[str, Any], others: Mapping[str, Any], kind: str) -> None:
    """Add what others have counted, by task (in place); arguments as of ``count``."""
    for name, other in others.items():
        if name not in metrics:
            metrics[name] = getattr(tasks.part(name, "metric"), kind)()
        metrics[name].merge(other)


def in_order(by_name: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Return what is kept by task in the order of the table, whatever a model's order is."""
    return [(name, by_name[name]) for name in tasks.ROOMS if name in by_name]


def by_task(by_source: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Turn source -> task -> metric into task -> source -> metric; tasks in the table's order."""
    found: dict[str, dict[str, Any]] = {name: {} for name in tasks.ROOMS}
    for source, metrics in by_source.items():
        for name, metric in metrics.items():
            found[name][source] = metric
    return {name: metrics for name, metrics in found.items() if metrics}


def joined(parts: Iterable[Scores]) -> Scores:
    """Join the sections of several tasks; the one they share comes last."""
    found: Scores = {}
    shared: Scores = {}
    for sections in parts:
        shared |= sections.get(CALIBRATION, {})
        found |= {key: value for key, value in sections.items() if key != CALIBRATION}
    return {**found, CALIBRATION: shared} if shared else found


def _mean(values: Iterable[float]) -> float:
    """Mean of the values that are numbers, NaN without any."""
    numbers = [value for value in values if not math.isnan(value)]
    return sum(numbers) / len(numbers) if numbers else float("nan")
