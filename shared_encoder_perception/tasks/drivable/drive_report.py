# SPDX-License-Identifier: Apache-2.0
"""What the report of a replayed drive shows of the drivable surface."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from shared_encoder_perception.tasks.contract.records import Chart, Table
from shared_encoder_perception.tasks.drivable.record import KEY

CHART: Final = Chart("Drivable surface", "share", ("area", "mean_confidence"))
SCORES: Final = {
    "images": "images",
    "IoU": "iou",
    "mean": "mean_iou",
    "median": "median_iou",
    "below 0.4": "below",
}
"""Columns of the table -> keys of the scores."""


def over_time(line: Mapping[str, Any]) -> Mapping[str, float]:
    """Return area and confidence."""
    found: Mapping[str, float] = line[KEY]
    return found


def score_table(scores: Mapping[str, Any]) -> Table | None:
    """Return the scores of all masks."""
    mask = scores[KEY]
    if not mask["images"]:
        return None
    return Table("Drivable surface", tuple(SCORES), [[mask[key] for key in SCORES.values()]])
