# SPDX-License-Identifier: Apache-2.0
"""Which topics with images are what our own node says or is given, and so no camera's."""

from __future__ import annotations

from typing import Final

from shared_encoder_perception import tasks
from shared_encoder_perception.spec import INPUT_SIZE, picture_inputs

IMAGE_TYPES: Final = ("sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage")
OVERLAY_TOPIC: Final = "debug/overlay/compressed"
"""Below the node's own name."""


def is_ours(topic: str) -> bool:
    """Whether a topic is one of those that our node publishes, in whatever namespace.

    What image_transport makes of one, such as ``mask/compressed``, is ours as well; so are pictures
    that the node compares images with, such as ``background``.
    """
    rooms = tasks.parts("spec").values()
    compared = {name for room in rooms for name in picture_inputs(room.Block(), INPUT_SIZE)}
    if topic.removesuffix("/compressed").rpartition("/")[2] in compared:
        return True
    names = [
        one.name.removeprefix("~/")
        for content in tasks.parts("content").values()
        for one in content.TOPICS
        if one.kind in IMAGE_TYPES
    ]
    return any(f"/{name}/" in f"/{topic}/" for name in (*names, OVERLAY_TOPIC))
