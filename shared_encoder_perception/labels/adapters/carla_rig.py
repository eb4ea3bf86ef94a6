# SPDX-License-Identifier: Apache-2.0
"""Recordings of several cameras in CARLA, which has no layout of its own for them.

docs/rigs_format.md says how a folder must look: ``frames/*.json``, one file a moment, with what
CARLA's objects say, untouched: its left-handed frame, its degrees, its half sizes. What becomes of
these stands in ``carla_frame``.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from shared_encoder_perception.files.data_paths import inside
from shared_encoder_perception.files.typed_json import from_json, parse_json, shown, suggestion
from shared_encoder_perception.ground.rigid import Rigid
from shared_encoder_perception.ground.view import CameraView
from shared_encoder_perception.images.listing import files_matching
from shared_encoder_perception.labels.adapters.carla_frame import (
    Location,
    Rotation,
    box,
    extrinsics,
    lens,
    pose,
)
from shared_encoder_perception.labels.label_io import read_label
from shared_encoder_perception.labels.rigs.cameras import (
    MOST_SIDE_PX,
    check_name,
    placed,
)
from shared_encoder_perception.labels.rigs.record import RigRecord
from shared_encoder_perception.rig.boxes import Box
from shared_encoder_perception.rig.rig import Rig, RigCamera
from shared_encoder_perception.tasks.label_files import LabelError

PATTERN: Final = "frames/*.json"
KEYS: Final = ("timestamp", "ego", "sensors", "actors")
SOURCE: Final = "carla"
LICENCE: Final = "as the recording"
MOST_M: Final = 1e6
"""Of a coordinate in a world."""
TWO_WHEELS: Final = (
    *("bh.crossbike", "diamondback.century", "gazelle.omafiets"),
    *("harley-davidson.low_rider", "kawasaki.ninja", "vespa.zx125", "yamaha.yzf"),
)
"""Blueprints of bicycles and motorcycles, for recordings that do not say ``wheels``."""


@dataclass(frozen=True)
class _Place:
    """A ``carla.Location`` or ``Vector3D``."""

    x: float
    y: float
    z: float

    def metres(self) -> Location:
        """Return it, if it is one.

        Raises:
            ValueError: Further away than any world reaches.
        """
        if max(abs(self.x), abs(self.y), abs(self.z)) > MOST_M:
            raise ValueError(f"a place is {self.x, self.y, self.z}, expected metres")
        return Location(self.x, self.y, self.z)


@dataclass(frozen=True)
class _Angles:
    """A ``carla.Rotation``."""

    pitch: float
    yaw: float
    roll: float

    def degrees(self) -> Rotation:
        """Return it, if it is one.

        Raises:
            ValueError: More than a turn.
        """
        if max(abs(self.pitch), abs(self.yaw), abs(self.roll)) > 360:
            raise ValueError(
                f"pitch, yaw, roll are {self.pitch, self.yaw, self.roll}, expected degrees"
            )
        return Rotation(self.pitch, self.yaw, self.roll)


@dataclass(frozen=True)
class _Transform:
    """A ``carla.Transform``."""

    location: _Place
    rotation: _Angles

    def rigid(self) -> Rigid:
        """Return it in our frame."""
        return pose(self.location.metres(), self.rotation.degrees())


@dataclass(frozen=True)
class _Sensor:
    """A camera, and its picture."""

    image: str
    width: int
    height: int
    fov: float
    transform: _Transform
    timestamp: float = math.nan


@dataclass(frozen=True)
class _BoundingBox:
    """A ``carla.BoundingBox``: half sizes, in the actor's frame."""

    location: _Place
    extent: _Place
    rotation: _Angles


@dataclass(frozen=True)
class _Actor:
    """A vehicle, a walker or a thing."""

    type: str
    transform: _Transform
    bounding_box: _BoundingBox
    id: int = -1
    wheels: int = 0
    visible: float = math.nan


@dataclass(frozen=True)
class _Ego:
    """The vehicle that carries the cameras."""

    transform: _Transform
    id: int = -1


@dataclass(frozen=True)
class _Moment:
    """What a file says of all."""

    timestamp: float


def read(path: Path) -> Iterator[RigRecord | LabelError]:
    """Read a recording, file by file in the order of their names.

    Args:
        path: The folder.

    Yields:
        Each moment, or what is wrong with it.

    Raises:
        LabelError: There is no file.
    """
    count = 0
    for file in sorted(files_matching(path, PATTERN)):
        count += 1
        try:
            yield _record(path, file)
        except LabelError as error:
            yield error
        except ValueError as error:
            yield LabelError(file, None, str(error))
    if not count:
        raise LabelError(path, None, f"no recording: expected {PATTERN}, see docs/rigs_format.md")


def kind_of(type_id: str, wheels: int = 0) -> str:
    """Return our class of an actor's type, such as ``vehicle.tesla.model3``."""
    first, _, rest = type_id.partition(".")
    if first == "vehicle":
        return "two_wheels" if wheels == 2 or (not wheels and rest in TWO_WHEELS) else "vehicle"
    return "person" if first == "walker" else type_id


def _record(root: Path, file: Path) -> RigRecord:
    """Return what a file says."""
    raw = parse_json(read_label(file), "the file")
    if not isinstance(raw, dict):
        raise ValueError(f"the file holds {shown(raw)}, expected an object")
    if strange := [key for key in raw if key not in KEYS]:
        raise ValueError(f"unknown key {shown(strange[0])}{suggestion(strange[0], KEYS)}")
    rest = {key: value for key, value in raw.items() if key == "timestamp"}
    stamp_s = from_json(_Moment, rest, "the file").timestamp
    ego = from_json(_Ego, raw.get("ego"), "ego", ("id",))
    vehicle, given = ego.transform.rigid(), raw.get("sensors")
    if not isinstance(given, dict) or not given:
        raise ValueError(f"sensors is {shown(given)}, expected an object of at least one camera")
    sensors = {}
    for name, one in given.items():
        check_name(name, "the name of a camera")
        sensors[name] = from_json(_Sensor, one, f"camera {name}", ("timestamp",))
    return RigRecord(
        file.stem,
        Rig(tuple(_camera(name, one, vehicle) for name, one in sensors.items())),
        {name: inside(root, one.image, f"camera {name}, image") for name, one in sensors.items()},
        {
            name: stamp_s if math.isnan(one.timestamp) else one.timestamp
            for name, one in sensors.items()
        },
        _objects(raw["actors"], ego.id, vehicle) if "actors" in raw else None,
        source=SOURCE,
        licence=LICENCE,
        where=str(file),
    )


def _camera(name: str, sensor: _Sensor, vehicle: Rigid) -> RigCamera:
    """Return a camera in the vehicle's frame."""
    try:
        size = (sensor.height, sensor.width)
        if not all(1 <= side <= MOST_SIDE_PX for side in size):
            raise ValueError(f"width, height are {size[::-1]}, expected pixels")
        pose_in = extrinsics(vehicle, sensor.transform.rigid())
        pose_in = placed(pose_in.rotation, pose_in.position)
        return RigCamera(name, CameraView(lens(size, sensor.fov), pose_in))
    except ValueError as error:
        raise ValueError(f"camera {name}: {error}") from None


def _objects(raw: Any, ego_id: int, vehicle: Rigid) -> tuple[Box, ...]:
    """Return the boxes of all actors but the vehicle itself."""
    if not isinstance(raw, list):
        raise ValueError(f"actors is {shown(raw)}, expected a list; leave it out if nobody looked")
    boxes = []
    for at, one in enumerate(raw):
        where = f"actor {at}"
        actor = from_json(_Actor, _upright(one), where, ("id", "wheels", "visible"))
        if actor.id == ego_id and ego_id >= 0:
            continue
        try:
            boxes.append(_box(actor, vehicle))
        except ValueError as error:
            raise ValueError(f"{where}: {error}") from None
    return tuple(boxes)


def _upright(raw: Any) -> Any:
    """Return an actor whose box is not turned in the actor's frame, if nothing is said of that."""
    drawn = raw.get("bounding_box") if isinstance(raw, dict) else None
    if not isinstance(drawn, dict):
        return raw
    return {**raw, "bounding_box": {"rotation": {"pitch": 0, "yaw": 0, "roll": 0}, **drawn}}


def _box(actor: _Actor, vehicle: Rigid) -> Box:
    """Return an actor's box."""
    kind, drawn = kind_of(actor.type, actor.wheels), actor.bounding_box
    check_name(kind, "type")
    at = actor.transform.rigid().after(pose(drawn.location.metres(), drawn.rotation.degrees()))
    visible = None if math.isnan(actor.visible) else actor.visible
    return box(kind, at, drawn.extent.metres(), vehicle, visible)
