# SPDX-License-Identifier: Apache-2.0
"""The images of one topic of a bag, one by one, each with its labels where the bag has them.

    images = BagImages.of(Path("drive"), topic=None, labels=None)
    for frame in images.frames(): ...

What cannot be read is told, not raised, once the first image can be: an image in its own place, the
rest of a bag that breaks off in ``problems``.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import perf_counter
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.images.bags import (
    BagError,
    check_not_empty,
    first_line,
    image_topic,
    images_of,
    open_bag,
    pictures_beside,
)
from shared_encoder_perception.images.image_msg import to_bgr
from shared_encoder_perception.images.stamps import stamp_ns
from shared_encoder_perception.images.taken import Taken, of_message
from shared_encoder_perception.replay.topic_labels import LabelTopics

LABEL_WINDOW: Final = 30
"""Images that wait for their labels, which may come that much later in the bag."""


@dataclass(frozen=True, eq=False)
class BagFrame:
    """One image message.

    Attributes:
        index: It is the index-th one of its topic, from 0.
        arrived_ns: When it was recorded.
        header: Its ``std_msgs/Header``; ``None`` when the message cannot be read.
        image: (H, W, 3) uint8 BGR; ``None`` when there is a fault.
        fault: Why it cannot be used; empty if it can.
        conversion_ms: From message to pixels.
        labels: That the bag carries for it, as ``Sample.labels``; ``None`` for none.
        encoding: Of the message; empty where it does not say.
        beside: The newest pictures that were recorded before it, of ``BagImages.beside``.
    """

    index: int
    arrived_ns: int
    header: Any
    image: NDArray[np.uint8] | None
    fault: str = ""
    conversion_ms: float = 0.0
    labels: Mapping[str, Any] | None = None
    encoding: str = ""
    beside: Mapping[str, Taken] = field(default_factory=dict)

    @property
    def stamp_ns(self) -> int:
        """When it was taken; 0 = not known."""
        return 0 if self.header is None else stamp_ns(self.header)


@dataclass
class BagImages:
    """The images of one topic.

    Attributes:
        path: Of the bag.
        topic: With the images.
        total: Messages on it.
        labels: Topic of the labels, or what they begin with; ``None`` for no labels.
        beside: Topics of pictures that images are compared with, by their names.
        problems: What is wrong with the bag, one line each; more may come while it is read.
    """

    path: Path
    topic: str
    total: int
    labels: str | None = None
    beside: Mapping[str, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    @property
    def complete(self) -> bool:
        """Whether all of the bag could be read so far."""
        return not self.problems

    @classmethod
    def of(
        cls, path: Path, topic: str | None, labels: str | None, beside: Sequence[str] = ()
    ) -> BagImages:
        """Choose the topic and count its messages.

        Args:
            path: The bag.
            topic: Needed if it has images on several.
            labels: See ``LabelTopics``.
            beside: Names of pictures that images are compared with.

        Raises:
            BagError: Nothing can be read, or no such topic, several, or none with messages.
        """
        with open_bag(path) as reader:
            topic = image_topic(reader, path, topic)
            if labels is not None:
                LabelTopics(reader, labels)
            check_not_empty(reader, path, topic)
            total = sum(connection.msgcount for connection in images_of(reader, topic))
            pictures = pictures_beside(reader, topic, beside)
            return cls(path, topic, total, labels, pictures, list(reader.problems))

    def frames(self, start: int = 0, limit: int | None = None) -> Generator[BagFrame]:
        """Read the images in the order of the bag.

        Args:
            start: Images to pass over.
            limit: Index at which to stop.
        """
        with open_bag(self.path) as reader:
            labels = LabelTopics(reader, self.labels) if self.labels else None
            waiting: deque[BagFrame] = deque()
            window = LABEL_WINDOW if labels else 0
            for frame in self._read(reader, labels, start, limit):
                waiting.append(frame)
                if len(waiting) > window:
                    yield _labelled(waiting.popleft(), labels)
            while waiting:
                yield _labelled(waiting.popleft(), labels)

    def _read(
        self, reader: Any, labels: LabelTopics | None, start: int, limit: int | None
    ) -> Iterator[BagFrame]:
        """Read images; labels go where they are kept."""
        connections, newest = images_of(reader, self.topic), Newest(reader, self.beside)
        connections += [*newest.connections, *(labels.connections if labels else ())]
        index, beyond = 0, 0
        try:
            for connection, arrived_ns, data in reader.messages(connections):
                if newest.keeps(connection, data):
                    continue
                if connection.topic != self.topic:
                    assert labels is not None
                    self._keep(labels, connection, data)
                    continue
                if limit is not None and index >= limit:
                    beyond += 1
                    if labels is None or beyond > LABEL_WINDOW:
                        return
                    continue
                if index >= start:
                    frame = _read_frame(reader, connection, index, arrived_ns, data)
                    yield replace(frame, beside=newest.taken()) if self.beside else frame
                index += 1
        finally:
            for problem in reader.problems:
                self._tell(problem)

    def _keep(self, labels: LabelTopics, connection: Any, data: bytes) -> None:
        """Keep a label; one that cannot be read costs its own image's score only."""
        try:
            labels.add(connection, data)
        except BagError as error:
            self._tell(str(error))

    def _tell(self, problem: str) -> None:
        """Note that the rest cannot be read, once however often it is tried."""
        if problem not in self.problems:
            self.problems.append(problem)


class Newest:
    """The newest picture on each of some topics, while a bag is read."""

    def __init__(self, reader: Any, topics: Mapping[str, str]) -> None:
        """Begin; ``topics`` by the names of the pictures."""
        self._reader = reader
        self._names = {topic: name for name, topic in topics.items()}
        self.connections = [one for topic in topics.values() for one in images_of(reader, topic)]
        self._unread: dict[str, tuple[Any, bytes]] = {}
        self._taken: dict[str, Taken] = {}

    def keeps(self, connection: Any, data: bytes) -> bool:
        """Keep a message if it is one of them, and say so."""
        if connection.topic not in self._names:
            return False
        self._unread[connection.topic] = connection, data
        return True

    def taken(self) -> dict[str, Taken]:
        """Return what there is now, by name; what cannot be read says why."""
        for topic, (connection, data) in self._unread.items():
            try:
                message = self._reader.deserialize(data, connection.msgtype)
                found = of_message(message, topic)
            except Exception as error:  # rosbags raises many types
                found = Taken(topic, None, first_line(error))
            self._taken[self._names[topic]] = found
        self._unread.clear()
        return dict(self._taken)


def _read_frame(reader: Any, connection: Any, index: int, arrived_ns: int, data: bytes) -> BagFrame:
    """Deserialise and convert one message."""
    start_s = perf_counter()
    try:
        message = reader.deserialize(data, connection.msgtype)
    except Exception as error:  # rosbags raises many types
        return BagFrame(index, arrived_ns, None, None, f"cannot be read: {first_line(error)}")
    try:
        image = to_bgr(message)
    except ValueError as error:
        return BagFrame(index, arrived_ns, message.header, None, str(error))
    elapsed_ms = (perf_counter() - start_s) * 1e3
    encoding = str(getattr(message, "encoding", ""))
    return BagFrame(
        index, arrived_ns, message.header, image, conversion_ms=elapsed_ms, encoding=encoding
    )


def _labelled(frame: BagFrame, labels: LabelTopics | None) -> BagFrame:
    """Return a frame with the labels that came for it."""
    if labels is None or (found := labels.take(frame.stamp_ns)) is None:
        return frame
    return replace(frame, labels=found)
