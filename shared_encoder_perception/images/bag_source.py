# SPDX-License-Identifier: Apache-2.0
"""The images on one topic of a rosbag2, as a source."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Final

from shared_encoder_perception.images.bags import (
    check_not_empty,
    first_line,
    image_topic,
    images_of,
    open_bag,
)
from shared_encoder_perception.images.frames import Frame, Source
from shared_encoder_perception.images.image_msg import to_bgr
from shared_encoder_perception.images.stamps import stamp_ns
from shared_encoder_perception.images.video import rate_hz

LOOKED_AT: Final = 100
"""Images that tell the rate."""


class BagSource(Source):
    """The images on one topic of a rosbag2.

    Attributes:
        topic: Its name.
    """

    def __init__(self, path: Path, topic: str | None) -> None:
        """Choose the topic and count its messages.

        Raises:
            BagError: The bag cannot be used.
        """
        super().__init__(path)
        with open_bag(path) as reader:
            self.topic = image_topic(reader, path, topic)
            check_not_empty(reader, path, self.topic)
            self._count = sum(item.msgcount for item in images_of(reader, self.topic))

    def __len__(self) -> int:
        """Return the number of messages that there should be."""
        return self._count

    def rate_hz(self) -> float | None:
        """Return the rate at which the first images were recorded."""
        with open_bag(self.path) as reader:
            messages = islice(reader.messages(images_of(reader, self.topic)), LOOKED_AT)
            times_ns = [arrived_ns for _, arrived_ns, _ in messages]
        return rate_hz(len(times_ns), times_ns[0], times_ns[-1]) if len(times_ns) > 1 else None

    def _read(self) -> Iterator[Frame | str]:
        """Deserialise and convert the images in the order of the bag."""
        with open_bag(self.path) as reader:
            told = 0
            for index, (connection, _, data) in enumerate(
                reader.messages(images_of(reader, self.topic))
            ):
                yield from reader.problems[told:]
                told = len(reader.problems)
                try:
                    message = reader.deserialize(data, connection.msgtype)
                    image = to_bgr(message)
                except Exception as error:  # rosbags raises many types
                    yield f"{self.path}, message {index} on {self.topic}: {first_line(error)}"
                    continue
                stamp = stamp_ns(message.header)
                yield Frame(f"frame_{index:06d}", image, stamp_ns=stamp)
            yield from reader.problems[told:]
