# SPDX-License-Identifier: Apache-2.0
"""How steady the lanes are over a drive: what ``replay`` tells of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from shared_encoder_perception.structures import Size
from shared_encoder_perception.tasks.contract.records import Cell, Table
from shared_encoder_perception.tasks.lanes.answer import LANE_NAMES, Lanes
from shared_encoder_perception.tasks.lanes.labels import Label
from shared_encoder_perception.tasks.lanes.metrics.temporal import TemporalMetric

Metric = TemporalMetric
ALL: Final = "all"
MEASURES: Final = {
    "jitter px": "jitter_px",
    "flicker Hz": "flicker_hz",
    "latency images": "latency_frames",
    "never found": "never_found",
}
"""Columns of the table -> what is computed of each lane."""


def update(
    metric: TemporalMetric, stamp_s: float, answer: Lanes, image_size: Size, label: Label | None
) -> None:
    """Add the next image of a drive."""
    metric.update(stamp_s, answer, image_size, None if label is None else label.lines)


def words(computed: Mapping[str, float]) -> str:
    """Say how much all lanes tremble and blink."""
    if f"{ALL}/jitter_px" not in computed:
        return ""
    jitter_px, flicker_hz = computed[f"{ALL}/jitter_px"], computed[f"{ALL}/flicker_hz"]
    return f"jitter {jitter_px:.2f} px, flicker {flicker_hz:.3f} Hz"


def numbers(computed: Mapping[str, float]) -> list[tuple[str, Cell, str]]:
    """Return jitter and flicker of all lanes."""
    return [
        ("jitter", computed[f"{ALL}/jitter_px"], "px, all lanes"),
        ("flicker", computed[f"{ALL}/flicker_hz"], "changes a second"),
    ]


def table(computed: Mapping[str, float], detected: Mapping[str, float]) -> Table:
    """Return what is computed of each lane, and of all."""
    rows = [
        [lane, detected.get(lane), *(computed[f"{lane}/{key}"] for key in MEASURES.values())]
        for lane in (*LANE_NAMES, ALL)
    ]
    return Table("Steadiness; latency needs labels", ("lane", "detected", *MEASURES), rows)
