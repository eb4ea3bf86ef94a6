# SPDX-License-Identifier: Apache-2.0
"""What the report of a replayed drive shows of the lanes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from shared_encoder_perception.tasks.contract.records import Chart, Table
from shared_encoder_perception.tasks.lanes.answer import LANE_NAMES
from shared_encoder_perception.tasks.lanes.record import KEY

CHART: Final = Chart("Confidence of the lanes", "confidence", LANE_NAMES)
SCORES: Final = {
    "rows right": "valid_row_accuracy",
    "precision": "precision",
    "recall": "recall",
    "F1": "f1",
    "over-reach": "over_reach",
    "present": "labelled",
    "false alarms": "false_alarms",
}
"""Columns of the table -> keys of a lane's scores."""


def over_time(line: Mapping[str, Any]) -> Mapping[str, float]:
    """Return the confidence of each lane."""
    return {name: line[KEY][name]["confidence"] for name in LANE_NAMES}


def score_table(scores: Mapping[str, Any]) -> Table:
    """Return the scores of each lane."""
    rows = [[lane, *(score[key] for key in SCORES.values())] for lane, score in scores[KEY].items()]
    return Table("Lanes", ("lane", *SCORES), rows)
