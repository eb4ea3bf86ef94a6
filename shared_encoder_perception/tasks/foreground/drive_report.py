# SPDX-License-Identifier: Apache-2.0
"""What the report of a replayed drive shows of the foreground."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from shared_encoder_perception.tasks.contract.records import Chart, Table
from shared_encoder_perception.tasks.foreground.metric import SECTION
from shared_encoder_perception.tasks.foreground.record import KEY

CHART: Final = Chart("Foreground", "share", ("area", "mean_confidence"))
SCORES: Final = {
    "images": "images",
    "IoU": "iou",
    "mean": "mean_iou",
    "median": "median_iou",
    "empty pairs": "empty_pairs",
    "false on them, %": "false_percent",
}
"""Columns of the table -> keys of the scores."""


def over_time(line: Mapping[str, Any]) -> Mapping[str, float]:
    """Return area and confidence, where there was something to compare with."""
    return {name: value for name, value in line[KEY].items() if value is not None}


def score_table(scores: Mapping[str, Any]) -> Table | None:
    """Return the scores of all masks."""
    said = scores[SECTION]
    if not (said["images"] or said["empty_pairs"]):
        return None
    return Table("Foreground", tuple(SCORES), [[said[key] for key in SCORES.values()]])
