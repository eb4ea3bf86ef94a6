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

from shared_encoder_perception.images.preprocess import Crop
from shared_encoder_perception.labels.frame import LabelError, LabelledFrame, Mask
from shared_encoder_perception.labels.record_faults import FILE_NAME, load_record
from shared_encoder_perception.tasks.drivable.labels import (
    MASK_DRIVABLE,
    MASK_IGNORE,
    MASK_NOT_DRIVABLE,
)
from shared_encoder_perception.tasks.lanes.answer import LaneId

MASK: Final = "mask"
MASK_CONFIDENCE: Final = "mask_confidence"
MASK_VALUES: Final = (MASK_NOT_DRIVABLE, MASK_IGNORE, MASK_DRIVABLE)
JPEG: Final = (cv2.IMWRITE_JPEG_QUALITY, 95)
DECIMALS: Final = 2
"""Of written coordinates, pixels."""


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
    """Read one line of ``path``; see ``read``."""
    record, faults = load_record(text)
    if faults:
        raise LabelError(path, line, faults[0])
    lanes = {
        lane: _points(record["lanes"][lane.label])
        for lane in LaneId
        if lane.label in record.get("lanes", {})
    }
    mask, confidence = (
        path.parent / record[key] if record.get(key) else None for key in (MASK, MASK_CONFIDENCE)
    )
    size = (record["size"][0], record["size"][1])
    return LabelledFrame(
        name=record["image"],
        image_path=path.parent / record["image"],
        size=size,
        lanes=lanes,
        boundaries=tuple(np.array(line, np.float32) for line in record.get("boundaries", ())),
        read_mask=None if mask is None else lambda: read_mask(mask, size),
        crop=Crop(*record["crop"]) if record.get("crop") else None,
        source=record.get("source", "images"),
        licence=record.get("licence", ""),
        pseudo=tuple(record.get("pseudo", ())),
        attributes=record.get("attributes", {}),
        notes=tuple(record.get("notes", ())),
        where=f"{path}, line {line}",
        lane_confidence={
            LaneId[name.upper()]: float(value)
            for name, value in record.get("lane_confidence", {}).items()
        },
        read_mask_confidence=None if confidence is None else lambda: _plane(confidence, size),
    )


def read_mask(path: Path, size: tuple[int, int]) -> Mask:
    """Read a mask and check it.

    Raises:
        LabelError: Unreadable, of another size, or with other values than 255, 0 and 127.
    """
    mask = _plane(path, size)
    histogram = cv2.calcHist([mask], [0], None, [256], [0, 256]).ravel()  # 10 x bincount's speed
    strange = [v for v in np.flatnonzero(histogram).tolist() if v not in MASK_VALUES]
    if strange:
        raise LabelError(path, None, f"the mask has values {strange}, expected only {MASK_VALUES}")
    return mask


def _plane(path: Path, size: tuple[int, int]) -> Mask:
    """Read a picture of one byte per pixel and check its size."""
    plane = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if plane is None:
        raise LabelError(path, None, "cannot read the mask")
    if plane.dtype != np.uint8 or plane.ndim != 2 or plane.shape != tuple(size):
        raise LabelError(
            path, None, f"the mask is {plane.dtype} {plane.shape}, expected uint8 {tuple(size)}"
        )
    return np.asarray(plane)


def _points(value: list[list[float]] | None) -> NDArray[np.float32] | None:
    """A lane as ``Sample.lanes`` has it."""
    return None if value is None else np.array(value, np.float32)


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
        """Add one frame: its picture byte by byte, its mask as PNG, its line.

        Args:
            frame: What to write; its name must be new in this set.
            pictures: Without, only the line is written: labels alone have their uses.
            encoded: The picture's file, where it is not at ``frame.image_path``.
        """
        image = picture_path(frame)
        planes: dict[str, Path] = {}
        if pictures:
            data = encoded or frame.image_path.read_bytes()
            for key, folder, read_plane in (
                (MASK, "masks", frame.read_mask),
                (MASK_CONFIDENCE, "confidence", frame.read_mask_confidence),
            ):
                if read_plane is not None:
                    path = Path(folder) / image.relative_to("images").with_suffix(".png")
                    _write_file(self.folder / path, cv2.imencode(".png", read_plane())[1].tobytes())
                    planes[key] = path
            _write_file(self.folder / image, data)
        self._lines.write(json.dumps(record_of(frame, image, planes)) + "\n")
        self.count += 1


def encode_picture(image: NDArray[np.uint8]) -> bytes:
    """Return a picture that is no file yet as JPEG."""
    return cv2.imencode(".jpg", image, JPEG)[1].tobytes()


def picture_path(frame: LabelledFrame) -> Path:
    """Return where a set keeps a frame's picture, relative to its folder."""
    folder = f"images/{frame.source or 'images'}"
    return Path(folder) / frame.name.removeprefix(f"{folder}/")


def record_of(frame: LabelledFrame, image: Path, planes: Mapping[str, Path]) -> dict[str, Any]:
    """Return the JSON object of a frame; ``planes`` are the files of its mask, by key."""
    record: dict[str, Any] = {"image": image.as_posix(), "size": list(frame.size)}
    if frame.crop is not None:
        record["crop"] = list(frame.crop)
    if frame.lanes:
        record["lanes"] = {
            LaneId(lane).label: None if points is None else _rounded(points)
            for lane, points in frame.lanes.items()
        }
    if frame.boundaries:
        record["boundaries"] = [_rounded(points) for points in frame.boundaries]
    record |= {key: path.as_posix() for key, path in planes.items()}
    if frame.lane_confidence:
        record["lane_confidence"] = {
            LaneId(lane).label: round(value, 3) for lane, value in frame.lane_confidence.items()
        }
    for key in ("pseudo", "notes"):
        if getattr(frame, key):
            record[key] = list(getattr(frame, key))
    if frame.attributes:
        record["attributes"] = dict(frame.attributes)
    for key in ("source", "licence"):
        if getattr(frame, key):
            record[key] = getattr(frame, key)
    return record


def _rounded(points: NDArray) -> list[list[float]]:
    """Coordinates for JSON."""
    return np.round(points.astype(np.float64), DECIMALS).tolist()


def _write_file(path: Path, data: bytes) -> None:
    """Write a file and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
