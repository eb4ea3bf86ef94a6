# SPDX-License-Identifier: Apache-2.0
"""Where frames are mined from: a rosbag2, a video, a folder of images, or a native data set."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.images.bags import bag_name, is_bag
from shared_encoder_perception.images.sources import Frame, VideoSource, open_source
from shared_encoder_perception.labels import native
from shared_encoder_perception.labels.frame import LabelledFrame
from shared_encoder_perception.labels.pseudo import by_people, plain_frame, source_of
from shared_encoder_perception.replay.reading import BagImages
from shared_encoder_perception.tasks.label_files import FILE_NAME

LABELLED: Final = "labelled by people already"


@dataclass(frozen=True, eq=False)
class Found:
    """One image that may be labelled.

    Attributes:
        frame: With the labels that people have made, if any.
        image: (H, W, 3) uint8 BGR.
        stamp_ns: When it was taken; ``None`` where the source does not say so.
    """

    frame: LabelledFrame
    image: NDArray[np.uint8]
    stamp_ns: int | None


@dataclass(eq=False)
class Images:
    """The images of a source; they can be read several times, in the same order.

    Attributes:
        path: The source.
        topic: Of a bag's images.
        is_drive: Whether each image follows the one before in time.
        total: How many there are; 0 where only reading tells.
        skipped: Reason -> images that were left out in the last reading.
        problems: What else could not be read, one line each.
    """

    path: Path
    topic: str | None
    is_drive: bool
    total: int
    skipped: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, path: Path, topic: str | None) -> Images:
        """Open a source.

        Raises:
            ValueError: Nothing can be read there, with the reason.
        """
        if is_bag(path):
            bag = BagImages.of(path, topic, None)
            return cls(path, bag.topic, True, bag.total)
        if _is_native(path):
            if topic is not None:
                raise ValueError(f"--topic is for bags, and {path} is none")
            total = sum(1 for _ in native.read(path))
            if not total:
                raise ValueError(f"{path} lists no image")
            return cls(path, None, False, total)
        source = open_source(path, topic)
        return cls(path, None, isinstance(source, VideoSource), len(source))

    def read(self, answered: Collection[str]) -> Iterator[Found]:
        """Yield the images for which people have not labelled all of some tasks yet."""
        self.skipped.clear()
        if is_bag(self.path):
            yield from self._read_bag()
        elif _is_native(self.path):
            yield from self._read_native(answered)
        else:
            source = open_source(self.path)
            self.problems = source.problems
            for found in source:
                yield _plain(found, source_of(self.path))

    def _read_bag(self) -> Iterator[Found]:
        """Yield what can be read of a bag; the rest is counted."""
        bag = BagImages.of(self.path, self.topic, None)
        self.problems = bag.problems
        for found in bag.frames():
            if found.image is None:
                self.skipped[found.fault] += 1
                continue
            name = f"frame_{found.index:06d}"
            yield _plain(Frame(name, found.image, stamp_ns=found.stamp_ns), bag_name(self.path))

    def _read_native(self, answered: Collection[str]) -> Iterator[Found]:
        """Yield the pictures of a set; people's labels are kept, a teacher's are not."""
        self.problems = []
        for frame in native.read(self.path):
            people = by_people(frame)
            if set(answered) <= set(people.known()):
                self.skipped[LABELLED] += 1
                continue
            try:
                image = people.read_image()
            except ValueError as error:
                self.problems.append(str(error))
                continue
            yield Found(people, image, None)


def _is_native(path: Path) -> bool:
    """Whether ``path`` is a native data set."""
    return path.name == FILE_NAME or (path / FILE_NAME).is_file()


def _plain(found: Frame, source: str) -> Found:
    """Describe an image that is no labelled one."""
    return Found(plain_frame(found, source), found.image, found.stamp_ns)
