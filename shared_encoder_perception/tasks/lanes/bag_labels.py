# SPDX-License-Identifier: Apache-2.0
"""Labelled lanes that a bag carries: LaneLine or LaneLineArray messages."""

from __future__ import annotations

from typing import Any, Final

from shared_encoder_perception.tasks.lanes.content import ARRAY, LINE, lane_from_message
from shared_encoder_perception.tasks.lanes.labels import Label

KINDS: Final = (LINE, ARRAY)


def add(label: Label | None, message: Any) -> Label:
    """Return the label with one more lane, or with the lanes of an array; others stay unknown.

    Raises:
        ValueError: See ``lane_from_message``.
    """
    lines = {} if label is None else dict(label.lines)
    for one in message.lanes if hasattr(message, "lanes") else [message]:
        line = lane_from_message(one)
        lines[line.lane_id] = line.points_px if line.detected else None
    return Label(lines)
