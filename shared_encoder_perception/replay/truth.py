# SPDX-License-Identifier: Apache-2.0
"""What is true of the images of a bag: from its own topics, or from a native data set beside it.

A line of a ``frames.jsonl`` belongs to the image of the bag with

1. the stamp in its attribute ``stamp_ns``, else
2. the stamp that its picture is named by, in nanoseconds: ``1700000000123456789.jpg``, else
3. the number that its picture is named by, counted from 0 on the topic: ``frame_000123.jpg``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, NamedTuple

from shared_encoder_perception.labels import native
from shared_encoder_perception.labels.frame import LabelledFrame
from shared_encoder_perception.replay.reading import BagFrame
from shared_encoder_perception.structures import Size

STAMP_NAME: Final = re.compile(r"\d{16,19}")
FRAME_NAME: Final = re.compile(r"frame_(\d+)")
RULE: Final = (
    "a line belongs to an image by its attribute stamp_ns, or by its picture's name: the stamp in "
    "nanoseconds, or frame_ and the image's number on the topic, from 0"
)


Truth = Mapping[str, Any]
"""What is known of one image: as ``Sample.labels``."""
FindTruth = Callable[[BagFrame], Truth | None]
"""Returns what is known of an image of the bag."""


def from_topics(frame: BagFrame) -> Truth | None:
    """Return what came with the image in the bag."""
    return frame.labels


class _Place(NamedTuple):
    """Where a line is in its file."""

    offset: int
    number: int


class LabelFile:
    """Finds the lines of a ``frames.jsonl``; they are read when they are needed.

    Attributes:
        sha256: Of the file, which tells two versions of it apart.
        labels: Lines that name an image of a bag.
    """

    def __init__(self, path: Path) -> None:
        """Look where every line is.

        Args:
            path: The file, or its folder.

        Raises:
            ValueError: A line is faulty, two are of one image, or none says which image it is of.
            OSError: There is no such file.
        """
        self._path = native.labels_file(path)
        self._stamps: dict[int, _Place] = {}
        self._frames: dict[int, _Place] = {}
        digest, offset = sha256(), 0
        with self._path.open("rb") as lines:
            for number, line in enumerate(lines, start=1):
                self._index(native.parse(line, self._path, number), _Place(offset, number))
                digest.update(line)
                offset += len(line)
        self.sha256 = digest.hexdigest()
        self.labels = len(self._stamps) + len(self._frames)
        if not self.labels:
            raise ValueError(f"{self._path} names no image of a bag: {RULE}")

    def _index(self, frame: LabelledFrame, place: _Place) -> None:
        """Remember which image a line is of, if it says so."""
        stem = Path(frame.name).stem
        stamp = frame.attributes.get("stamp_ns", stem)
        if STAMP_NAME.fullmatch(str(stamp)):
            known, key = self._stamps, int(stamp)
        elif match := FRAME_NAME.fullmatch(stem):
            known, key = self._frames, int(match[1])
        else:
            return
        if (first := known.setdefault(key, place)) != place:
            raise ValueError(f"{frame.where}: line {first.number} is of the same image")

    def __call__(self, frame: BagFrame) -> Truth | None:
        """Return what is known of an image.

        Raises:
            ValueError: The label is for an image of another size, or cannot be read.
        """
        place = self._stamps.get(frame.stamp_ns) or self._frames.get(frame.index)
        if place is None or frame.image is None:
            return None
        with self._path.open("rb") as lines:
            lines.seek(place.offset)
            label = native.parse(lines.readline(), self._path, place.number).to_score()
        _check_size(label, (frame.image.shape[0], frame.image.shape[1]))
        return {name: read() for name, read in label.labels.items()}


def _check_size(label: LabelledFrame, size: Size) -> None:
    """Refuse labels that cannot be of this image."""
    if tuple(label.size) != size:
        raise ValueError(
            f"{label.where}: the labels are for {label.size[1]}x{label.size[0]}, the image in the "
            f"bag is {size[1]}x{size[0]}"
        )
