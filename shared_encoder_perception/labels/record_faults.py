"""What can be wrong with one line of a ``frames.jsonl``: docs/dataset_format.md as code."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final

import numpy as np

from shared_encoder_perception.tasks.lanes.answer import LANE_NAMES

FILE_NAME: Final = "frames.jsonl"
KEYS: Final = (
    "image",
    "size",
    "crop",
    "lanes",
    "boundaries",
    "mask",
    "lane_confidence",
    "mask_confidence",
    "pseudo",
    "source",
    "licence",
    "attributes",
    "notes",
)


def load_record(text: str | bytes) -> tuple[dict[str, Any], list[str]]:
    """Parse a line; return the record and everything that is wrong with it."""
    try:
        record = json.loads(text)
    except json.JSONDecodeError as error:
        return {}, [f"not JSON: {error.msg} at column {error.colno}"]
    except UnicodeDecodeError:
        return {}, ["the text is not UTF-8"]
    if not isinstance(record, dict):
        return {}, [f"a {type(record).__name__}, expected a JSON object"]
    faults = []
    for key in record:
        if key not in KEYS:
            near = get_close_matches(key, KEYS, 1)
            hint = f", did you mean {near[0]!r}?" if near else f", expected one of {list(KEYS)}"
            faults.append(f"unknown key {key!r}{hint}")
    faults += _text_faults(record)
    size = record.get("size")
    if size is None or not (_are_ints(size, 2) and min(size) > 0):
        return record, [*faults, f"size is {size!r}, expected [height, width] in pixels"]
    return record, faults + _label_faults(record, size[0], size[1])


def _text_faults(record: Mapping[str, Any]) -> Iterator[str]:
    """Faults of the keys that hold text."""
    for key in ("image", "mask", "mask_confidence"):
        value = record.get(key)
        if value is None and key != "image":
            continue
        if not isinstance(value, str) or not value:
            yield f"{key} is {value!r}, expected a path relative to the folder of {FILE_NAME}"
        elif Path(value).is_absolute() or ".." in Path(value).parts:
            yield f"{key} is {value!r}, which leaves the folder of {FILE_NAME}"
    for key in ("source", "licence"):
        if not isinstance(record.get(key, ""), str):
            yield f"{key} is {record[key]!r}, expected text"
    pseudo = record.get("pseudo", [])
    if not (isinstance(pseudo, list) and all(item in ("mask", "lanes") for item in pseudo)):
        yield f"pseudo is {pseudo!r}, expected a list of 'mask' and 'lanes'"
    for key, kind in (("attributes", dict), ("notes", list)):
        if not isinstance(record.get(key, kind()), kind):
            yield f"{key} is {record[key]!r}, expected a {kind.__name__}"


def _label_faults(record: Mapping[str, Any], height: int, width: int) -> list[str]:
    """Faults of crop, lanes and boundaries, which depend on the size."""
    faults = []
    crop = record.get("crop")
    if crop is not None:
        inside = _are_ints(crop, 4) and min(crop[:2]) >= 0 and min(crop[2:]) >= 2
        if not (inside and crop[0] + crop[2] <= width and crop[1] + crop[3] <= height):
            faults.append(
                f"crop is {crop!r}, expected [x, y, width, height] inside {width}x{height} pixels"
            )
    lanes = record.get("lanes", {})
    if not isinstance(lanes, dict):
        return [*faults, f"lanes is a {type(lanes).__name__}, expected an object"]
    for name, points in lanes.items():
        if name not in LANE_NAMES:
            faults.append(f"unknown lane {name!r}, expected one of {list(LANE_NAMES)}")
        elif points is not None:
            faults += _line_faults(f"lane {name}", points, height, width)
    faults += _confidence_faults(record.get("lane_confidence", {}), lanes)
    boundaries = record.get("boundaries", [])
    if not isinstance(boundaries, list):
        return [*faults, f"boundaries is a {type(boundaries).__name__}, expected a list"]
    for index, points in enumerate(boundaries):
        faults += _line_faults(f"boundary {index}", points, height, width)
    return faults


def _confidence_faults(confidence: Any, lanes: Mapping[str, Any]) -> Iterator[str]:
    """Faults of the weights of lanes."""
    if not isinstance(confidence, dict):
        yield f"lane_confidence is a {type(confidence).__name__}, expected an object"
        return
    for name, value in confidence.items():
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if name not in lanes:
            yield f"lane_confidence names {name!r}, which is not among the lanes"
        elif not (number and 0 < value <= 1):
            yield f"lane_confidence of {name} is {value!r}, expected a number above 0, at most 1"


def _line_faults(what: str, points: Any, height: int, width: int) -> Iterator[str]:
    """Faults of one polyline."""
    try:
        line = np.array(points, np.float64)
    except (TypeError, ValueError):
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


def _are_ints(value: Any, count: int) -> bool:
    """Whether ``value`` is a list of ``count`` integers."""
    return (
        isinstance(value, list)
        and len(value) == count
        and all(isinstance(item, int) and not isinstance(item, bool) for item in value)
    )
