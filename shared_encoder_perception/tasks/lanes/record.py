# SPDX-License-Identifier: Apache-2.0
"""Lanes in lines of JSON: what ``predict`` and ``replay`` write of them, and back."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from shared_encoder_perception.images.preprocess import Crop
from shared_encoder_perception.tasks.lanes.answer import (
    LANE_NAMES,
    LaneId,
    LaneLine,
    Lanes,
    LaneStatus,
)
from shared_encoder_perception.tasks.lanes.metric import ABSENT, PRESENT, Metric

KEY: Final = "lanes"
FILES: Final[Mapping[str, str]] = {}
DETECTABLE: Final = LANE_NAMES
DECIMALS_PX: Final = 2
DECIMALS: Final = 4


def detected(answer: Lanes) -> list[str]:
    """Return the names of the lanes that have points."""
    return [line.lane_id.label for line in answer if line.detected]


def prediction(answer: Lanes, out: Path, picture: Path) -> dict[str, Any]:
    """Return ``{"lanes": {"ego": {...}, ...}}``; a lane that was not detected is ``None``."""
    return {KEY: {line.lane_id.label: _predicted(line) for line in answer}}


def result(answer: Lanes, crop: Crop) -> dict[str, Any]:
    """Return ``{"lanes": {"ego": {...}, ...}}``; without points where it was not detected."""
    return {KEY: {line.lane_id.label: _result(line) for line in answer}}


def scores(counted: Metric) -> dict[str, Any]:
    """Return what one image scored.

    Returns:
        ``{"lanes": {name: {"label": "present", "accuracy": share of rows right} or {"label":
        "absent", "false_alarm": bool}}}``; lanes without label are missing.
    """
    lanes: dict[str, Any] = {}
    for name, score in counted.lanes.compute().items():
        if score.labelled:
            accuracy = score.valid_row_accuracy
            known = None if math.isnan(accuracy) else round(float(accuracy), DECIMALS)
            lanes[name] = {"label": PRESENT, "accuracy": known}
        elif score.absent:
            lanes[name] = {"label": ABSENT, "false_alarm": bool(score.false_alarms)}
    return {KEY: lanes}


def read_result(line: Mapping[str, Any]) -> Lanes:
    """Return the lanes of a line of ``results.jsonl``.

    Raises:
        KeyError, TypeError, ValueError: The line is damaged.
    """
    return Lanes(tuple(_read(lane, line[KEY][lane.label]) for lane in LaneId))


def different(line: Mapping[str, Any], answer: Lanes, crop: Crop) -> Sequence[str]:
    """Return the names of the lanes that are not as a line of ``results.jsonl`` says."""
    return [one.lane_id.label for one in answer if _result(one) != line[KEY][one.lane_id.label]]


def _predicted(line: LaneLine) -> dict[str, Any] | None:
    """Return a lane as ``predict`` writes it."""
    if not line.detected:
        return None
    return {
        "status": line.status.name,
        "confidence": round(line.confidence, DECIMALS),
        "points": [
            [round(float(x), DECIMALS_PX), round(float(y), DECIMALS_PX)] for x, y in line.points_px
        ],
    }


def _result(line: LaneLine) -> dict[str, Any]:
    """Return a lane as ``replay`` writes it."""
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


def _read(lane: LaneId, said: Mapping[str, Any]) -> LaneLine:
    """Return a lane of which a line says so."""
    points = np.array(said["points_px"], np.float32).reshape(-1, 2)
    unknown = np.full(len(points), np.nan, np.float32)
    return LaneLine(lane, LaneStatus[said["status"]], said["confidence"], points, unknown)
