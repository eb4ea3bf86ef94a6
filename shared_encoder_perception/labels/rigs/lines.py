# SPDX-License-Identifier: Apache-2.0
"""A line of ``rigs.jsonl``, checked key by key: docs/rigs_format.md as code."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np

from shared_encoder_perception.files.typed_json import (
    JsonError,
    from_json,
    parse_json,
    shown,
    suggestion,
)
from shared_encoder_perception.labels.label_io import MOST_PX
from shared_encoder_perception.labels.rigs.cameras import check_name, parse_camera
from shared_encoder_perception.labels.rigs.ground import MOST_M, parse_drivable, parse_map
from shared_encoder_perception.labels.rigs.record import BoxPx, RigRecord, nothing
from shared_encoder_perception.rig.boxes import Box
from shared_encoder_perception.rig.rig import Rig
from shared_encoder_perception.tasks.label_files import LabelError

FILE_NAME: Final = "rigs.jsonl"
KEYS: Final = ("name", "cameras", "objects", "drivable", "in_view", "source", "licence")
MOST_SIDE_M: Final = 500.0
"""Of a thing: longer than any train at a crossing."""
TURN: Final = 2 * math.pi + 1e-6


@dataclass(frozen=True)
class _ObjectLine:
    """The keys of an object but ``class``, which is no name in Python."""

    x: float
    y: float
    z: float
    length: float
    width: float
    height: float
    yaw: float
    visible: float = math.nan
    boxes_px: dict[str, BoxPx] = field(default_factory=dict)


def parse_line(text: str | bytes, path: Path, line: int) -> RigRecord:
    """Read one line of ``path``.

    Args:
        text: The line.
        path: The file, whose folder paths are relative to.
        line: Its number, from 1.

    Raises:
        LabelError: Its first fault; the message names the file, the line and the camera or object.
    """
    try:
        return _record(_object(text), path.parent, f"{path}, line {line}", f"{line:06d}")
    except ValueError as error:
        raise LabelError(path, line, str(error)) from None


def _object(text: str | bytes) -> dict[str, Any]:
    """Return the JSON object in a line, of which no key stands there twice."""
    raw = parse_json(text, "the line")
    if not isinstance(raw, dict):
        raise JsonError(f"the line is {shown(raw)}, expected an object")

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            names = [name for name, _ in pairs]
            twice = next(name for name in names if names.count(name) > 1)
            raise JsonError(f"the key {shown(twice)} is there twice in one object")
        return found

    json.loads(text, object_pairs_hook=once)
    if strange := [key for key in raw if key not in KEYS]:
        raise JsonError(
            f"the line has the unknown key {shown(strange[0])}{suggestion(strange[0], KEYS)}"
        )
    return raw


def _record(raw: Mapping[str, Any], folder: Path, where: str, name: str) -> RigRecord:
    """Return what an object says."""
    words = {key: _text(raw, key) for key in ("source", "licence")}
    if "name" in raw:
        name = _text(raw, "name")
        check_name(name, "name")
    cameras = raw.get("cameras")
    if not isinstance(cameras, dict) or not cameras:
        raise ValueError(f"cameras is {shown(cameras)}, expected an object of at least one camera")
    taken = [parse_camera(camera, one, folder) for camera, one in cameras.items()]
    rig = Rig(tuple(one.camera for one in taken))
    found = _objects(raw["objects"], rig) if "objects" in raw else None
    return RigRecord(
        name,
        rig,
        {one.camera.name: one.picture for one in taken if one.picture is not None},
        {one.camera.name: one.stamp_s for one in taken if not math.isnan(one.stamp_s)},
        None if found is None else tuple(box for box, _ in found),
        () if found is None else tuple(boxes_px for _, boxes_px in found),
        parse_drivable(raw["drivable"], folder) if "drivable" in raw else nothing,
        words["source"],
        words["licence"],
        where,
        parse_map(raw["in_view"], "in_view", folder) if "in_view" in raw else nothing,
    )


def _text(raw: Mapping[str, Any], key: str) -> str:
    """Return a text, empty where it is left out."""
    value = raw.get(key, "")
    if not isinstance(value, str) or not value.isprintable():
        raise JsonError(f"{key} is {shown(value)}, expected printable text")
    return value


def _objects(raw: Any, rig: Rig) -> Sequence[tuple[Box, Mapping[str, BoxPx]]]:
    """Return the objects, and where somebody has drawn each in pictures."""
    if not isinstance(raw, list):
        raise JsonError(f"objects is {shown(raw)}, expected a list; leave it out if nobody looked")
    return [_box(one, f"object {at}", rig) for at, one in enumerate(raw)]


def _box(raw: Any, where: str, rig: Rig) -> tuple[Box, Mapping[str, BoxPx]]:
    """Return one object; they are counted from 0."""
    if not isinstance(raw, dict):
        raise JsonError(f"{where} is {shown(raw)}, expected an object")
    kind = raw.get("class")
    if not isinstance(kind, str):
        said = f"has the class {shown(kind)}" if "class" in raw else "lacks the key 'class'"
        raise JsonError(f"{where} {said}, expected text such as 'vehicle'")
    check_name(kind, f"{where}, class")
    rest = {key: value for key, value in raw.items() if key != "class"}
    line = from_json(_ObjectLine, rest, where, ("visible", "boxes_px"))
    place, sides = (line.x, line.y, line.z), (line.length, line.width, line.height)
    if max(map(abs, place)) > MOST_M or max(sides) > MOST_SIDE_M:
        raise ValueError(
            f"{where} is at {list(place)} with sides {list(sides)}, expected metres, up to "
            f"{MOST_M:g} and {MOST_SIDE_M:g}"
        )
    if abs(line.yaw) > TURN:
        raise ValueError(f"{where} has the yaw {line.yaw:g}, expected radians; are these degrees?")
    visible = None if "visible" not in raw else line.visible
    for camera, box in line.boxes_px.items():
        _check_box_px(box, f"{where}, boxes_px of camera {camera}", camera in rig.names)
    try:
        return Box(kind, *place, *sides, line.yaw, visible), line.boxes_px
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from None


def _check_box_px(box: BoxPx, where: str, is_known: bool) -> None:
    """Refuse a box in a picture of no camera, and one that is none."""
    if not is_known:
        raise ValueError(f"{where}: the rig has no such camera")
    x0, y0, x1, y1 = box
    if not (x0 < x1 and y0 < y1 and bool((np.abs(box) <= MOST_PX).all())):
        raise ValueError(f"{where} is {list(box)}, expected [x0, y0, x1, y1] pixels, rising")
