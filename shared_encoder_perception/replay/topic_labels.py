"""Labels that a bag carries: LaneLine or LaneLineArray messages with the headers of the images.

A bag in which our own node was recorded carries such messages too, and they are no truth. So labels
are never taken unasked.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.images.bags import PACKAGE, BagError, first_line
from shared_encoder_perception.images.stamps import stamp_ns
from shared_encoder_perception.tasks.lanes.answer import LaneId
from shared_encoder_perception.tasks.lanes.content import lane_from_message

Lanes = Mapping[LaneId, NDArray[np.float32] | None]
"""As ``Sample.lanes``: ``None`` for a lane known to be absent, missing for unknown."""

LINE_TYPE: Final = f"{PACKAGE}/msg/LaneLine"
ARRAY_TYPE: Final = f"{PACKAGE}/msg/LaneLineArray"
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
            reader: As of ``open_any``.
            topic: Of LaneLineArray or LaneLine messages, or what such topics begin with: ``/truth``
                for ``/truth/ego``, ``/truth/left_ego`` ...

        Raises:
            BagError: There is none.
        """
        kinds = [c for c in reader.connections if c.msgtype in (LINE_TYPE, ARRAY_TYPE)]
        exact = [c for c in kinds if c.topic == topic]
        below = [c for c in kinds if c.topic.startswith(topic.rstrip("/") + "/")]
        self.connections = exact or below
        if not self.connections:
            found = ", ".join(sorted({c.topic for c in kinds})) or "none"
            raise BagError(
                f"there are no LaneLine messages on {topic!r} or below it; topics with such: "
                f"{found}"
            )
        self._reader = reader
        self._by_stamp: dict[int, dict[LaneId, NDArray[np.float32] | None]] = {}

    def add(self, connection: Any, data: bytes) -> None:
        """Keep what a message says.

        Raises:
            BagError: It cannot be read, or makes no sense.
        """
        try:
            message = self._reader.deserialize(data, connection.msgtype)
            lines = message.lanes if connection.msgtype == ARRAY_TYPE else [message]
            for one in lines:
                line = lane_from_message(one)
                lanes = self._by_stamp.setdefault(stamp_ns(one.header), {})
                lanes[line.lane_id] = line.points_px if line.detected else None
        except Exception as error:  # rosbags raises many types
            raise BagError(f"label on {connection.topic}: {first_line(error)}") from None
        while len(self._by_stamp) > KEPT:
            del self._by_stamp[next(iter(self._by_stamp))]

    def take(self, stamp: int) -> Lanes | None:
        """Return and forget the labels of the image with this stamp; ``None`` for none."""
        return self._by_stamp.pop(stamp, None)
