# SPDX-License-Identifier: Apache-2.0
"""How two models differ about lanes: what is counted of an image; see ``drift_scores``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.images.preprocess import Crop
from shared_encoder_perception.structures import Size
from shared_encoder_perception.tasks.contract.comparisons import DriftTexts, Things
from shared_encoder_perception.tasks.lanes import drift_scores
from shared_encoder_perception.tasks.lanes.answer import LANE_NAMES, LaneId, LaneLine, Lanes
from shared_encoder_perception.tasks.lanes.draw import LEGEND
from shared_encoder_perception.tasks.lanes.drift_scores import CALIBRATION, SHARES
from shared_encoder_perception.tasks.lanes.metric import FullMetric, Metric
from shared_encoder_perception.tasks.lanes.metrics.lateral import lane_width_px
from shared_encoder_perception.tasks.lanes.metrics.rows import rows_within_tolerance
from shared_encoder_perception.tasks.sums import (
    image_columns,
    image_counts,
    reliability_columns,
    reliability_counts,
)

BENCHMARKS: Final = {"tusimple": ("accuracy", "fp", "fn", "images"), "culane": ("tp", "fp", "fn")}
PER_LANE: Final = (
    *("right", "rows", "found", "said", "labelled", "absent", "alarms", "over", "extent"),
    *("error", "error_rows"),  # against the label, lane widths
    *("detected", "confidence"),
    *("both", "either", "px", "px_rows", "widths", "widths_rows"),  # against the other model
)
COLUMNS: Final = (
    *(f"{lane}/{what}" for lane in LANE_NAMES for what in PER_LANE),
    *(f"{name}_{what}" for name, keys in BENCHMARKS.items() for what in keys),
    *image_columns(SHARES),
    *reliability_columns(CALIBRATION),
)
SCORES: Final = drift_scores.SCORES
THINGS: Final = Things(
    noun="lane",
    names=LANE_NAMES,
    agreed={
        "found": ("agreed", 3),
        "distance_px": ("apart, px", 1),
        "distance_widths": ("apart, lane widths", 3),
    },
    text=(
        "Whoever is right: agreed is the share of frames, of those in which a lane was found, in "
        "which both found it; apart is the mean horizontal distance of their lines, in the rows "
        "that both reach, and in lane widths where a neighbouring lane tells them."
    ),
)
TEXTS: Final = DriftTexts(
    whole="all lanes",
    faults="over its labelled lanes the share of rows that are wrong (1 for a false alarm)",
    apart=(
        "over the lanes the share of rows beyond 20 px at 1280 px width (1 for a lane found by one "
        "only)"
    ),
    note="Lateral distances are in lane widths.",
)


def answer_counts(answer: Lanes, crop: Crop) -> dict[str, float]:
    """Count which lanes were found, and how sure the model is."""
    return said_counts(answer)


def said_counts(answer: Lanes) -> dict[str, float]:
    """As ``answer_counts``: the crop does not matter to lines."""
    counts = {}
    for line in answer:
        counts[f"{line.lane_id.label}/detected"] = float(line.detected)
        counts[f"{line.lane_id.label}/confidence"] = float(line.confidence)
    return counts


def label_counts(metric: Metric, full: FullMetric, shares: Mapping[str, float]) -> dict[str, float]:
    """Take the counts from the metrics of one image.

    They keep them to themselves, since only their sums mean something to others; here they are
    summed as they would do it.
    """
    lanes, lateral, scores = metric.lanes, full.lateral, full.benchmarks.compute()
    counts: dict[str, float] = {}
    for lane in LaneId:
        found = {
            "right": lanes.right[lane],
            "rows": lanes.rows[lane],
            "found": lanes.found[lane],
            "said": lanes.detected[lane],
            "labelled": lanes.labelled[lane],
            "absent": lanes.absent[lane],
            "alarms": lanes.alarms[lane],
            "over": lanes.over[lane],
            "extent": lanes.extent[lane],
            "error": lateral.rows[lane, 1],
            "error_rows": lateral.rows[lane, 0],
        }
        counts |= {f"{lane.label}/{what}": float(value) for what, value in found.items()}
    for name, keys in BENCHMARKS.items():
        if scores[name].get("images", 1.0):
            counts |= {f"{name}_{key}": float(scores[name][key]) for key in keys}
    counts |= reliability_counts(CALIBRATION, metric.reliability.counts.sum(axis=0))
    return counts | image_counts(shares)


def agreement_counts(one: Lanes, other: Lanes, crop: Crop) -> dict[str, float]:
    """Count how far two answers to one image agree.

    Args:
        one: In whose points, and lane widths, distances are measured.
        other: The one that is to agree.
        crop: What the network saw.
    """
    return line_agreement(one, other)


def line_agreement(one: Lanes, other: Lanes) -> dict[str, float]:
    """As ``agreement_counts``: the crop does not matter to lines."""
    counts: dict[str, float] = {}
    lines = {line.lane_id: line.points_px for line in one if line.detected}
    for lane in LaneId:
        here, there = one[lane], other[lane]
        found = {
            "both": float(here.detected and there.detected),
            "either": float(here.detected or there.detected),
        }
        if found["both"]:
            found |= _distances(here, there, lines)
        counts |= {f"{lane.label}/{what}": value for what, value in found.items()}
    return counts


def _distances(
    here: LaneLine, there: LaneLine, lines: Mapping[LaneId, NDArray]
) -> dict[str, float]:
    """Add up the horizontal distances at the rows of a line's points that the other one reaches."""
    x, y = here.points_px.astype(np.float64).T
    at, rows = there.points_px[::-1].astype(np.float64).T
    distance = np.abs(np.interp(y, rows, at, left=np.nan, right=np.nan) - x)
    widths = distance / lane_width_px(lines, here.lane_id, y)
    reached, known = np.isfinite(distance), np.isfinite(widths)
    return {
        "px": float(distance[reached].sum()),
        "px_rows": float(reached.sum()),
        "widths": float(widths[known].sum()),
        "widths_rows": float(known.sum()),
    }


def apart(one: Lanes, other: Lanes, image_size: Size, crop: Crop) -> dict[str, float]:
    """Compare two answers, lane by lane.

    Returns:
        Lane -> share of the rows of ``one``'s line that ``other`` misses by more than
        ``ROW_TOLERANCE_PX``; 1 for a lane that only one of them found, 0 for one that none found.
    """
    parts = {}
    for lane in LaneId:
        here, there = one[lane], other[lane]
        if here.detected and there.detected:
            close = rows_within_tolerance(there, here.points_px, image_size[1])
            parts[lane.label] = float(1 - close.mean())
        else:
            parts[lane.label] = float(here.detected != there.detected)
    return parts


def words(answer: Lanes) -> tuple[str, ...]:
    """Name the lanes that were found, and how sure the model is."""
    found = [f"{LEGEND[line.lane_id]} {line.confidence:.2f}" for line in answer if line.detected]
    return tuple(found) or ("no lane",)
