# SPDX-License-Identifier: Apache-2.0
"""One evaluation: a model, its baselines and every way to slice them, image by image.

    evaluation = Evaluation(images, spec.input_size, spec.tasks)
    evaluation.learn()
    for image in images.read():
        record = evaluation.update(image, predictor(image.sample.image, image.crop))
    evaluation.summary()

What is kept of an image are counts and a few numbers; pictures only of the best and the worst.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final

from shared_encoder_perception import tasks
from shared_encoder_perception.evaluation.baseline_answers import BASELINES, BaselineAnswers
from shared_encoder_perception.evaluation.frame_counts import FullCounts, full_headline
from shared_encoder_perception.evaluation.frame_record import FrameRecord, record_of
from shared_encoder_perception.evaluation.labelled_images import LabelledImage, LabelledSet, Labels
from shared_encoder_perception.evaluation.picked_frames import PickedFrames
from shared_encoder_perception.evaluation.scorer import Counts, Scorer
from shared_encoder_perception.evaluation.slices import rules, slices_of
from shared_encoder_perception.images.preprocess import Crop, default_crop
from shared_encoder_perception.structures import Perception, Size
from shared_encoder_perception.tasks.contract.reports import CONSTANT, MODEL

LATENCY: Final = "latency_ms"

Sliced = dict[str, dict[str, dict[str, Counts]]]
"""Way to slice -> slice -> ``MODEL`` or ``CONSTANT`` -> counts."""


class Evaluation:
    """Counts a model's answers beside those of the baselines.

    Attributes:
        baselines: What stands beside it.
        picked: The best and the worst frames.
        spreads: Number of an image whose histogram is of interest -> source -> its values.
    """

    def __init__(self, labelled: LabelledSet, input_size: Size, names: Collection[str]) -> None:
        """Start empty.

        Args:
            labelled: What is scored.
            input_size: The network's, for the crop where an image has none.
            names: Tasks that the model answers; the baselines answer no others.
        """
        self._labelled, self._input_size = labelled, input_size
        self.baselines = BaselineAnswers(names)
        self._counts: dict[str, dict[str, FullCounts]] = {MODEL: {}, **{b: {} for b in BASELINES}}
        self._rivals: dict[str, dict[str, Any]] = {}
        self._rooms = tasks.parts("rivals", names)
        self._slices: Sliced = {way: {} for way in rules()}
        self.picked = PickedFrames()
        self.spreads = {
            name: {source: array("d") for source in sorted(labelled.counts)}
            for name in (*_shares(names), LATENCY)
        }

    def learn(self, labels: Iterable[Labels] | None = None) -> None:
        """Learn what is usual, before the first image.

        Args:
            labels: By default ``labelled.learn()``; given to show progress.
        """
        self.baselines.learn(self._labelled.learn() if labels is None else labels)

    def update(self, image: LabelledImage, perception: Perception) -> FrameRecord:
        """Add one image.

        Args:
            image: The image and its labels.
            perception: What the model says of it.
        """
        sample, source, size = image.sample, image.source, perception.image_size
        crop = image.crop or default_crop(size, self._input_size)
        slices = slices_of(source, sample, image.attributes)
        answers = {
            name: self.baselines.answer(name, source, image.half, size) for name in BASELINES
        }
        counted = {}
        for name, answer in {MODEL: perception, **answers}.items():
            counted[name] = FullCounts()
            counted[name].update(answer, sample, crop)
            self._counts[name].setdefault(source, FullCounts()).merge(counted[name])
        self._rival(image, crop)
        for way, value in slices.items():
            groups = self._slices[way].setdefault(value, {MODEL: Counts(), CONSTANT: Counts()})
            for name, counts in groups.items():
                counts.merge(counted[name].basic)
        record = record_of(image.name, source, slices, perception, counted[MODEL])
        self._spread(record)
        self.picked.update(record, perception, sample, crop)
        return record

    def summary(self) -> dict[str, Any]:
        """Return everything that was counted; the same for the same answers on the same images.

        Returns:
            ``{"headline": {name: as Scorer.summary and full_headline}, "sources": {source: as
            FullCounts.compute}, "baselines": {name: {source: likewise}}, "slices": {way: {slice:
            {name: as Counts.compute}}}}`` with ``name`` of ``"model"``, ``"constant"`` and
            ``"empty"``.
        """
        computed = {name: _compute(groups) for name, groups in self._counts.items()}
        for source, metrics in self._rivals.items():
            for metric in metrics.values():
                computed[MODEL][source] |= metric.compute()
        return {
            "headline": {name: self._headline(name) for name in self._counts},
            "sources": computed.pop(MODEL),
            "baselines": computed,
            "slices": {
                way: {
                    value: {name: counts.compute() for name, counts in groups.items()}
                    for value, groups in sorted(values.items())
                }
                for way, values in self._slices.items()
            },
        }

    def _rival(self, image: LabelledImage, crop: Crop) -> None:
        """Let methods that learn nothing look at an image, too."""
        sample = image.sample
        for name, room in self._rooms.items():
            if name in sample.labels:
                metrics = self._rivals.setdefault(image.source, {})
                metric = metrics.setdefault(name, room.Metric())
                size = (sample.image.shape[0], sample.image.shape[1])
                metric.update(sample.image, sample.labels[name], size, crop)

    def _headline(self, name: str) -> dict[str, float]:
        """Return the scores of all sources together."""
        scorer, sources = Scorer(self._input_size), dict(sorted(self._counts[name].items()))
        for source, counts in sources.items():
            scorer.add(source, counts.basic)
        return {**scorer.summary(), **full_headline(sources)}

    def _spread(self, record: FrameRecord) -> None:
        """Keep the numbers of an image that histograms are drawn of: 8 bytes each."""
        numbers = {**record.shares, LATENCY: record.latency_ms}
        for name, values in self.spreads.items():
            value = numbers.get(name, math.nan)
            if not math.isnan(value):
                values[record.source].append(value)


def _compute(groups: Mapping[str, FullCounts]) -> dict[str, Any]:
    """Compute the scores of each source, by name."""
    return {source: counts.compute() for source, counts in sorted(groups.items())}


def _shares(names: Iterable[str]) -> list[str]:
    """Return the names of the shares that tasks want a histogram of."""
    return [
        share for room in tasks.parts("report", names).values() for share in room.REPORT.spreads
    ]
