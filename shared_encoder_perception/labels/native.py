# SPDX-License-Identifier: Apache-2.0
"""The project's own data set: a folder with ``frames.jsonl``, one JSON object per picture.

docs/dataset_format.md is its specification; ``record_faults`` is that specification as code.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Final
from unicodedata import normalize

import cv2
import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception import tasks as table
from shared_encoder_perception.files.data_paths import (
    PathError,
    create,
    link_fault,
    path_fault,
    remove_named,
    shown,
    write_new,
)
from shared_encoder_perception.files.plain_file import plain
from shared_encoder_perception.files.whole_file import sole_writer
from shared_encoder_perception.images.preprocess import Crop
from shared_encoder_perception.labels.composites.index import FILE_NAME as INDEX_NAME
from shared_encoder_perception.labels.composites.index import is_index
from shared_encoder_perception.labels.disk_index import DiskIndex
from shared_encoder_perception.labels.frame import LabelledFrame, in_order
from shared_encoder_perception.labels.record_faults import IMAGE, IMAGES, load_record, pseudo_words
from shared_encoder_perception.tasks.label_files import (
    FILE_NAME,
    LabelError,
    file_keys,
    named_file,
)

JPEG: Final = (cv2.IMWRITE_JPEG_QUALITY, 95)


def labels_file(path: Path) -> Path:
    """Return the ``frames.jsonl`` of a set given by its folder or by that file.

    Raises:
        OSError: A pipe or a device is there, or a folder without that file.
        ValueError: It is an index of composites.
    """
    if path.name == INDEX_NAME or (path.is_dir() and is_index(path)):
        raise ValueError(
            f"{path} is an index of composites, expected a native set: write some of them as one "
            "with dataset render --composites"
        )
    if path.is_dir() and not os.path.lexists(path / FILE_NAME):
        raise FileNotFoundError(_no_set(path))
    return plain(path / FILE_NAME if path.is_dir() else path)


def _no_set(folder: Path) -> str:
    """Say what to do about a folder without ``frames.jsonl``."""
    told = f"there is no {FILE_NAME} in {folder}: "
    if (folder / f"{FILE_NAME}.part").exists():
        return f"{told}the command that wrote it did not finish; run it again"
    if all((folder / name).is_dir() for name in (IMAGES, "masks")):
        return f"{told}convert it first, e.g. dataset convert masks {folder} --out SET"
    return f"{told}convert other data sets first; dataset convert --help lists their formats"


def read(path: Path) -> Iterator[LabelledFrame]:
    """Read a set line by line.

    Args:
        path: The folder, or its ``frames.jsonl``.

    Raises:
        LabelError: The first fault of a line.
        FileNotFoundError: There is no such file.
    """
    path = labels_file(path)
    with path.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            yield parse(line, path, number)


def parse(text: str | bytes, path: Path, line: int) -> LabelledFrame:
    """Read one line of ``path``; see ``read``. Keys of no task that we know are ignored."""
    record, faults = load_record(text)
    if faults:
        raise LabelError(path, line, faults[0])
    size = (record["size"][0], record["size"][1])
    picture = named_file(path.parent, record[IMAGE], IMAGE, path, line)
    labels = {}
    for task, room in table.parts("labels").items():
        for key in file_keys(room):
            if record.get(key):
                named_file(path.parent, record[key], key, path, line)
        labels[task] = room.read(record, path.parent, size)
    words = pseudo_words()
    return LabelledFrame(
        name=record[IMAGE],
        image_path=picture,
        size=size,
        labels={task: label for task, label in labels.items() if label is not None},
        crop=Crop(*record["crop"]) if record.get("crop") else None,
        source=record.get("source", IMAGES),
        licence=record.get("licence", ""),
        pseudo=tuple(words[word] for word in record.get("pseudo", ()) if word in words),
        attributes=record.get("attributes", {}),
        notes=tuple(record.get("notes", ())),
        where=f"{path}, line {line}",
    )


class Writer:
    """Writes a set; ``frames.jsonl`` appears under its name when all is written.

    Use as a context manager: leaving it by an error leaves ``frames.jsonl.part`` behind. What that
    names is removed when a set is written there again; nothing else is, and nothing is overwritten.
    """

    def __init__(self, folder: Path, source: Path | None = None) -> None:
        """Write into ``folder`` what comes from ``source``.

        Raises:
            BusyError: Another run is writing there.
            ValueError: ``folder`` lies within the folder ``source``.
            FileExistsError: There is a set already.
        """
        self.folder, self._part = folder, folder / f"{FILE_NAME}.part"
        self.count = 0
        with ExitStack() as stack:
            stack.enter_context(sole_writer(folder, source))
            if (folder / FILE_NAME).exists():
                raise FileExistsError(
                    f"{folder / FILE_NAME} exists already: remove it, or choose another folder"
                )
            self._again = self._part.exists()
            _remove_unfinished(self._part)
            self._lines = stack.enter_context(create(self._part))
            self._names = stack.enter_context(DiskIndex())
            self._stems = stack.enter_context(DiskIndex())
            self._open = stack.pop_all()

    def __enter__(self) -> Writer:
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

    def write(
        self, frame: LabelledFrame, *, pictures: bool = True, encoded: bytes | None = None
    ) -> None:
        """Add one frame: its picture byte by byte, the files of its labels, its line.

        Args:
            frame: What to write; its name must be new in this set.
            pictures: Without, only the line is written, and labels that are no files.
            encoded: The picture's file, where it is not at ``frame.image_path``.

        Raises:
            FileExistsError: The set has a picture of this name, or its folder another file.
            PathError: The name leaves the set's folder, or the picture is a link out of its own.
        """
        image = picture_path(frame)
        if fault := path_fault(str(image)):
            raise PathError(f"the picture's name is {shown(str(image))}, {fault}")
        if (line := next(self._names.numbers(str(image)), None)) is not None:
            raise FileExistsError(
                f"{shown(str(image))} is in line {line} already, and nothing is overwritten: "
                "write what has the same names into sets of their own, then merge these"
            )
        rooms = table.parts("labels", in_order(frame.labels))
        if not pictures:
            rooms = {t: room for t, room in rooms.items() if not getattr(room, "IN_FILES", False)}
        labels = {task: frame.labels[task]() for task in rooms}
        if pictures:
            if self._again:  # a killed run may have left a picture that it did not come to name
                remove_named(self.folder, str(image))
            write_new(self.folder, image, encoded or _own_picture(frame))
        stem, keys = self._own_stem(image.relative_to(IMAGES)), dict[str, Any]()
        for task, room in rooms.items():
            keys |= room.write(labels[task], self.folder, stem)
        self._lines.write(json.dumps(record_of(frame, image, keys)) + "\n")
        self._lines.flush()
        self.count += 1
        self._names.add(str(image), self.count)
        self._stems.add(same_name(stem.with_suffix("")), self.count)

    def _own_stem(self, picture: Path) -> Path:
        """Return what files of labels are named by: they have suffixes of their own.

        ``a.jpg`` and ``a.png`` would share a mask ``a.png``.
        """
        while next(self._stems.numbers(same_name(picture.with_suffix(""))), None) is not None:
            picture = picture.with_name(f"{picture.name}.png")
        return picture


def _remove_unfinished(part: Path) -> None:
    """Remove the files that the lines of a set name which was never finished."""
    if part.is_symlink() or not part.is_file():
        return
    rooms = table.parts("labels").values()
    keys = [
        IMAGE,
        *(key for room in rooms for key in file_keys(room)),
    ]
    with part.open("rb") as lines:
        for line in lines:
            with suppress(ValueError, RecursionError, AttributeError):  # cut off, or not ours
                record = json.loads(line)
                for name in (record.get(key) for key in keys):
                    if isinstance(name, str) and len(Path(name).parts) > 1:
                        remove_named(part.parent, name)


def same_name(path: Path) -> str:
    """Return what two paths have in common if some system takes them for one file."""
    return normalize("NFC", str(path)).casefold()


def _own_picture(frame: LabelledFrame) -> bytes:
    """Read a frame's picture, unless a link in its data set leads out of there.

    Raises:
        PathError: It does, or there is no file but a pipe or a device.
    """
    path, name = frame.image_path, Path(frame.name).parts
    is_named = bool(name) and path.parts[-len(name) :] == name
    root = path.parents[len(name) - 1] if is_named else path.parent
    if fault := link_fault(root, path):
        raise PathError(f"the picture {shown(str(path))} is {fault}")
    return path.read_bytes()


def encode_picture(image: NDArray[np.uint8]) -> bytes:
    """Return a picture that is no file yet as JPEG."""
    return cv2.imencode(".jpg", image, JPEG)[1].tobytes()


def picture_path(frame: LabelledFrame) -> Path:
    """Return where a set keeps a frame's picture, relative to its folder."""
    folder = Path(f"{IMAGES}/{frame.source or IMAGES}")
    name = Path(frame.name)  # without "." and "//", behind which a prefix could hide
    return folder / (name.relative_to(folder) if name.is_relative_to(folder) else name)


def record_of(frame: LabelledFrame, image: Path, keys: Mapping[str, Any]) -> dict[str, Any]:
    """Return the JSON object of a frame; ``keys`` are those of its labels."""
    record: dict[str, Any] = {"image": image.as_posix(), "size": list(frame.size)}
    if frame.crop is not None:
        record["crop"] = list(frame.crop)
    rooms = table.parts("labels", frame.labels).values()
    last = {key for room in rooms for key in getattr(room, "LAST", ())}
    record |= dict(sorted(keys.items(), key=lambda item: item[0] in last))
    words = {task: word for word, task in pseudo_words().items()}
    if frame.pseudo:
        record["pseudo"] = [words[task] for task in frame.pseudo]
    if frame.notes:
        record["notes"] = list(frame.notes)
    if frame.attributes:
        record["attributes"] = dict(frame.attributes)
    for key in ("source", "licence"):
        if getattr(frame, key):
            record[key] = getattr(frame, key)
    return record
