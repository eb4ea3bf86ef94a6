# SPDX-License-Identifier: Apache-2.0
"""How right lanes are: what training validates by, and what ``evaluate`` shows beside."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any, Final

from shared_encoder_perception.images.preprocess import Crop
from shared_encoder_perception.structures import Size
from shared_encoder_perception.tasks.contract.scores import CALIBRATION, FrameScores, Scores
from shared_encoder_perception.tasks.lanes.answer import LANE_NAMES, LaneId, Lanes, LaneStatus
from shared_encoder_perception.tasks.lanes.draw import LEGEND
from shared_encoder_perception.tasks.lanes.labels import Label, inside
from shared_encoder_perception.tasks.lanes.metrics.along import AlongMetric
from shared_encoder_perception.tasks.lanes.metrics.benchmarks import BenchmarkMetric
from shared_encoder_perception.tasks.lanes.metrics.confidence import LaneReliability
from shared_encoder_perception.tasks.lanes.metrics.lateral import LateralMetric
from shared_encoder_perception.tasks.lanes.metrics.range_bins import RangeBinMetric
from shared_encoder_perception.tasks.lanes.metrics.rows import LaneMetric

SECTION: Final = "lanes"
SCORE: Final = ("lane_accuracy", "lane_f1")
MAIN_LANES: Final = tuple(lane.label for lane in LaneId if not lane.is_split)
PRESENT, ABSENT, NOT_KNOWN = "present", "absent", "unknown"
PER_LANE: Final = ("label", "status", "confidence", "accuracy")
COLUMNS: Final = (
    *(f"{name}_{what}" for name in LANE_NAMES for what in PER_LANE),
    "tusimple_accuracy",
)
"""A lane's label is ``PRESENT``, ``ABSENT`` or ``NOT_KNOWN``; its status the name of the predicted
``LaneStatus``, lower case; its accuracy the share of the labelled rows that are right."""


class Metric:
    """Rows, detections and confidence, inside the crop: the network sees nothing else.

    Attributes:
        lanes: Rows and detections.
        reliability: Of the lines' confidence.
    """

    def __init__(self) -> None:
        """Start empty."""
        self.lanes = LaneMetric()
        self.reliability = LaneReliability()

    def update(self, answer: Lanes, label: Label, image_size: Size, crop: Crop) -> None:
        """Add one image; see ``contract.scores.Metric``."""
        truth = inside(label, crop).lines
        self.lanes.update(answer, truth, image_size[1])
        self.reliability.update(answer, truth, image_size[1])

    def merge(self, other: Metric) -> None:
        """Add everything another one has counted."""
        self.lanes.merge(other.lanes)
        self.reliability.merge(other.reliability)

    def compute(self) -> Scores:
        """Return the scores.

        Returns:
            ``{"lanes": {lane: LaneScore as dict}, "calibration": {"lanes": as
            LaneReliability.compute}}``.
        """
        return {
            SECTION: {name: asdict(value) for name, value in self.lanes.compute().items()},
            CALIBRATION: {SECTION: self.reliability.compute()},
        }


class FullMetric:
    """As the public benchmarks count, and how far beside and beyond lines run.

    The benchmarks see the whole label, everything else is scored inside the crop.

    Attributes:
        lanes: As of ``Metric``, for the record of a single image.
        benchmarks: TuSimple's and CULane's.
        lateral: Distance in lane widths, and over-reach.
        ranges: The same by range.
        along: Where along lines their wrong rows are.
    """

    def __init__(self) -> None:
        """Start empty."""
        self.lanes = LaneMetric()
        self.benchmarks = BenchmarkMetric()
        self.lateral = LateralMetric()
        self.ranges = RangeBinMetric()
        self.along = AlongMetric()

    def update(self, answer: Lanes, label: Label, image_size: Size, crop: Crop) -> None:
        """Add one image; see ``contract.scores.Metric``."""
        truth = inside(label, crop).lines
        self.lanes.update(answer, truth, image_size[1])
        self.lateral.update(answer, truth)
        self.ranges.update(answer, truth, image_size[1])
        self.along.update(answer, truth, image_size[1])
        self.benchmarks.update(answer, label.lines, image_size, crop)

    def merge(self, other: FullMetric) -> None:
        """Add everything another one has counted."""
        self.lanes.merge(other.lanes)
        self.benchmarks.merge(other.benchmarks)
        self.lateral.merge(other.lateral)
        self.ranges.merge(other.ranges)
        self.along.merge(other.along)

    def compute(self) -> Scores:
        """Return ``"tusimple"``, ``"culane"``, ``"lateral"``, ``"ranges"`` and ``"along"``."""
        return {
            **self.benchmarks.compute(),
            "lateral": self.lateral.compute(),
            "ranges": self.ranges.compute(),
            "along": self.along.compute(),
        }


def headline(by_source: Mapping[str, Metric]) -> dict[str, float]:
    """Return rows right and detection F1, all sources pooled.

    Returns:
        ``lane_accuracy`` and ``lane_f1``, means over ego and its neighbours as far as labelled, and
        both of each labelled lane: ``"ego/accuracy"``, ``"ego/f1"``. NaN without labels.
    """
    pooled = LaneMetric()
    for metric in by_source.values():
        pooled.merge(metric.lanes)
    lanes = pooled.compute()
    found = {
        "lane_accuracy": _mean(lanes[name].valid_row_accuracy for name in MAIN_LANES),
        "lane_f1": _mean(lanes[name].f1 for name in MAIN_LANES if lanes[name].labelled),
    }
    for name in LANE_NAMES:
        if lanes[name].labelled:
            found[f"{name}/accuracy"] = lanes[name].valid_row_accuracy
            found[f"{name}/f1"] = lanes[name].f1
    return found


def shipped_scores(scores: Scores) -> dict[str, float]:
    """Return rows right and F1 of each lane."""
    return {
        f"{lane}_{key}": value[key]
        for lane, value in scores[SECTION].items()
        for key in ("valid_row_accuracy", "f1")
    }


def full_headline(by_source: Mapping[str, FullMetric]) -> dict[str, float]:
    """Return the benchmarks' scores, all sources pooled."""
    pooled = BenchmarkMetric()
    for metric in by_source.values():
        pooled.merge(metric.benchmarks)
    scores = pooled.compute()
    tusimple = {f"tusimple_{key}": scores["tusimple"][key] for key in ("accuracy", "fp", "fn")}
    return {**tusimple, "culane_f1": scores["culane"]["f1"]}


def record(answer: Lanes, counted: FullMetric) -> FrameScores:
    """Return what one image scored.

    Its faults: over its labelled lanes the share of rows that are wrong, 1 for a false alarm.
    """
    cells: dict[str, Any] = {}
    words, known, faults, scored = [], [], 0.0, False
    for name, score in counted.lanes.compute().items():
        lane = LaneId(LANE_NAMES.index(name))
        line = answer[lane]
        label = PRESENT if score.labelled else ABSENT if score.absent else NOT_KNOWN
        status, accuracy = line.status.name.lower(), score.valid_row_accuracy
        cells |= {
            f"{name}_{what}": value
            for what, value in zip(
                PER_LANE, (label, status, line.confidence, accuracy), strict=True
            )
        }
        detected = line.status is not LaneStatus.NOT_DETECTED
        if label == PRESENT:
            known.append(accuracy)
            shown = f"{accuracy:.2f}" if detected else "missed"
            words.append(f"{LEGEND[lane]} {shown}")
        elif label == ABSENT and detected:
            words.append(f"{LEGEND[lane]} false alarm")
        faults += 1 - accuracy if score.labelled else float(score.false_alarms)
        scored |= label == PRESENT
    cells["tusimple_accuracy"] = counted.benchmarks.tusimple.compute()["accuracy"]
    shares = {"lane_accuracy": sum(known) / len(known) if known else math.nan}
    return FrameScores(cells, faults, scored, tuple(words), shares)


def _mean(values: Iterable[float]) -> float:
    """Mean of the values that are numbers, NaN without any."""
    numbers = [value for value in values if not math.isnan(value)]
    return sum(numbers) / len(numbers) if numbers else math.nan
