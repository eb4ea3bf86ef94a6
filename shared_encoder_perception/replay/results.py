"""One line for each image: ``results.jsonl``, the same bytes on every run, and ``timings.jsonl``.

{"conditions": {...}}                                                 the first line
{"frame": 0, "stamp_ns": ..., "lanes": {"ego": {...}, ...}, "mask": {...}, "scores": {...}}
{"frame": 1, "stamp_ns": ..., "skipped": "rejected", "why": "..."}
"""

from __future__ import annotations

import json
import math
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.evaluation.scorer import Counts as Scores
from shared_encoder_perception.evaluation.scorer import inside
from shared_encoder_perception.images.preprocess import Crop
from shared_encoder_perception.replay.drive import Seen
from shared_encoder_perception.structures import Perception
from shared_encoder_perception.tasks.drivable.answer import DrivableMask
from shared_encoder_perception.tasks.lanes.answer import LaneLine

DECIMALS_PX: Final = 2
DECIMALS: Final = 4
MS_DECIMALS: Final = 3
SURENESS: Final = np.maximum(np.arange(256), 255 - np.arange(256)) / 255
"""How sure a mask is of a pixel with each probability, of being drivable or of not being."""


def to_line(record: dict[str, Any]) -> bytes:
    """Return a record as one line; its bytes depend on its content alone."""
    return (json.dumps(record, allow_nan=False) + "\n").encode()


def frame_record(seen: Seen, crop: Crop | None, scores: dict[str, Any] | None) -> dict[str, Any]:
    """Return what is said of one image.

    Args:
        seen: What became of it.
        crop: What the network saw of it; ``None`` if it was skipped.
        scores: As of ``score_record``; ``None`` without labels.
    """
    record: dict[str, Any] = {"frame": seen.frame.index, "stamp_ns": seen.frame.stamp_ns}
    perception = seen.perception
    if perception is None or crop is None:
        return {**record, "skipped": seen.skipped, "why": seen.why}
    record["lanes"] = {line.lane_id.label: lane_record(line) for line in perception.lanes}
    record["mask"] = None if perception.mask is None else _mask_record(perception.mask, crop)
    if scores is not None:
        record["scores"] = scores
    return record


def timing_record(seen: Seen) -> dict[str, Any]:
    """Return how long each stage of one image took."""
    times = {stage: round(value, MS_DECIMALS) for stage, value in seen.stage_ms.items()}
    return {"frame": seen.frame.index, "stage_ms": times}


def score_record(scores: Scores, perception: Perception) -> dict[str, Any]:
    """Return what one image scored.

    Args:
        scores: Counts of this image alone.
        perception: The answer.

    Returns:
        ``{"lanes": {label: {"label": "present", "accuracy": share of rows right} or {"label":
        "absent", "false_alarm": bool}}, "mask_iou": share or None}``; lanes without label are
        missing.
    """
    lanes: dict[str, Any] = {}
    for name, score in scores.lanes.compute().items():
        if score.labelled:
            lanes[name] = {"label": "present", "accuracy": _number(score.valid_row_accuracy)}
        elif score.absent:
            lanes[name] = {"label": "absent", "false_alarm": bool(score.false_alarms)}
    return {"lanes": lanes, "mask_iou": _number(scores.mask.compute().iou)}


def lane_record(line: LaneLine) -> dict[str, Any]:
    """Return a lane; without points when it was not detected."""
    record: dict[str, Any] = {
        "status": line.status.name,
        "confidence": round(float(line.confidence), DECIMALS),
        "points_px": np.round(line.points_px.astype(np.float64), DECIMALS_PX).tolist(),
    }
    if line.lane_id.is_split:
        record["branch_index"] = int(line.branch_index)
    if line.track_id:
        record["track_id"] = int(line.track_id)
    return record


def _mask_record(mask: DrivableMask, crop: Crop) -> dict[str, float]:
    """Return how much of what the network saw is drivable, and how sure it is of that."""
    seen: NDArray[np.uint8] = np.ascontiguousarray(mask.probability[inside(crop)])
    histogram = cv2.calcHist([seen], [0], None, [256], [0, 256]).ravel().astype(np.float64)
    pixels = histogram.sum()
    return {
        "area": round(float(histogram[mask.threshold :].sum() / pixels), DECIMALS),
        "mean_confidence": round(float(histogram @ SURENESS / pixels), DECIMALS),
    }


def _number(value: float) -> float | None:
    """Round a share; nothing for NaN."""
    return None if math.isnan(value) else round(float(value), DECIMALS)
