# SPDX-License-Identifier: Apache-2.0
"""Recorded images and their answers, put together again by their headers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception import tasks
from shared_encoder_perception.artifact.model_info import INFO_TOPIC
from shared_encoder_perception.images.bags import read_messages
from shared_encoder_perception.images.image_msg import to_bgr
from shared_encoder_perception.structures import Perception
from shared_encoder_perception.tasks.topics import crop_of, for_every_image, latched

MAX_PENDING: Final = 100
"""Images whose answer has not come within so many others were dropped by the node."""
Header = tuple[int, int, str]


def header_key(message: Any) -> Header:
    """Return a message's whole header as something to compare."""
    stamp = message.header.stamp
    return int(stamp.sec), int(stamp.nanosec), str(message.header.frame_id)


def model_info_of(reader: Any, bag: Path, namespace: str = "") -> Any | None:
    """Return the ModelInfo of a recorded node; ``None`` where it sent none.

    Args:
        reader: As of ``open_bag``.
        bag: For messages.
        namespace: Of the node, with a slash in front; empty for none.
    """
    connections = [c for c in reader.connections if c.topic == f"{namespace}/{INFO_TOPIC}"]
    messages = read_messages(reader, bag, connections) if connections else iter(())
    return next((message for _, _, message in messages), None)


@dataclass(frozen=True, eq=False)
class AnsweredImage:
    """An image with an answer of each task.

    Attributes:
        pixels: (H, W, 3) uint8 BGR.
        perception: What the messages say.
    """

    pixels: NDArray[np.uint8]
    perception: Perception


@dataclass
class Gathered:
    """Messages of one image that came so far.

    Attributes:
        image: Its own; ``None`` until it comes.
        answers: By topic, without the leading slash.
    """

    image: Any = None
    answers: dict[str, Any] = field(default_factory=dict)


class AnswerGatherer:
    """Puts messages together until an image has come back whole."""

    def __init__(
        self,
        names: Sequence[str],
        image: str,
        key: Callable[[Any], Any] = header_key,
        namespace: str = "",
    ) -> None:
        """Begin.

        Args:
            names: Of the tasks.
            image: Topic of the images, with the leading slash.
            key: What the messages of one image have in common.
            namespace: Of the node that answers, with a slash in front; empty for none.
        """
        self._topics = for_every_image(names)
        self._image, self._key = image, key
        self._within = f"{namespace}/"
        self._wanted = frozenset(f"{self._within}{one.topic.name}" for one in self._topics)
        self._latched = {f"{self._within}{one.topic.name}": one for one in latched(names)}
        self.topics = self._wanted | frozenset(self._latched)
        self._told: dict[str, dict[str, Any]] = {}
        self._pending: dict[Any, Gathered] = {}

    def add(self, topic: str, message: Any) -> AnsweredImage | None:
        """Add a message of the image's topic or one of ``topics``.

        Returns:
            The image if it came back whole with this message.

        Raises:
            ValueError: It did, but a message makes no sense.
        """
        if topic in self._latched:
            told = self._told.setdefault(self._latched[topic].task, {})
            told[topic.removeprefix(self._within)] = message
            return None
        key = self._key(message)
        gathered = self._pending.setdefault(key, Gathered())
        if topic == self._image:
            gathered.image = message
        else:
            gathered.answers[topic.removeprefix(self._within)] = message
        if gathered.image is not None and len(gathered.answers) == len(self._wanted):
            return self._read(self._pending.pop(key))
        if len(self._pending) > MAX_PENDING:
            del self._pending[next(iter(self._pending))]
        return None

    def _read(self, gathered: Gathered) -> AnsweredImage:
        """Translate the messages of an image."""
        pixels = to_bgr(gathered.image)
        size = (pixels.shape[0], pixels.shape[1])
        by_task = {name: dict(told) for name, told in self._told.items()}
        for name, topic in self._topics:
            by_task.setdefault(name, {})[topic.name] = gathered.answers[topic.name]
        answers = {
            name: tasks.part(name, "content").read(own, size) for name, own in by_task.items()
        }
        crop = crop_of(by_task, gathered.answers)
        return AnsweredImage(pixels, Perception(size, answers, crop=crop))
