# SPDX-License-Identifier: Apache-2.0
"""The scores of lanes that two models are compared by; ``drift`` says what their columns hold."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np

from shared_encoder_perception.tasks.contract.comparisons import (
    AGREEMENT,
    FRAMES,
    HIGHER,
    LOWER,
    NEITHER,
    Limit,
    SummedScore,
    Sums,
    Values,
)
from shared_encoder_perception.tasks.lanes.answer import LANE_NAMES, LaneId
from shared_encoder_perception.tasks.lanes.metric import MAIN_LANES
from shared_encoder_perception.tasks.sums import calibration_error, image_mean, mean, ratio, share

CALIBRATION: Final = "lanes_calibration"
SHARES: Final = ("lane_accuracy",)
"""Scores of a single image whose mean over images is a score."""
F1_LIMITS: Final = {
    LaneId.EGO.label: Limit(0.01),
    LaneId.LEFT_EGO.label: Limit(0.02, significant=True),
    LaneId.RIGHT_EGO.label: Limit(0.02, significant=True),
}


def _lane_accuracy(sums: Sums) -> Values:
    """Rows right, mean over the main lanes."""
    return mean([ratio(sums[f"{lane}/right"], sums[f"{lane}/rows"]) for lane in MAIN_LANES])


def _lane_f1(sums: Sums) -> Values:
    """Detection F1, mean over the main lanes as far as they are labelled present."""
    return mean(
        [np.where(sums[f"{lane}/labelled"] > 0, _f1(lane)(sums), np.nan) for lane in MAIN_LANES]
    )


def _f1(lane: str) -> Callable[[Sums], Values]:
    """Return the detection F1 of a head."""

    def value(sums: Sums) -> Values:
        found, said, labelled = (sums[f"{lane}/{what}"] for what in ("found", "said", "labelled"))
        return ratio(2 * found, said + labelled)

    return value


def _lateral(sums: Sums) -> Values:
    """Distance in lane widths, mean over the main lanes."""
    return mean([ratio(sums[f"{lane}/error"], sums[f"{lane}/error_rows"]) for lane in MAIN_LANES])


def _culane_f1(sums: Sums) -> Values:
    """CULane's F1."""
    twice = 2 * sums["culane_tp"]
    return ratio(twice, twice + sums["culane_fp"] + sums["culane_fn"])


def _agreed(part: str, whole: str, lanes: Sequence[str]) -> Callable[[Sums], Values]:
    """Return the agreement of several lanes together."""

    def value(sums: Sums) -> Values:
        parts, wholes = ([sums[f"{lane}/{what}"] for lane in lanes] for what in (part, whole))
        return ratio(np.sum(parts, axis=0), np.sum(wholes, axis=0))

    return value


def _lane_scores(lane: str) -> list[SummedScore]:
    """Return the scores of one head; with labels first."""
    shares = (
        ("accuracy", HIGHER, "right", "rows"),
        ("precision", HIGHER, "found", "said"),
        ("recall", HIGHER, "found", "labelled"),
        ("false_alarms", LOWER, "alarms", "absent"),
        ("lateral_widths", LOWER, "error", "error_rows"),
        ("over_reach", LOWER, "over", "extent"),
    )
    found = [
        SummedScore(
            f"{lane}/{name}",
            better,
            share(f"{lane}/{part}", f"{lane}/{whole}"),
            place=50,
            part=True,
        )
        for name, better, part, whole in shares
    ]
    f1 = SummedScore(
        f"{lane}/f1", HIGHER, _f1(lane), limit=F1_LIMITS.get(lane), place=50, part=True
    )
    said = [
        SummedScore(f"{lane}/{what}", NEITHER, share(f"{lane}/{what}", FRAMES), place=50, part=True)
        for what in ("detected", "confidence")
    ]
    return [found[0], f1, *found[1:], *said]


def _agreement_scores() -> list[SummedScore]:
    """Return the scores of B against A; those of all lanes first."""
    kinds = (
        ("found", HIGHER, "both", "either", 1.0, Limit(0.1)),
        ("distance_px", LOWER, "px", "px_rows", 0.0, None),
        ("distance_widths", LOWER, "widths", "widths_rows", 0.0, Limit(0.1)),
    )
    groups: list[tuple[str, Sequence[str]]] = [("", LANE_NAMES)]
    groups += [(f"{lane}/", (lane,)) for lane in LANE_NAMES]
    return [
        SummedScore(
            f"{AGREEMENT}{prefix}{name}",
            better,
            _agreed(part, whole, lanes),
            perfect,
            limit=None if prefix else limit,
            place=91,
            glance=not prefix and limit is not None,
        )
        for prefix, lanes in groups
        for name, better, part, whole, perfect, limit in kinds
    ]


SCORES: Final = (
    SummedScore("lane_accuracy", HIGHER, _lane_accuracy, limit=Limit(0.01), glance=True),
    SummedScore("lane_f1", HIGHER, _lane_f1, limit=Limit(0.01), glance=True),
    SummedScore("lateral_widths", LOWER, _lateral, limit=Limit(0.01), place=20),
    *(
        SummedScore(
            f"tusimple_{key}",
            better,
            share(f"tusimple_{key}", "tusimple_images"),
            limit=Limit(0.01) if key == "accuracy" else None,
            place=20,
        )
        for key, better in (("accuracy", HIGHER), ("fp", LOWER), ("fn", LOWER))
    ),
    SummedScore("culane_f1", HIGHER, _culane_f1, limit=Limit(0.02), place=20, glance=True),
    SummedScore(
        "lanes_ece",
        LOWER,
        calibration_error(CALIBRATION),
        limit=Limit(0.02, significant=True),
        place=30,
    ),
    SummedScore(
        "image/lane_accuracy", HIGHER, image_mean("lane_accuracy"), limit=Limit(0.01), place=40
    ),
    *(score for lane in LANE_NAMES for score in _lane_scores(lane)),
    *_agreement_scores(),
)
