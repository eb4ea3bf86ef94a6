# SPDX-License-Identifier: Apache-2.0
"""How right the ground is: what training validates by, and what ``evaluate`` adds.

Cells are pooled over all moments, and at the answer's own thresholds, 0.5 unless its model says
otherwise. "Within" a distance is from the vehicle's origin.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.tasks.contract.scores import CALIBRATION, FrameScores, Scores
from shared_encoder_perception.tasks.masks.reliability import MaskReliability
from shared_encoder_perception.tasks.masks.values import NOT_KNOWN
from shared_encoder_perception.tasks.surround.answer import MAPS, Surround
from shared_encoder_perception.tasks.surround.scores import (
    BINS,
    NEAR_CENTRES,
    Area,
    Centres,
    offset_errors,
    ratio,
)

if TYPE_CHECKING:
    from shared_encoder_perception.tasks.surround.target import Truth

SECTION: Final = "surround"
DISTANCES: Final = "surround_distances"
SCORE: Final = ("surround_vehicle_iou", "surround_drivable_iou")
COLUMNS: Final = (
    "surround_vehicle_iou",
    "surround_drivable_iou",
    "surround_centre_recall",
    "surround_centre_precision",
    "surround_answered",
    *(f"surround_{name}_iou_{where}" for name in MAPS for where in ("in_view", "hidden")),
)


class Metric:
    """Cells and centres in what is seen and known.

    Attributes:
        moments: Answers that were compared.
        area: By the name of the map.
        reliability: Of the cells' probability, likewise.
        centres: Of the vehicles.
        offset_m: Summed error of the offsets in true cells of vehicles, and their number.
    """

    def __init__(self) -> None:
        """Start empty."""
        self.moments = 0
        self.area = {name: Area() for name in MAPS}
        self.reliability = {name: MaskReliability() for name in MAPS}
        self.centres, self.offset_m = Centres(), np.zeros(2)

    def update(self, answer: Surround, truth: Truth) -> None:
        """Add one moment; see ``contract.rigs.RigMetric``.

        Raises:
            ValueError: The two are of different cells.
        """
        self.moments += 1
        for name in MAPS:
            label, said = getattr(truth, name), getattr(answer, name)
            self.area[name].update(answer, name, label, getattr(truth, f"{name}_in_view"))
            if said is not None:
                known = np.where(answer.seen, label, NOT_KNOWN).astype(np.uint8)
                self.reliability[name].update(bytes_of(said), known)
        self.centres.update(answer, truth)
        self.offset_m = self.offset_m + offset_errors(answer, truth)

    def merge(self, other: Metric) -> None:
        """Add everything another one has counted."""
        self.moments += other.moments
        for name in MAPS:
            self.area[name].merge(other.area[name])
            self.reliability[name].merge(other.reliability[name])
        self.centres.merge(other.centres)
        self.offset_m = self.offset_m + other.offset_m

    def compute(self) -> Scores:
        """Return ``{"surround": {...}, "calibration": {"surround_vehicle": ..., ...}}``.

        IoU of each map, of all cells, near, in plain view and hidden, and the share of the cells
        that is hidden (NaN where nobody says what is); recall and precision of centres at 1 m, all
        and near; errors in metres; and the share of the known cells that is answered.
        """
        section: dict[str, Any] = {"moments": self.moments}
        near = slice(NEAR_CENTRES)
        for name, area in self.area.items():
            section[f"{name}_iou"] = area.iou
            section[f"{name}_iou_near"] = ratio(*area.near)
            section[f"{name}_iou_in_view"] = area.iou_in_view
            section[f"{name}_iou_hidden"] = area.iou_hidden
            section[f"{name}_hidden_share"] = area.hidden_share
            section[f"{name}_answered"] = ratio(*area.answered)
        section |= {
            "centre_recall": self.centres.recall(),
            "centre_precision": self.centres.precision(),
            "centre_recall_near": self.centres.recall(near),
            "centre_precision_near": self.centres.precision(near),
            "centre_error_m": ratio(*self.centres.error_m),
            "offset_error_m": ratio(*self.offset_m),
        }
        stated = {f"{SECTION}_{name}": one.compute() for name, one in self.reliability.items()}
        return {SECTION: section, CALIBRATION: stated}


class FullMetric(Metric):
    """The same by distance."""

    def compute(self) -> Scores:
        """Return ``{"surround_distances": {bin: {...}}}``."""
        return {
            DISTANCES: {
                name: {
                    **{f"{of}_iou": ratio(*area.bins[place]) for of, area in self.area.items()},
                    **{
                        f"{of}_iou_in_view": ratio(*area.in_view[place])
                        for of, area in self.area.items()
                    },
                    "centre_recall": self.centres.recall(slice(place, place + 1)),
                    "centre_precision": self.centres.precision(slice(place, place + 1)),
                    "vehicles": int(self.centres.there[place]),
                }
                for place, name in enumerate(BINS)
            }
        }


def bytes_of(probability: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return probabilities as 0 to 255, 0 for NaN."""
    return np.rint(255 * np.nan_to_num(probability)).astype(np.uint8)


def headline(by_source: Mapping[str, Metric]) -> dict[str, float]:
    """Return the IoU of each map: the mean over the sources that have it."""
    return {
        f"{SECTION}_{name}_iou": _mean([one.area[name].iou for one in by_source.values()])
        for name in MAPS
    }


def shipped_scores(scores: Scores) -> dict[str, float]:
    """Return the IoUs, and the recall of centres within 20 m."""
    names = ("vehicle_iou", "drivable_iou", "centre_recall_near")
    return {f"{SECTION}_{name}": scores[SECTION][name] for name in names}


def full_headline(by_source: Mapping[str, FullMetric]) -> dict[str, float]:
    """Return what is near, and the ground in plain view.

    IoU of vehicles within 25 m, recall of centres within 20 m; IoU of drivable ground that some
    camera has in plain view, NaN where nobody says what that is.
    """
    near = slice(NEAR_CENTRES)
    each = by_source.values()
    return {
        "surround_vehicle_iou_near": _mean([ratio(*one.area["vehicle"].near) for one in each]),
        "surround_centre_recall_near": _mean([one.centres.recall(near) for one in each]),
        "surround_drivable_iou_in_view": _mean([one.area["drivable"].iou_in_view for one in each]),
    }


def _mean(values: list[float]) -> float:
    """Return the mean of those that are numbers; NaN of none."""
    known = [value for value in values if not math.isnan(value)]
    return sum(known) / len(known) if known else math.nan


def record(answer: Surround, full: FullMetric) -> FrameScores:
    """Return what one moment scored; its faults are one minus the mean of its IoUs."""
    each = {f"{SECTION}_{name}_iou": area.iou for name, area in full.area.items()}
    recall, precision = full.centres.recall(), full.centres.precision()
    said, every = np.sum([area.answered for area in full.area.values()], axis=0)
    views = [part for area in full.area.values() for part in (area.iou_in_view, area.iou_hidden)]
    numbers = (*each.values(), recall, precision, ratio(said, every), *views)
    cells = dict(zip(COLUMNS, numbers, strict=True))
    mean = _mean(list(each.values()))
    scored = not math.isnan(mean)
    words = [
        f"{name} IoU {value:.3f}"
        for name, value in zip(MAPS, each.values(), strict=True)
        if not math.isnan(value)
    ]
    shares = {**each, "surround_centre_recall": recall, "surround_centre_precision": precision}
    return FrameScores(cells, 1 - mean if scored else 0.0, scored, words, shares)
