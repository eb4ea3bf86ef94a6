"""The node's topics: one perceived image out, on all of them."""

from __future__ import annotations

from time import perf_counter
from typing import Any, Final

from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import Image

from shared_encoder_perception.messages import (
    array_message,
    lane_messages,
    mask_message,
    model_info_message,
)
from shared_encoder_perception.msg import LaneLine, LaneLineArray, ModelInfo
from shared_encoder_perception.predictor import Predictor
from shared_encoder_perception.structures import LANE_NAMES
from shared_encoder_perception.worker import PerceivedImage

LANE_TOPICS: Final = tuple(f"lane_lines/{name}" for name in LANE_NAMES)
"""Topic of each lane, in the order of ``LaneId``."""
ARRAY_TOPIC: Final = "lane_lines"
MASK_TOPIC: Final = "drivable_surface/mask"
INFO_TOPIC: Final = "model_info"

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

    def __init__(self, node: Any, predictor: Predictor) -> None:
        """Create the publishers on a ``LifecycleNode``, for what ``predictor`` finds."""
        self._node = node
        self._spec = predictor.spec
        self._info = model_info_message(
            predictor.spec, predictor.backend.info, node.get_clock().now().to_msg()
        )
        create = node.create_lifecycle_publisher
        self._lanes = [create(LaneLine, topic, OUTPUT_QOS) for topic in LANE_TOPICS]
        self._mask = create(Image, MASK_TOPIC, OUTPUT_QOS)
        self._array = create(LaneLineArray, ARRAY_TOPIC, OUTPUT_QOS)
        self._model_info = create(ModelInfo, INFO_TOPIC, LATCHED_QOS)

    def publish_model_info(self) -> None:
        """Tell which model runs; late subscribers get it too."""
        self._model_info.publish(self._info)

    def publish(self, image: PerceivedImage) -> None:
        """Publish everything about one image, the array last (inference thread)."""
        lanes = lane_messages(image.perception, image.header, self._spec)
        for publisher, lane in zip(self._lanes, lanes, strict=True):
            publisher.publish(lane)
        if image.perception.mask is not None:
            self._mask.publish(mask_message(image.perception.mask, image.header))
        array = array_message(
            lanes,
            image.stage_ms,
            sequence=image.counts.perceived,
            replaced=image.counts.replaced,
            rejected=image.counts.rejected,
        )
        array.processing_ms = (perf_counter() - image.received_s) * 1e3
        self._array.publish(array)

    def destroy(self) -> None:
        """Remove the publishers from the node."""
        for publisher in (*self._lanes, self._mask, self._array, self._model_info):
            self._node.destroy_lifecycle_publisher(publisher)
