"""The node's topics: one perceived image out, on all of them."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import Any, Final

from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import Image

from shared_encoder_perception.msg import LaneLine, LaneLineArray, ModelInfo
from shared_encoder_perception.node.debug_outputs import DebugImage, DebugOutputs
from shared_encoder_perception.node.debug_overlay import DebugOptions
from shared_encoder_perception.node.health import Audience
from shared_encoder_perception.node.latency_topics import LatencyTopics
from shared_encoder_perception.node.messages import (
    array_message,
    lane_messages,
    mask_message,
    model_info_message,
)
from shared_encoder_perception.node.perceived_image import PerceivedImage
from shared_encoder_perception.node.points_output import PointsOutput
from shared_encoder_perception.node.topic_watch import create_output, misfit_subscribers
from shared_encoder_perception.node.topics import ARRAY_TOPIC, INFO_TOPIC, LANE_TOPICS, MASK_TOPIC
from shared_encoder_perception.predictor import Predictor
from shared_encoder_perception.tasks.lanes.content import model_version

OUTPUT_QOS: Final = QoSProfile(
    history=HistoryPolicy.KEEP_LAST, depth=5, reliability=ReliabilityPolicy.RELIABLE
)
LATCHED_QOS: Final = QoSProfile(
    history=HistoryPolicy.KEEP_LAST,
    depth=1,
    reliability=ReliabilityPolicy.RELIABLE,
    durability=DurabilityPolicy.TRANSIENT_LOCAL,
)


class Outputs:
    """Lifecycle publishers of everything the node says; silent while the node is inactive."""

    def __init__(self, node: Any, debug: DebugOptions, report: Callable[[str], None]) -> None:
        """Create the publishers on a ``LifecycleNode``.

        Args:
            node: The node.
            debug: How pictures are drawn.
            report: Called, in a thread of theirs, with the reason why one could not be drawn.
        """
        self._node = node
        self._lanes = [create_output(node, LaneLine, topic, OUTPUT_QOS) for topic in LANE_TOPICS]
        self._mask = create_output(node, Image, MASK_TOPIC, OUTPUT_QOS)
        self._array = create_output(node, LaneLineArray, ARRAY_TOPIC, OUTPUT_QOS)
        self._model_info = create_output(node, ModelInfo, INFO_TOPIC, LATCHED_QOS)
        self._main = (*self._lanes, self._mask, self._array, self._model_info)
        self._points = PointsOutput(node)
        self._latency = LatencyTopics(node)
        self._debug = DebugOutputs(node, debug, report)

    def start(self, predictor: Predictor) -> None:
        """Begin afresh with images that ``predictor`` perceives, and tell which model that is."""
        self._latency.reset()
        self.announce(predictor)

    def announce(self, predictor: Predictor) -> None:
        """Tell which model runs; late subscribers get it too."""
        now = self._node.get_clock().now().to_msg()
        self._model_info.publish(model_info_message(predictor.spec, predictor.backend.info, now))

    def set_options(self, debug: DebugOptions) -> None:
        """Draw pictures like this from now on."""
        self._debug.options = debug

    def publish(self, image: PerceivedImage, frame_id: str) -> None:
        """Publish everything about one image, the array last (inference thread).

        Args:
            image: What was perceived.
            frame_id: The vehicle's frame, if lanes were put on the road; otherwise empty.
        """
        perception = image.perception
        lanes = lane_messages(perception, image.header, image.spec)
        for publisher, lane in zip(self._lanes, lanes, strict=True):
            publisher.publish(lane)
        if perception.mask is not None:
            self._mask.publish(mask_message(perception.mask, image.header))
        self._points.publish(perception.lanes, image.header, frame_id)
        array = array_message(lanes, image.stage_ms, image.counts)
        array.processing_ms = (perf_counter() - image.received_s) * 1e3
        self._array.publish(array)
        # What only people look at comes after what vehicles wait for.
        self._latency.publish(image.header, image.received_s, image.stage_ms["waiting"])
        self._debug.submit(
            DebugImage(
                image.pixels,
                image.header,
                perception,
                model_version(image.spec),
                image.stage_ms,
                image.counts.replaced,
                frame_id,
            )
        )

    def audience(self) -> Audience:
        """Return who listens to the main topics, and who in vain to any."""
        parts = (self._points, self._latency, self._debug)
        others = [publisher for part in parts for publisher in part.publishers]
        return Audience(
            {each.topic_name: each.get_subscription_count() for each in self._main},
            tuple(misfit_subscribers(self._node, (*self._main, *others))),
        )

    def destroy(self) -> None:
        """Remove the publishers from the node."""
        for part in (self._debug, self._latency, self._points):
            part.destroy()
        for publisher in self._main:
            self._node.destroy_lifecycle_publisher(publisher)
