# SPDX-License-Identifier: Apache-2.0
"""The node's input: camera images, raw or compressed, only the newest."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from rclpy.qos import HistoryPolicy, QoSProfile, ReliabilityPolicy
from rclpy.qos_overriding_options import QoSOverridingOptions
from sensor_msgs.msg import CompressedImage, Image

from shared_encoder_perception.node.parameter_groups.images import BEST_EFFORT, COMPRESSED, RELIABLE

IMAGE_TOPIC: Final = "image"

RELIABILITY: Final = {
    BEST_EFFORT: ReliabilityPolicy.BEST_EFFORT,
    RELIABLE: ReliabilityPolicy.RELIABLE,
}
"""Values of ``input.reliability``. Best effort is what a camera driver offers at least."""


def subscribe(
    node: Any,
    transport: str,
    callback: Callable[[Image | CompressedImage], None],
    *,
    reliability: str = BEST_EFFORT,
    depth: int = 1,
    event_callbacks: Any = None,
) -> Any:
    """Subscribe ``node`` to the images.

    ROS's parameters ``qos_overrides./TOPIC.subscription.{reliability,depth,history}`` go before the
    arguments.

    Args:
        node: The node; its remappings apply.
        transport: Value of the parameter ``input.transport``.
        callback: Called in the executor's thread with every image.
        reliability: Value of the parameter ``input.reliability``.
        depth: Images that the middleware keeps until the executor takes them.
        event_callbacks: rclpy's ``SubscriptionEventCallbacks``, e.g. for incompatible QoS.

    Returns:
        The subscription.

    Raises:
        Exception: A topic name or an override that ROS does not take; rclpy's types differ.
    """
    compressed = transport == COMPRESSED
    # As image_transport does it: a remapped `image` takes its compressed topic along.
    topic = node.resolve_topic_name(IMAGE_TOPIC) + ("/compressed" if compressed else "")
    return node.create_subscription(
        CompressedImage if compressed else Image,
        topic,
        callback,
        QoSProfile(
            history=HistoryPolicy.KEEP_LAST, depth=depth, reliability=RELIABILITY[reliability]
        ),
        qos_overriding_options=QoSOverridingOptions.with_default_policies(),
        event_callbacks=event_callbacks,
    )
