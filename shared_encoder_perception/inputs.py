"""The node's input: camera images, raw or compressed, only the newest."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from typing import Any, Final

from rclpy.qos import HistoryPolicy, QoSProfile, ReliabilityPolicy
from rclpy.qos_overriding_options import QoSOverridingOptions
from sensor_msgs.msg import CompressedImage, Image

from shared_encoder_perception.parameters import COMPRESSED

INPUT_QOS: Final = QoSProfile(
    history=HistoryPolicy.KEEP_LAST, depth=1, reliability=ReliabilityPolicy.BEST_EFFORT
)
"""What a camera driver offers at least; the user may override it by ROS's QoS parameters."""

IMAGE_TOPIC: Final = "image"


def subscribe(
    node: Any, transport: str, callback: Callable[[Image | CompressedImage], None]
) -> Any:
    """Subscribe ``node`` to the images.

    Args:
        node: The node; its remappings apply.
        transport: Value of the parameter ``input.transport``.
        callback: Called in the executor's thread with every image.

    Returns:
        The subscription.
    """
    compressed = transport == COMPRESSED
    # As image_transport does it: a remapped `image` takes its compressed topic along.
    topic = node.resolve_topic_name(IMAGE_TOPIC) + ("/compressed" if compressed else "")
    return node.create_subscription(
        CompressedImage if compressed else Image,
        topic,
        callback,
        copy(INPUT_QOS),  # rclpy writes overrides into the profile it is given
        qos_overriding_options=QoSOverridingOptions.with_default_policies(),
    )
