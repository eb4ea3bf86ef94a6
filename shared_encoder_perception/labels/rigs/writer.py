# SPDX-License-Identifier: Apache-2.0
"""Writing a set of labelled rigs: pictures, masks, maps, and ``rigs.jsonl`` when all is there."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from hashlib import sha256
from pathlib import Path
from types import TracebackType
from typing import Any, Final, NamedTuple, TextIO

import cv2
import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.drawing.pictures import as_png
from shared_encoder_perception.files.data_paths import (
    PathError,
    create,
    path_fault,
    remove_named,
    shown,
    write_new,
)
from shared_encoder_perception.files.whole_file import sole_writer
from shared_encoder_perception.labels.disk_index import DiskIndex
from shared_encoder_perception.labels.native import JPEG, same_name
from shared_encoder_perception.labels.rigs.cameras import OWN, camera_line
from shared_encoder_perception.labels.rigs.ground import map_line
from shared_encoder_perception.labels.rigs.lines import FILE_NAME
from shared_encoder_perception.labels.rigs.record import RigRecord
from shared_encoder_perception.rig.boxes import Box
from shared_encoder_perception.tasks.label_files import FILE_NAME as OTHER_NAME

PICTURES, MASKS = "images", "own"
"""Folders of a set."""
MAPS: Final = ("drivable", "in_view")
"""Keys of a line whose maps are files, and the folders of these."""
PNG, JPG = ".png", ".jpg"
_PLACES: Final = ("x", "y", "z")


class Encoded(NamedTuple):
    """A picture's file: what its name ends in, and its content."""

    suffix: str
    content: bytes


def encoded(image: NDArray[np.uint8], suffix: str = JPG) -> Encoded:
    """Return a picture that is no file yet, (H, W, 3) uint8 BGR, as ``PNG`` or ``JPG``."""
    if suffix == PNG:
        return Encoded(PNG, as_png(image))
    return Encoded(JPG, cv2.imencode(JPG, image, JPEG)[1].tobytes())


class RigWriter:
    """Writes a set; ``rigs.jsonl`` appears under its name when all is written.

    Use as a context manager: leaving it by an error leaves ``rigs.jsonl.part`` behind, with which
    another run goes on, or begins anew. Nothing else is overwritten.

    Attributes:
        done: Names that an earlier run has written, when this one goes on with it.
        count: Lines in the set so far.
    """

    def __init__(self, folder: Path, source: Path | None = None, resume: bool = False) -> None:
        """Write into ``folder`` what comes from ``source``.

        Args:
            folder: Of the set.
            source: Where pictures come from; the set must not lie in it.
            resume: Whether to go on with what an earlier run has left.

        Raises:
            BusyError: Another run is writing there.
            ValueError: ``folder`` lies within the folder ``source``.
            FileExistsError: There is a set already.
        """
        self.folder, self._part = folder, folder / f"{FILE_NAME}.part"
        self.done: frozenset[str] = frozenset()
        with ExitStack() as stack:
            stack.enter_context(sole_writer(folder, source))
            for name in (FILE_NAME, OTHER_NAME):  # a folder is one data set
                if (folder / name).exists():
                    raise FileExistsError(
                        f"{folder / name} exists already: remove it, or choose another folder"
                    )
            self._again = self._part.is_file() and not self._part.is_symlink()
            self._names = stack.enter_context(DiskIndex())
            self.count = 0
            if self._again and resume:
                self.done = self._taken_over()
                lines: TextIO = self._part.open("a", encoding="utf-8")
            else:
                for _, line in _whole_lines(self._part) if self._again else ():
                    for name in _files(line):
                        remove_named(folder, name)
                lines = create(self._part)
            self._lines = stack.enter_context(lines)
            self._open = stack.pop_all()

    def __enter__(self) -> RigWriter:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close; rename when nothing went wrong."""
        with self._open:
            if kind is None:
                self._lines.close()
                os.replace(self._part, self.folder / FILE_NAME)

    def write(self, record: RigRecord, pictures: Mapping[str, Encoded] | None = None) -> None:
        """Add one moment: its pictures byte by byte, masks and maps as PNG, its line.

        Args:
            record: What to write; its name must be new in this set.
            pictures: By the camera's name, files that are not at ``record.pictures``.

        Raises:
            FileExistsError: The set has this name, or its folder another file.
            PathError: A name leaves the set's folder.
            OSError: A picture is missing.
        """
        place = Path(record.source or PICTURES)
        if fault := path_fault(str(place)) or path_fault(record.name):
            raise PathError(
                f"the source is {shown(record.source)}, the name {shown(record.name)}, {fault}"
            )
        if (before := next(self._names.numbers(same_name(Path(record.name))), None)) is not None:
            raise FileExistsError(
                f"{shown(record.name)} is in line {before} already, and nothing is overwritten"
            )
        if pictures is None:
            pictures = {
                name: Encoded(path.suffix, path.read_bytes())
                for name, path in record.pictures.items()
            }
        cameras = {}
        for number, camera in enumerate(record.rig.cameras):
            line = camera_line(camera)
            if camera.name in pictures:
                suffix, content = pictures[camera.name]
                file = Path(PICTURES) / place / _folder(camera.name, number)
                line["image"] = self._write(file / f"{record.name}{suffix}", content)
            if camera.own is not None:
                mask = as_png(np.where(camera.own, OWN, 0).astype(np.uint8))
                file = Path(MASKS) / f"{sha256(mask).hexdigest()[:20]}{PNG}"
                line["own"] = self._write(file, mask)
            if camera.name in record.stamps_s:
                line["stamp_s"] = record.stamps_s[camera.name]
            cameras[camera.name] = line
        written: dict[str, Any] = {"name": record.name, "cameras": cameras}
        if record.objects is not None:
            written["objects"] = [
                object_line(box, record.boxes_px[at] if at < len(record.boxes_px) else {})
                for at, box in enumerate(record.objects)
            ]
        for key in MAPS:
            if (area := getattr(record, key)()) is not None:
                file = Path(key) / place / f"{record.name}.png"
                written[key] = map_line(area, self._write(file, as_png(area.values)))
        for key in ("source", "licence"):
            if getattr(record, key):
                written[key] = getattr(record, key)
        self._lines.write(json.dumps(written, allow_nan=False) + "\n")
        self._lines.flush()
        self._count(record.name)

    def _count(self, name: str) -> None:
        """Remember a name of the set."""
        self.count += 1
        self._names.add(same_name(Path(name)), self.count)

    def _taken_over(self) -> frozenset[str]:
        """Cut off what an earlier run did not finish; return the names of what it did."""
        ends, names = [0], []
        for end, line in _whole_lines(self._part):
            ends.append(end)
            names.append(line["name"])
            self._count(line["name"])
        os.truncate(self._part, ends[-1])
        return frozenset(names)

    def _write(self, name: Path, content: bytes) -> str:
        """Write a file of the set, and return its name."""
        path = self.folder / name
        if self._again and path.is_file() and path.read_bytes() != content:
            remove_named(self.folder, str(name))  # what a killed run did not come to name
        write_new(self.folder, name, content)
        return name.as_posix()


def object_line(box: Box, boxes_px: Mapping[str, Sequence[float]]) -> dict[str, Any]:
    """Return the JSON object of a thing."""
    line: dict[str, Any] = {"class": box.kind}
    line |= {key: getattr(box, f"{key}_m") for key in (*_PLACES, "length", "width", "height")}
    line["yaw"] = math.remainder(box.yaw_rad, 2 * math.pi)
    if box.visible is not None:
        line["visible"] = box.visible
    if boxes_px:
        line["boxes_px"] = {camera: list(corners) for camera, corners in boxes_px.items()}
    return line


def _folder(camera: str, number: int) -> str:
    """Return the folder of a camera's pictures: its name, where that can be one."""
    fits = not path_fault(camera) and "/" not in camera and "\\" not in camera
    return camera if fits and not camera.startswith(".") else f"camera_{number}"


def _whole_lines(part: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the lines of a set that was not finished, up to one that was cut off.

    Yields:
        Where in the file the line ends, bytes, and its object.
    """
    end = 0
    with part.open("rb") as lines:
        for line in lines:
            try:
                record = json.loads(line)
            except (ValueError, RecursionError):
                return
            if not (line.endswith(b"\n") and isinstance(record, dict)):
                return
            if not (isinstance(record.get("name"), str) and "cameras" in record):
                return
            end += len(line)
            yield end, record


def _files(line: Mapping[str, Any]) -> Iterator[str]:
    """Yield the files of a line that no other line shares."""
    cameras = line["cameras"]
    for camera in cameras.values() if isinstance(cameras, dict) else ():
        if isinstance(camera, dict) and isinstance(camera.get("image"), str):
            yield camera["image"]
    for area in map(line.get, MAPS):
        if isinstance(area, dict) and isinstance(area.get("file"), str):
            yield area["file"]
