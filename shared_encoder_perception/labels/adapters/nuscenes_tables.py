# SPDX-License-Identifier: Apache-2.0
"""Tables of nuScenes: rows as checked dataclasses, of the keys that we need."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Final, TypeVar

from shared_encoder_perception.files.typed_json import from_json
from shared_encoder_perception.ground.rigid import Rigid
from shared_encoder_perception.labels.label_io import stream_objects
from shared_encoder_perception.tasks.label_files import LabelError

Row = TypeVar("Row")
Found = TypeVar("Found")
MOST_M: Final = 1e7
"""Of a coordinate in a map."""
MOST_TIME: Final = 10**17
"""Microseconds since 1970: a thousand years from now."""
_OPTIONAL: Final = ("height", "width", "visibility_token")


@dataclass(frozen=True)
class Sample:
    """A key frame."""

    token: str
    timestamp: int


@dataclass(frozen=True)
class SampleData:
    """What a sensor measured."""

    token: str
    sample_token: str
    ego_pose_token: str
    calibrated_sensor_token: str
    timestamp: int
    is_key_frame: bool
    filename: str
    height: int = 0
    width: int = 0

    def __post_init__(self) -> None:
        """Refuse a time that is none."""
        if not 0 <= self.timestamp <= MOST_TIME:
            raise ValueError("timestamp of a row of sample_data is no time in microseconds")


@dataclass(frozen=True)
class Sensor:
    """A sensor's name."""

    token: str
    channel: str
    modality: str


@dataclass(frozen=True)
class Placed:
    """A pose, in metres and as a quaternion ``(w, x, y, z)``."""

    token: str
    translation: tuple[float, float, float]
    rotation: tuple[float, float, float, float]

    def rigid(self) -> Rigid:
        """Return it.

        Raises:
            ValueError: Further away than any map reaches, or no rotation.
        """
        if max(map(abs, self.translation)) > MOST_M:
            raise ValueError(f"translation is {list(self.translation)}, expected metres")
        w, x, y, z = self.rotation
        return Rigid.from_quaternion(self.translation, (x, y, z, w))


@dataclass(frozen=True)
class Calibrated(Placed):
    """A sensor in the vehicle's frame."""

    sensor_token: str
    camera_intrinsic: tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class Annotation(Placed):
    """A box in the world; its size is ``(width, length, height)``."""

    sample_token: str
    instance_token: str
    size: tuple[float, float, float]
    visibility_token: str = ""


@dataclass(frozen=True)
class Instance:
    """A thing."""

    token: str
    category_token: str


@dataclass(frozen=True)
class Category:
    """A class of things."""

    token: str
    name: str


def tables_folder(path: Path) -> Path:
    """Return the only folder of tables in a folder, or itself.

    Raises:
        LabelError: There is none, or more than one.
    """
    if (path / "sample.json").exists():
        return path
    found = sorted(file.parent for file in path.glob("v1.0-*/sample.json"))
    if len(found) != 1:
        names = ", ".join(one.name for one in found) or "none"
        reason = f"expected one folder v1.0-.../ with sample.json, found {names}: name it"
        raise LabelError(path, None, reason)
    return found[0]


def rows(folder: Path, kind: type[Row], name: str) -> Iterator[Row]:
    """Read a table row by row, whatever its size; keys that we do not need are passed over.

    Raises:
        LabelError: It is missing, or a row is faulty.
    """
    path = folder / f"{name}.json"
    if not path.exists():
        raise LabelError(path, None, "the table is missing")
    keys = [key.name for key in fields(kind)]  # type: ignore[arg-type]
    for line, raw in stream_objects(path, name):
        try:
            known = {k: raw[k] for k in keys if k in raw} if isinstance(raw, dict) else raw
            yield from_json(kind, known, f"a row of {name}", _OPTIONAL)
        except ValueError as error:
            raise LabelError(path, line, str(error)) from None


def named(table: Mapping[str, Found], token: str, here: str, there: str) -> Found:
    """Return the row that a token of another table names.

    Args:
        table: The rows of ``there``, by their tokens.
        token: Which.
        here: The table that names it.
        there: The table that should have it.

    Raises:
        ValueError: There is no such row.
    """
    if token not in table:
        raise ValueError(f"{here} names {token!r}, which the table {there} does not have")
    return table[token]
