"""The overlay video of a recorded drive, drawn from the messages that arrived."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from shared_encoder_perception.compat import perception_of
from shared_encoder_perception.demo.summary import Header, header_key
from shared_encoder_perception.drawing.visualize import draw
from shared_encoder_perception.images.bags import open_bag, read_messages
from shared_encoder_perception.images.image_msg import to_bgr
from shared_encoder_perception.tasks.drivable.answer import DrivableMask
from shared_encoder_perception.tasks.lanes.content import lane_from_message

TOPICS: Final = {"/image": "image", "/drivable_surface/mask": "mask", "/lane_lines": "lanes"}
MAX_PENDING: Final = 100
"""Images whose answer has not come within so many others were dropped by the node."""


def overlay_frames(bag: Path) -> Iterator[NDArray[np.uint8]]:
    """Yield each image that was answered, with its answer drawn on it."""
    pending: dict[Header, dict[str, Any]] = {}
    with open_bag(bag) as reader:
        connections = [c for c in reader.connections if c.topic in TOPICS]
        total = sum(c.msgcount for c in connections)
        messages = read_messages(reader, bag, connections)
        for connection, _, message in tqdm(messages, total=total, desc="drawing", unit="msg"):
            key = header_key(message)
            parts = pending.setdefault(key, {})
            parts[TOPICS[connection.topic]] = message
            if len(parts) == len(TOPICS):
                yield _picture(pending.pop(key))
            elif len(pending) > MAX_PENDING:
                del pending[next(iter(pending))]


def _picture(parts: dict[str, Any]) -> NDArray[np.uint8]:
    """Draw one answered image."""
    image = to_bgr(parts["image"])
    mask = DrivableMask(np.ascontiguousarray(to_bgr(parts["mask"])[:, :, 0]))
    lanes = tuple(lane_from_message(lane) for lane in parts["lanes"].lanes)
    return draw(image, perception_of((image.shape[0], image.shape[1]), lanes, mask))
