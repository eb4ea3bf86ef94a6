# SPDX-License-Identifier: Apache-2.0
"""The lanes' keys of a line in a native set: what may stand there, read and written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.structures import Size
from shared_encoder_perception.tasks.lanes.answer import LANE_NAMES, LaneId

LANES: Final = "lanes"
BOUNDARIES: Final = "boundaries"
CONFIDENCE: Final = "lane_confidence"
DECIMALS: Final = 2
"""Of written coordinates, pixels."""


def faults(record: Mapping[str, Any], size: Size) -> Iterator[str]:
    """Say what is wrong with the keys of a line.

    Args:
        record: The line.
        size: ``(height, width)`` of the picture.
    """
    lanes = record.get(LANES, {})
    if not isinstance(lanes, dict):
        yield f"{LANES} is a {type(lanes).__name__}, expected an object"
        return
    for name, points in lanes.items():
        if name not in LANE_NAMES:
            yield f"unknown lane {name!r}, expected one of {list(LANE_NAMES)}"
        elif points is not None:
            yield from _line_faults(f"lane {name}", points, size)
    yield from _confidence_faults(record.get(CONFIDENCE, {}), lanes)
    boundaries = record.get(BOUNDARIES, [])
    if not isinstance(boundaries, list):
        yield f"{BOUNDARIES} is a {type(boundaries).__name__}, expected a list"
        return
    for index, points in enumerate(boundaries):
        yield from _line_faults(f"boundary {index}", points, size)


def _confidence_faults(confidence: Any, lanes: Mapping[str, Any]) -> Iterator[str]:
    """Faults of the weights of lanes."""
    if not isinstance(confidence, dict):
        yield f"{CONFIDENCE} is a {type(confidence).__name__}, expected an object"
        return
    for name, value in confidence.items():
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if name not in lanes:
            yield f"{CONFIDENCE} names {name!r}, which is not among the lanes"
        elif not (number and 0 < value <= 1):
            yield f"{CONFIDENCE} of {name} is {value!r}, expected a number above 0, at most 1"


def _line_faults(what: str, points: Any, size: Size) -> Iterator[str]:
    """Faults of one polyline."""
    height, width = size
    try:
        line = np.array(points, np.float64)
    except (TypeError, ValueError, OverflowError):
        line = np.zeros(0)
    if line.ndim != 2 or line.shape[1] != 2 or len(line) < 2:
        yield f"{what} is no list of at least two [x, y]"
        return
    if not np.isfinite(line).all():
        yield f"{what} has coordinates that are not finite"
        return
    outside = (line < 0).any(axis=1) | (line > (width - 1, height - 1)).any(axis=1)
    if outside.any():
        index = int(np.argmax(outside))
        yield (
            f"{what}, point {index}: {line[index].tolist()} lies outside of "
            f"[0, {width - 1}] x [0, {height - 1}]"
        )
    rising = np.diff(line[:, 1]) >= 0
    if rising.any():
        index = int(np.argmax(rising)) + 1
        yield f"{what}, point {index}: y must strictly decrease (near to far)"


def lines_of(record: Mapping[str, Any]) -> dict[LaneId, NDArray[np.float32] | None]:
    """Return the centre lines of a line without faults, in head order."""
    lanes = record.get(LANES, {})
    return {lane: _points(lanes[lane.label]) for lane in LaneId if lane.label in lanes}


def _points(value: list[list[float]] | None) -> NDArray[np.float32] | None:
    """A polyline as arrays; ``None`` stays."""
    return None if value is None else np.array(value, np.float32)


def boundaries_of(record: Mapping[str, Any]) -> tuple[NDArray[np.float32], ...]:
    """Return the boundaries of a line without faults."""
    return tuple(np.array(points, np.float32) for points in record.get(BOUNDARIES, ()))


def confidence_of(record: Mapping[str, Any]) -> dict[LaneId, float]:
    """Return the weights of a line without faults."""
    found = record.get(CONFIDENCE, {})
    return {LaneId[name.upper()]: float(value) for name, value in found.items()}


def keys_of(
    lines: Mapping[LaneId, NDArray[np.float32] | None],
    boundaries: tuple[NDArray[np.float32], ...],
    confidence: Mapping[LaneId, float],
) -> dict[str, Any]:
    """Return the keys of a line; what is empty is left out."""
    keys: dict[str, Any] = {}
    if lines:
        keys[LANES] = {
            LaneId(lane).label: None if points is None else _rounded(points)
            for lane, points in lines.items()
        }
    if boundaries:
        keys[BOUNDARIES] = [_rounded(points) for points in boundaries]
    if confidence:
        keys[CONFIDENCE] = {
            LaneId(lane).label: round(value, 3) for lane, value in confidence.items()
        }
    return keys


def _rounded(points: NDArray) -> list[list[float]]:
    """Coordinates for JSON."""
    return np.round(points.astype(np.float64), DECIMALS).tolist()
