"""What is counted of one frame so that two models can be compared: a row of numbers that add up.

Every score is computed from sums of such rows, over all frames or over those that the bootstrap
drew; so the scores are those of ``evaluate``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.evaluation import calibration
from shared_encoder_perception.evaluation.frame_counts import FullCounts
from shared_encoder_perception.evaluation.scorer import inside
from shared_encoder_perception.images.preprocess import Crop
from shared_encoder_perception.structures import Perception
from shared_encoder_perception.tasks.lanes.answer import LANE_NAMES, LaneId, LaneLine
from shared_encoder_perception.tasks.lanes.metrics.lateral import lane_width_px

BINS: Final = calibration.BINS
RELIABILITY: Final = ("statements", "stated", "right")
LANES_CALIBRATION, MASK_CALIBRATION = "lanes_calibration", "mask_calibration"
BENCHMARKS: Final = {"tusimple": ("accuracy", "fp", "fn", "images"), "culane": ("tp", "fp", "fn")}
PER_LANE: Final = (
    *("right", "rows", "found", "said", "labelled", "absent", "alarms", "over", "extent"),
    *("error", "error_rows"),  # against the label, lane widths
    *("detected", "confidence"),
    *("both", "either", "px", "px_rows", "widths", "widths_rows"),  # against the other model
)
IMAGE_SHARES: Final = ("lane_accuracy", "mask_iou", "boundary_f")
"""Fields of ``FrameRecord`` whose mean over images is a score."""
COLUMNS: Final = (
    "frames",
    *(f"{lane}/{what}" for lane in LANE_NAMES for what in PER_LANE),
    *("intersection", "union", "edge_right", "edge_said", "edge_found", "edge_labelled"),
    *(f"{name}_{what}" for name, keys in BENCHMARKS.items() for what in keys),
    *(f"image_{name}" for name in IMAGE_SHARES),
    *(f"images_{name}" for name in IMAGE_SHARES),
    *("area", "areas", "common", "united"),  # of the mask; against the other model's
    *(
        f"{name}/{index}/{what}"
        for name in (LANES_CALIBRATION, MASK_CALIBRATION)
        for index in range(BINS)
        for what in RELIABILITY
    ),
)
INDEX: Final = {name: place for place, name in enumerate(COLUMNS)}

Row = NDArray[np.float64]
"""(len(COLUMNS),)."""


def to_row(counts: Mapping[str, float]) -> Row:
    """Return counts as a row; what is not named is 0."""
    row = np.zeros(len(COLUMNS))
    for name, value in counts.items():
        row[INDEX[name]] = value
    return row


def answer_counts(answer: Perception, crop: Crop | None) -> dict[str, float]:
    """Count what an answer says, right or not.

    Args:
        answer: Of one image.
        crop: What the network saw of it; not needed without a mask.
    """
    counts = {"frames": 1.0}
    for line in answer.lanes:
        counts[f"{line.lane_id.label}/detected"] = float(line.detected)
        counts[f"{line.lane_id.label}/confidence"] = float(line.confidence)
    if answer.mask is not None and crop is not None:
        counts["area"] = float((answer.mask.binary()[inside(crop)] > 0).mean())
        counts["areas"] = 1.0
    return counts


def agreement_counts(one: Perception, other: Perception, crop: Crop | None) -> dict[str, float]:
    """Count how far two answers to one image agree.

    Args:
        one: In whose points, and lane widths, distances are measured.
        other: The one that is to agree.
        crop: As of ``answer_counts``.
    """
    counts: dict[str, float] = {}
    lines = {line.lane_id: line.points_px for line in one.lanes if line.detected}
    for lane in LaneId:
        here, there = one.lane(lane), other.lane(lane)
        found = {
            "both": float(here.detected and there.detected),
            "either": float(here.detected or there.detected),
        }
        if found["both"]:
            found |= _distances(here, there, lines)
        counts |= {f"{lane.label}/{what}": value for what, value in found.items()}
    if one.mask is not None and other.mask is not None and crop is not None:
        part = inside(crop)
        said, too = one.mask.binary()[part] > 0, other.mask.binary()[part] > 0
        counts["common"] = float((said & too).sum())
        counts["united"] = float((said | too).sum())
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


def image_counts(scores: Mapping[str, float]) -> dict[str, float]:
    """Count the scores of a single image, of ``IMAGE_SHARES``; NaN for none."""
    counts: dict[str, float] = {}
    for name, value in scores.items():
        if not math.isnan(value):
            counts |= {f"image_{name}": value, f"images_{name}": 1.0}
    return counts


def label_counts(counted: FullCounts) -> dict[str, float]:
    """Take the counts from the metrics of one image.

    They keep them to themselves, since only their sums mean something to others; here they are
    summed as they would do it.
    """
    lanes, mask = counted.basic.lanes, counted.basic.mask
    scores = counted.compute()
    counts: dict[str, float] = {}
    for lane in LaneId:
        name = lane.label
        counts |= {
            f"{name}/right": float(lanes.right[lane]),
            f"{name}/rows": float(lanes.rows[lane]),
            f"{name}/found": float(lanes.found[lane]),
            f"{name}/said": float(lanes.detected[lane]),
            f"{name}/labelled": float(lanes.labelled[lane]),
            f"{name}/absent": float(lanes.absent[lane]),
            f"{name}/alarms": float(lanes.alarms[lane]),
            f"{name}/over": float(lanes.over[lane]),
            f"{name}/extent": float(lanes.extent[lane]),
            f"{name}/error": float(counted.lateral.rows[lane, 1]),
            f"{name}/error_rows": float(counted.lateral.rows[lane, 0]),
        }
    counts |= {"intersection": float(mask.intersection), "union": float(mask.union)}
    edges = ("edge_right", "edge_said", "edge_found", "edge_labelled")
    counts |= dict(zip(edges, map(float, counted.boundary.pixels), strict=True))
    for name, keys in BENCHMARKS.items():
        if scores[name].get("images", 1.0):
            counts |= {f"{name}_{key}": float(scores[name][key]) for key in keys}
    bins = {
        LANES_CALIBRATION: counted.basic.calibration.lanes.sum(axis=0),
        MASK_CALIBRATION: _mask_bins(counted.basic.calibration.mask),
    }
    for name, table in bins.items():
        for index, sums in enumerate(table):
            for what, value in zip(RELIABILITY, sums, strict=True):
                counts[f"{name}/{index}/{what}"] = float(value)
    return counts


def _mask_bins(histogram: NDArray[np.int64]) -> NDArray[np.float64]:
    """Put the 256 values of a pixel into bins, as ``CalibrationMetric`` does.

    Args:
        histogram: As of ``calibration.mask_histogram``.

    Returns:
        (BINS, 3) of ``RELIABILITY``.
    """
    stated = np.arange(256) / 255.0
    index = np.minimum((stated * BINS).astype(np.int64), BINS - 1)
    count = histogram.sum(axis=0)
    # In pixels of a thousand, which keeps sums of many images exact; shares do not care.
    sums = (count, count * stated, histogram[1])
    return np.stack([np.bincount(index, values / 1000.0, BINS) for values in sums], axis=1)
