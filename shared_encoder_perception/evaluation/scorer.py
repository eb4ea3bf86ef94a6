"""Scores of many images, by source: what training, evaluation and comparison count alike."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.evaluation.calibration import CalibrationMetric
from shared_encoder_perception.evaluation.metrics import LaneMetric, MaskMetric
from shared_encoder_perception.images.preprocess import Crop, default_crop
from shared_encoder_perception.labels.sample import Sample
from shared_encoder_perception.structures import Perception, Size
from shared_encoder_perception.tasks.lanes.answer import LANE_NAMES, LaneId

MAIN_LANES: Final = tuple(lane.label for lane in LaneId if not lane.is_split)


class Counts:
    """Lane, mask and calibration metrics of one group of images."""

    def __init__(self) -> None:
        """Start empty."""
        self.lanes = LaneMetric()
        self.mask = MaskMetric()
        self.calibration = CalibrationMetric()

    def update(self, perception: Perception, sample: Sample, crop: Crop) -> None:
        """Add one image; labels are scored inside the crop only: the network sees nothing else.

        Args:
            perception: What was predicted, in pixels of ``sample.image``.
            sample: The labels.
            crop: What the network saw.
        """
        lanes = lanes_inside(sample.lanes, crop)
        self.lanes.update(perception, lanes)
        self.calibration.update(perception, lanes)
        if sample.mask is None or perception.mask is None:
            return
        part = inside(crop)
        self.mask.update(perception.mask.binary()[part], sample.mask[part])
        self.calibration.update_mask(perception.mask.probability[part], sample.mask[part])

    def merge(self, other: Counts) -> None:
        """Add everything another one has counted."""
        self.lanes.merge(other.lanes)
        self.mask.merge(other.mask)
        self.calibration.merge(other.calibration)

    def compute(self) -> dict[str, Any]:
        """Return the scores.

        Returns:
            ``{"lanes": {lane: LaneScore as dict}, "mask": MaskScore as dict, "calibration": as
            CalibrationMetric.compute}``.
        """
        return {
            "lanes": {name: asdict(value) for name, value in self.lanes.compute().items()},
            "mask": asdict(self.mask.compute()),
            "calibration": self.calibration.compute(),
        }


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

    def compute(self) -> dict[str, dict[str, Any]]:
        """Return the scores of each source, as ``Counts.compute``."""
        return {source: counts.compute() for source, counts in sorted(self._sources.items())}

    def summary(self) -> dict[str, float]:
        """Return the headline numbers.

        Returns:
            ``lane_accuracy`` and ``lane_f1`` (rows right and detection F1 of all sources pooled,
            mean over ego and its neighbours as far as labelled), ``mask_iou`` (mean over sources,
            since their conventions differ), and ``score``, the mean of lane accuracy, lane F1 and
            mask IoU as far as they are there. NaN where nothing was labelled.
        """
        pooled = LaneMetric()
        for counts in self._sources.values():
            pooled.merge(counts.lanes)
        lanes = pooled.compute()
        summary = {
            "lane_accuracy": _mean(lanes[name].valid_row_accuracy for name in MAIN_LANES),
            "lane_f1": _mean(lanes[name].f1 for name in MAIN_LANES if lanes[name].labelled),
            "mask_iou": _mean(counts.mask.compute().iou for counts in self._sources.values()),
        }
        summary["score"] = _mean(summary.values())
        for name in LANE_NAMES:
            if lanes[name].labelled:
                summary[f"{name}/accuracy"] = lanes[name].valid_row_accuracy
                summary[f"{name}/f1"] = lanes[name].f1
        return summary


def inside(crop: Crop) -> tuple[slice, slice]:
    """Return the rows and columns of a crop, to cut images and masks with."""
    return np.s_[crop.y : crop.y + crop.height, crop.x : crop.x + crop.width]


def lanes_inside(
    lanes: Mapping[LaneId, NDArray | None], crop: Crop
) -> dict[LaneId, NDArray | None]:
    """Cut labelled lines to the crop; a line with less than two points in it is left out."""
    corner = (crop.x, crop.y)
    seen: dict[LaneId, NDArray | None] = {}
    for lane, points in lanes.items():
        if points is None:
            seen[lane] = None
            continue
        beyond = (crop.x + crop.width - 1, crop.y + crop.height - 1)
        kept = ((points >= corner) & (points <= beyond)).all(axis=1)
        if kept.sum() >= 2:
            seen[lane] = points[kept]
    return seen


def _mean(values: Iterable[float]) -> float:
    """Mean of the values that are numbers, NaN without any."""
    numbers = [value for value in values if not math.isnan(value)]
    return sum(numbers) / len(numbers) if numbers else float("nan")
