"""The project's own data set: a folder with ``frames.jsonl``, one JSON object per picture.

docs/dataset_format.md is its specification; ``record_faults`` is that specification as code.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception import tasks as table
from shared_encoder_perception.images.preprocess import Crop
from shared_encoder_perception.labels.frame import LabelledFrame, in_order
from shared_encoder_perception.labels.record_faults import load_record, pseudo_words
from shared_encoder_perception.tasks.label_files import FILE_NAME, LabelError

JPEG: Final = (cv2.IMWRITE_JPEG_QUALITY, 95)
IMAGES: Final = "images"
"""Folder of the pictures, and the source of those that name none."""


def labels_file(path: Path) -> Path:
    """Return the ``frames.jsonl`` of a set given by its folder or by that file."""
    return path / FILE_NAME if path.is_dir() else path


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
    labels = {
        task: room.read(record, path.parent, size) for task, room in table.parts("labels").items()
    }
    words = pseudo_words()
    return LabelledFrame(
        name=record["image"],
        image_path=path.parent / record["image"],
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

    Use as a context manager: leaving it by an error leaves ``frames.jsonl.part`` behind.
    """

    def __init__(self, folder: Path) -> None:
        """Write into ``folder``.

        Raises:
            FileExistsError: There is a set already.
        """
        self.folder = folder
        if (folder / FILE_NAME).exists():
            raise FileExistsError(
                f"{folder / FILE_NAME} exists already: remove it, or choose another folder"
            )
        folder.mkdir(parents=True, exist_ok=True)
        self._part = folder / f"{FILE_NAME}.part"
        self._lines = self._part.open("w", encoding="utf-8")
        self.count = 0

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
        self._lines.close()
        if kind is None:
            os.replace(self._part, self.folder / FILE_NAME)

    def write(
        self, frame: LabelledFrame, *, pictures: bool = True, encoded: bytes | None = None
    ) -> None:
        """Add one frame: its picture byte by byte, the files of its labels, its line.

        Args:
            frame: What to write; its name must be new in this set.
            pictures: Without, only the line is written, and labels that are no files.
            encoded: The picture's file, where it is not at ``frame.image_path``.
        """
        image = picture_path(frame)
        data = (encoded or frame.image_path.read_bytes()) if pictures else b""
        keys: dict[str, Any] = {}
        for task, read_label in in_order(frame.labels).items():
            room = table.part(task, "labels")
            if pictures or not getattr(room, "IN_FILES", False):
                keys |= room.write(read_label(), self.folder, image.relative_to(IMAGES))
        if pictures:
            path = self.folder / image
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        self._lines.write(json.dumps(record_of(frame, image, keys)) + "\n")
        self.count += 1


def encode_picture(image: NDArray[np.uint8]) -> bytes:
    """Return a picture that is no file yet as JPEG."""
    return cv2.imencode(".jpg", image, JPEG)[1].tobytes()


def picture_path(frame: LabelledFrame) -> Path:
    """Return where a set keeps a frame's picture, relative to its folder."""
    folder = f"{IMAGES}/{frame.source or IMAGES}"
    return Path(folder) / frame.name.removeprefix(f"{folder}/")


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
