# SPDX-License-Identifier: Apache-2.0
"""How long each image took, on topics with Autoware's names, for plots and Autoware's monitors.

Stage by stage it is in ``/diagnostics``, and in messages that carry their own image's milliseconds.
"""

from __future__ import annotations

from time import perf_counter
from typing import Any, Final

from rclpy.qos import HistoryPolicy, QoSProfile, ReliabilityPolicy
from std_msgs.msg import Float64

from shared_encoder_perception.images.stamps import stamp_ns
from shared_encoder_perception.node.topic_watch import create_output

PROCESSING_TOPIC: Final = "~/debug/processing_time_ms"
"""From the moment at which work on an image began until it was published."""
CYCLE_TOPIC: Final = "~/debug/cyclic_time_ms"
"""From one published image to the next."""
PIPELINE_TOPIC: Final = "~/debug/pipeline_latency_ms"
"""From an image's stamp until it was published, by the node's clock."""

LATENCY_QOS: Final = QoSProfile(
    history=HistoryPolicy.KEEP_LAST, depth=1, reliability=ReliabilityPolicy.RELIABLE
)


def message_type() -> Any:
    """Return Autoware's message type where it is installed, ``std_msgs/Float64`` elsewhere."""
    try:
        from autoware_internal_debug_msgs.msg import Float64Stamped
    except ImportError:
        return Float64
    return Float64Stamped


class LatencyTopics:
    """Lifecycle publishers of an image's times; nothing is sent unless somebody subscribes.

    Attributes:
        publishers: All of them.
    """

    def __init__(self, node: Any) -> None:
        """Create the publishers on a ``LifecycleNode``."""
        self._node, self._type = node, message_type()
        self.publishers = tuple(
            create_output(node, self._type, topic, LATENCY_QOS)
            for topic in (PROCESSING_TOPIC, CYCLE_TOPIC, PIPELINE_TOPIC)
        )
        self._processing, self._cycle, self._pipeline = self.publishers
        self._last_s: float | None = None

    def reset(self) -> None:
        """Begin a new activation: the pause before was no cycle."""
        self._last_s = None

    def publish(self, header: Any, received_s: float, waiting_ms: float) -> None:
        """Publish the times of an image that has just been published (inference thread).

        Args:
            header: The image's ``std_msgs/Header``; without a stamp, or a running clock, there is
                no pipeline latency.
            received_s: ``perf_counter`` at which it was received.
            waiting_ms: How long it then waited for its turn.
        """
        now_s, last_s = perf_counter(), self._last_s
        self._last_s = now_s
        self._send(self._processing, (now_s - received_s) * 1e3 - waiting_ms)
        if last_s is not None:
            self._send(self._cycle, (now_s - last_s) * 1e3)
        now_ns, image_ns = self._node.get_clock().now().nanoseconds, stamp_ns(header)
        if now_ns and image_ns:
            self._send(self._pipeline, (now_ns - image_ns) / 1e6)

    def destroy(self) -> None:
        """Remove the publishers from the node."""
        for publisher in self.publishers:
            self._node.destroy_lifecycle_publisher(publisher)

    def _send(self, publisher: Any, milliseconds: float) -> None:
        """Publish one number if somebody listens."""
        if not publisher.get_subscription_count():
            return
        message = self._type(data=milliseconds)
        if hasattr(message, "stamp"):
            message.stamp = self._node.get_clock().now().to_msg()
        publisher.publish(message)
