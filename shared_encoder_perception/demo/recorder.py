"""Writes inputs and outputs into one rosbag2 (mcap), as they arrive and without decoding them.

Started by ``demo`` and by a live replay. SIGTERM or SIGINT ends it after what is still queued has
been written.
"""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from time import time_ns
from typing import Any, Final

import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import HistoryPolicy, QoSProfile, ReliabilityPolicy
from rclpy.signals import SignalHandlerOptions
from rosbags.rosbag2 import StoragePlugin, Writer
from sensor_msgs.msg import CompressedImage, Image

from shared_encoder_perception.demo.node_arguments import image_topic
from shared_encoder_perception.images.bags import typestore
from shared_encoder_perception.msg import LaneLine, LaneLineArray, ModelInfo
from shared_encoder_perception.node.outputs import LATCHED_QOS
from shared_encoder_perception.node.parameter_groups.images import COMPRESSED, RAW
from shared_encoder_perception.node.topics import ARRAY_TOPIC, INFO_TOPIC, LANE_TOPICS, MASK_TOPIC

BAG_VERSION: Final = 9
QUEUE: Final = QoSProfile(
    history=HistoryPolicy.KEEP_LAST, depth=200, reliability=ReliabilityPolicy.RELIABLE
)
OUTPUTS: Final = {
    **dict.fromkeys(LANE_TOPICS, (LaneLine, QUEUE)),
    MASK_TOPIC: (Image, QUEUE),
    ARRAY_TOPIC: (LaneLineArray, QUEUE),
    INFO_TOPIC: (ModelInfo, LATCHED_QOS),
}


class Recorder(Node):
    """Subscribes to the raw bytes of every topic."""

    def __init__(self, writer: Any, transport: str) -> None:
        """Subscribe.

        Args:
            writer: An open rosbags ``Writer``.
            transport: Of the images: raw or compressed.
        """
        super().__init__("recorder")
        self.written = 0
        self._writer, self._transport = writer, transport
        self._outputs = [self._record(topic, *kind) for topic, kind in OUTPUTS.items()]
        self._listens_to_images = False

    def listen_to_images(self) -> None:
        """Subscribe to the images once every output is connected to the node.

        The player waits for this subscription, and sees no other: so nothing it sends can be
        answered on a topic that is not connected yet.
        """
        connected = all(output.get_publisher_count() > 0 for output in self._outputs)
        if connected and not self._listens_to_images:
            kind = CompressedImage if self._transport == COMPRESSED else Image
            self._record(image_topic(self._transport), kind, QUEUE)
            self._listens_to_images = True

    def _record(self, topic: str, kind: Any, qos: QoSProfile) -> Any:
        """Subscribe to one topic and write what comes."""
        package, name = kind.__module__.split(".")[0], kind.__name__
        connection = self._writer.add_connection(
            f"/{topic}", f"{package}/msg/{name}", typestore=typestore()
        )
        callback = self._callback(self._writer, connection)
        return self.create_subscription(kind, topic, callback, qos, raw=True)

    def _callback(self, writer: Any, connection: Any) -> Any:
        """Return what writes one topic's messages, stamped with their arrival."""

        def write(data: bytes) -> None:
            writer.write(connection, time_ns(), data)
            self.written += 1

        return write


def main() -> int:
    """Record until told to stop."""
    stopping: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda which, _: stopping.append(which))
    rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
    with Writer(
        Path(sys.argv[1]), version=BAG_VERSION, storage_plugin=StoragePlugin.MCAP
    ) as writer:
        recorder = Recorder(writer, sys.argv[2] if len(sys.argv) > 2 else RAW)
        executor = SingleThreadedExecutor()
        executor.add_node(recorder)
        before = -1
        while not stopping or before != recorder.written:
            before = recorder.written
            recorder.listen_to_images()
            executor.spin_once(timeout_sec=0.2)
        recorder.destroy_node()
    rclpy.try_shutdown()
    return 0


if __name__ == "__main__":
    sys.exit(main())
