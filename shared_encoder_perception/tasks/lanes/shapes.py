# SPDX-License-Identifier: Apache-2.0
"""Lanes as people draw them: a polyline for each, and a flag for each that is not there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.structures import Size
from shared_encoder_perception.tasks.lanes.answer import LaneId
from shared_encoder_perception.tasks.lanes.draw import LANE_COLOURS
from shared_encoder_perception.tasks.lanes.labels import AGREE_PX, Label
from shared_encoder_perception.tasks.shapes import Drawing, Line, Name, ShapeError

PREFIX: Final = "lane/"
BOUNDARY: Final = "boundary"
ABSENT: Final = " absent"
BOUNDARY_COLOUR: Final = (160, 160, 160)
SLACK_PX: Final = 0.2
"""Together with two decimals less than ``AGREE_PX``, by which lines are told apart."""
MOVED, ADDED, REMOVED = "lanes moved", "lanes added", "lanes removed"
SAID: Final = "absent or not"
COUNTS: Final = (MOVED, ADDED, REMOVED, SAID)


def names(legend: Any) -> Sequence[Name]:
    """Return the names of lanes, of their flags, and of boundaries."""
    found = []
    for lane in LaneId:
        blue, green, red = LANE_COLOURS[lane]
        found.append(Name(_name(lane), "line", (red, green, blue)))
        found.append(Name(_name(lane) + ABSENT, "flag", (red, green, blue)))
    return (*found, Name(BOUNDARY, "line", BOUNDARY_COLOUR))


def draw(label: Label, size: Size, legend: Any) -> Drawing:
    """Return the lines with their confidence, and flags for lanes known to be absent.

    Labels have a point on each row, which nobody could move: only those stay that are needed.
    """
    lines = [
        Line(_name(lane), _few_points(points), label.confidence.get(lane))
        for lane, points in label.lines.items()
        if points is not None
    ]
    lines += [Line(BOUNDARY, _few_points(points)) for points in label.boundaries]
    absent = [_name(lane) + ABSENT for lane, points in label.lines.items() if points is None]
    return Drawing(size, tuple(lines), flags=dict.fromkeys(absent))


def read(
    drawing: Drawing, legend: Any, had: Label | None, *, reviewed: bool = False
) -> Label | None:
    """Return the lanes that were drawn; one that is neither drawn nor flagged is unknown.

    Raises:
        ShapeError: Two lines of a lane, a line of one that is flagged as absent, or one that does
            not run near to far, or leaves the picture.
    """
    lanes = {_name(lane): lane for lane in LaneId}
    absent = {lane for name, lane in lanes.items() if name + ABSENT in drawing.flags}
    lines: dict[LaneId, NDArray | None] = dict.fromkeys(sorted(absent))
    confidence: dict[LaneId, float] = {}
    boundaries = []
    for line in drawing.lines:
        points = _near_to_far(line, drawing.size)
        if line.name == BOUNDARY:
            boundaries.append(_as_it_was(points, had.boundaries if had else ()))
            continue
        lane = lanes[line.name]
        if lane in absent:
            raise ShapeError(
                f"{line.where} is drawn, and {line.name + ABSENT!r} is set, expected one of both"
            )
        if lane in lines:
            raise ShapeError(f"{line.where} is there twice, expected one {line.name!r} a picture")
        before = had.lines.get(lane) if had else None
        lines[lane] = _as_it_was(points, () if before is None else (before,))
        weight = _weight(line, had, lane, moved=lines[lane] is not before)
        if weight is not None and not reviewed:
            confidence[lane] = weight
    if not lines and not boundaries:
        return None
    ordered = {lane: lines[lane] for lane in LaneId if lane in lines}
    return Label(ordered, confidence, tuple(boundaries))


def changes(before: Label | None, after: Label | None) -> Mapping[str, int]:
    """Count lanes that were moved, added and removed, and what was said of absent ones.

    Removed is a lane that is not drawn any more, whether it is said to be absent or not.
    """
    counts = dict.fromkeys(COUNTS, 0)
    old, new = before.lines if before else {}, after.lines if after else {}
    for lane in LaneId:
        first, second = old.get(lane), new.get(lane)
        if first is not None and second is not None:
            counts[MOVED] += not _agree(first, second)
        elif first is None and second is None:
            counts[SAID] += (lane in old) != (lane in new)
        else:
            counts[ADDED if first is None else REMOVED] += 1
    return {name: count for name, count in counts.items() if count}


def _name(lane: LaneId) -> str:
    """Return what people call a lane."""
    return PREFIX + LaneId(lane).label


def _near_to_far(line: Line, size: Size) -> NDArray[np.float32]:
    """Return the points of a line in the order of labels, cut to the picture's pixel centres.

    Tools let a line end on the picture's border, which is half a pixel beyond those.
    """
    points = line.points if line.points[0, 1] >= line.points[-1, 1] else line.points[::-1]
    last = np.array((size[1] - 1, size[0] - 1))
    outside = ((points < -0.5 - 1e-3) | (points > last + 0.5 + 1e-3)).any(axis=1)
    if outside.any():
        x, y = points[int(np.argmax(outside))] + 0.5
        raise ShapeError(f"{line.where} leaves the picture at ({x:g}, {y:g}): move it inside")
    cut = np.clip(points, 0, last)
    kept = [0]
    for index in range(1, len(cut)):
        rise = cut[index, 1] - cut[kept[-1], 1]
        if rise < 0:
            kept.append(index)
        elif rise < 0.5 and (cut[index] != points[index]).any():
            continue  # two points of one border
        elif rise < 0.5 and (cut[kept[-1]] != points[kept[-1]]).any():
            kept[-1] = index
        else:
            x, y = points[index] + 0.5
            raise ShapeError(
                f"{line.where} turns back at ({x:g}, {y:g}), expected each point above the one "
                "before: lanes run near to far"
            )
    if len(kept) < 2:
        raise ShapeError(f"{line.where} has no extent from near to far")
    return cut[kept].astype(np.float32)


def _few_points(points: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return some of a line's points, which leave it nowhere by more than ``SLACK_PX``."""
    few = cv2.approxPolyDP(points.astype(np.float32)[:, None], SLACK_PX, False)
    return np.asarray(few[:, 0], np.float64)


def _as_it_was(
    points: NDArray[np.float32], before: Sequence[NDArray[np.float32]]
) -> NDArray[np.float32]:
    """Return the line that it was before where people left it there, else the points."""
    return next((line for line in before if _agree(line, points)), points)


def _agree(first: NDArray, second: NDArray) -> bool:
    """Whether two lines are one, written with other points: no point is far from the other line."""
    ways = ((first, second), (second, first))
    return all(_distance(points, line).max() < AGREE_PX for points, line in ways)


def _distance(points: NDArray, line: NDArray) -> NDArray[np.float64]:
    """Return how far points (N, 2) are from a polyline (M, 2): (N,) pixels."""
    line = line.astype(np.float64)
    starts, legs = line[:-1], np.diff(line, axis=0)
    ways = points[:, None].astype(np.float64) - starts
    along = (ways * legs).sum(axis=2) / (legs**2).sum(axis=1)
    apart = ways - np.clip(along, 0, 1)[:, :, None] * legs
    return np.asarray(np.sqrt((apart**2).sum(axis=2)).min(axis=1), np.float64)


def _weight(line: Line, had: Label | None, lane: LaneId, *, moved: bool) -> float | None:
    """Return how much a lane's label counts; ``None`` for in full.

    What a teacher said of its own line is not true of one that people moved.
    """
    weight, before = line.confidence, had.confidence.get(lane) if had else None
    if before is not None and not moved and weight is None:
        return before  # the tool has dropped it
    if before is not None and moved and weight is not None and abs(weight - before) < 1e-3:
        return None
    if weight is not None and not 0 < weight <= 1:
        raise ShapeError(
            f"{line.where} has the confidence {weight:g}, expected a number above 0, at most 1"
        )
    return weight
