# SPDX-License-Identifier: Apache-2.0
"""Labels that a bag carries: messages of tasks' own types with the headers of the images.

A bag in which our own node was recorded carries such messages too, and they are no truth. So labels
are never taken unasked.
"""

from __future__ import annotations

from typing import Any, Final

from shared_encoder_perception import tasks
from shared_encoder_perception.images.bags import BagError, first_line
from shared_encoder_perception.images.stamps import stamp_ns

KEPT: Final = 500
"""Images whose labels are kept while they wait for the image."""


class LabelTopics:
    """Collects the labels of one bag by the stamp of their image.

    Attributes:
        connections: Of the bag, with labels.
    """

    def __init__(self, reader: Any, topic: str) -> None:
        """Find the topics.

        Args:
            reader: As of ``open_bag``.
            topic: Of messages that are labels, such as LaneLineArray or LaneLine, or what such
                topics begin with: ``/truth`` for ``/truth/ego``, ``/truth/left_ego`` ...

        Raises:
            BagError: There is none.
        """
        self._rooms = tasks.parts("bag_labels")
        self._task_of = {kind: name for name, room in self._rooms.items() for kind in room.KINDS}
        kinds = [c for c in reader.connections if c.msgtype in self._task_of]
        exact = [c for c in kinds if c.topic == topic]
        below = [c for c in kinds if c.topic.startswith(topic.rstrip("/") + "/")]
        self.connections = exact or below
        if not self.connections:
            names = " or ".join(kind.rpartition("/")[2] for kind in self._task_of)
            found = ", ".join(sorted({c.topic for c in kinds})) or "none"
            raise BagError(
                f"there are no {names} messages on {topic!r} or below it; topics with such: {found}"
            )
        self._reader = reader
        self._by_stamp: dict[int, dict[str, Any]] = {}

    def add(self, connection: Any, data: bytes) -> None:
        """Keep what a message says.

        Raises:
            BagError: It cannot be read, or makes no sense.
        """
        name = self._task_of[connection.msgtype]
        try:
            message = self._reader.deserialize(data, connection.msgtype)
            stamp = stamp_ns(message.header)
            before = self._by_stamp.get(stamp, {})
            label = self._rooms[name].add(before.get(name), message)
        except Exception as error:  # rosbags raises many types
            raise BagError(f"label on {connection.topic}: {first_line(error)}") from None
        self._by_stamp[stamp] = {**before, name: label}
        while len(self._by_stamp) > KEPT:
            del self._by_stamp[next(iter(self._by_stamp))]

    def take(self, stamp: int) -> dict[str, Any] | None:
        """Return and forget the labels of the image with this stamp; ``None`` for none."""
        return self._by_stamp.pop(stamp, None)
