# SPDX-License-Identifier: Apache-2.0
"""Lanes on a picture: a line of its own colour each, and its name in a corner."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.drawing.shapes import Colour, draw_line, outline_line
from shared_encoder_perception.drawing.text import FAINT_COLOUR
from shared_encoder_perception.structures import Size
from shared_encoder_perception.tasks.lanes.answer import LaneId, LaneLine, Lanes, LaneStatus
from shared_encoder_perception.tasks.lanes.labels import Label

LAYER: Final = 10
LANE_COLOURS: Final = MappingProxyType(
    {
        LaneId.EGO: (66, 228, 240),
        LaneId.LEFT_EGO: (0, 159, 230),
        LaneId.RIGHT_EGO: (233, 180, 86),
        LaneId.LEFT_SPLIT_EGO: (167, 121, 204),
        LaneId.RIGHT_SPLIT_EGO: (115, 158, 0),
    }
)
"""BGR, after the colour-blind-safe palette of Okabe and Ito."""
LEGEND: Final = MappingProxyType(
    {lane: lane.label.removesuffix("_ego").replace("_", " ") for lane in LaneId}
)
"""What people call the lanes."""


def paint(canvas: NDArray[np.uint8], answer: Lanes, scale: float) -> None:
    """Draw the lanes that are there, predicted ones dashed (in place)."""
    for line in answer:
        if line.detected:
            dashed = line.status is LaneStatus.PREDICTED
            draw_line(canvas, line.points_px, LANE_COLOURS[line.lane_id], scale, dashed)


def legend(answer: Lanes) -> list[tuple[str, Colour]]:
    """Name each lane and its confidence; grey if it is not there."""
    return [
        (lane_text(line), LANE_COLOURS[line.lane_id] if line.detected else FAINT_COLOUR)
        for line in answer
    ]


def paint_label(canvas: NDArray[np.uint8], label: Label, scale: float) -> None:
    """Draw the labelled lanes as if they were detected ones (in place)."""
    for lane, points in label.lines.items():
        if points is not None:
            draw_line(canvas, np.asarray(points, np.float32), LANE_COLOURS[lane], scale)


def outline_label(canvas: NDArray[np.uint8], label: Label) -> None:
    """Draw the labelled lanes thinly in white (in place)."""
    for points in label.lines.values():
        if points is not None:
            outline_line(canvas, points)


def resized(answer: Lanes, image_size: Size, size: Size) -> Lanes:
    """Return the lanes of the resized image; pixel centres are at integers."""
    scale = np.array(size[::-1]) / np.array(image_size[::-1])
    return Lanes(
        tuple(
            replace(line, points_px=((line.points_px + 0.5) * scale - 0.5).astype(np.float32))
            for line in answer
        )
    )


def lane_text(line: LaneLine) -> str:
    """Return a lane's name, and its confidence, track and state where it has them."""
    words = [LEGEND[line.lane_id]]
    if line.detected:
        words.append(f"{line.confidence:.2f}")
        words += [f"#{line.track_id}"] if line.track_id else []
        words += ["predicted"] if line.status is LaneStatus.PREDICTED else []
    return " ".join(words)
