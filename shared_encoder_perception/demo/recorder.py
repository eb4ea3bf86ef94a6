# SPDX-License-Identifier: Apache-2.0
"""Writes inputs and outputs into one rosbag2 (mcap), as they arrive and without decoding them.

Started by ``demo`` and by a live replay. SIGTERM or SIGINT ends it after what is still queued has
been written.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from time import time_ns
from typing import Any, Final

import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import HistoryPolicy, QoSProfile, ReliabilityPolicy
from rclpy.serialization import deserialize_message
from rclpy.signals import SignalHandlerOptions
from rosbags.rosbag2 import StoragePlugin, Writer

from shared_encoder_perception.artifact.model_info import INFO_TOPIC, MODEL_INFO
from shared_encoder_perception.demo.node_arguments import image_topic
from shared_encoder_perception.images.bags import typestore
from shared_encoder_perception.node.diagnostics import TOPIC as DIAGNOSTICS_TOPIC
from shared_encoder_perception.node.messages import message_type
from shared_encoder_perception.node.outputs import LATCHED_QOS
from shared_encoder_perception.node.parameter_groups.images import COMPRESSED, RAW
from shared_encoder_perception.tasks.topics import for_every_image, latched, telling

BAG_VERSION: Final = 9
QUEUE: Final = QoSProfile(
    history=HistoryPolicy.KEEP_LAST, depth=200, reliability=ReliabilityPolicy.RELIABLE
)
IMAGE, COMPRESSED_IMAGE = "sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage"
DIAGNOSTICS: Final = "diagnostic_msgs/msg/DiagnosticArray"


class TopicRecorder(Node):
    """Subscribes to the raw bytes of topics.

    Attributes:
        written: Messages so far.
    """

    def __init__(self, writer: Any) -> None:
        """Subscribe to nothing yet.

        Args:
            writer: An open rosbags ``Writer``.
        """
        super().__init__("recorder")
        self.written = 0
        self._writer = writer

    def listen_to_images(self) -> None:
        """Subscribe to the images once every output is connected to its node.

        The player waits for this subscription, and sees no other: so nothing it sends can be
        answered on a topic that is not connected yet.
        """
        raise NotImplementedError

    def record(
        self, topic: str, kind: str, qos: QoSProfile, heard: Callable[[bytes], None] | None = None
    ) -> Any:
        """Subscribe to one topic and write what comes, stamped with its arrival.

        Args:
            topic: With or without a slash in front.
            kind: Its type.
            qos: How to listen.
            heard: Called with each message, too.
        """
        name = f"/{topic.removeprefix('/')}"
        connection = self._writer.add_connection(name, kind, typestore=typestore())

        def write(data: bytes) -> None:
            self._writer.write(connection, time_ns(), data)
            self.written += 1
            if heard is not None:
                heard(data)

        return self.create_subscription(message_type(kind), name, write, qos, raw=True)


class NodeOutputs:
    """Records what a node for one camera says: its ModelInfo, and all that this promises."""

    def __init__(self, recorder: TopicRecorder, namespace: str = "") -> None:
        """Listen to the ModelInfo.

        Args:
            recorder: Which writes it.
            namespace: Of the node, with a slash in front; empty for none.
        """
        self._recorder, self._namespace = recorder, namespace
        self._tasks: list[str] | None = None
        self._outputs: list[Any] = []
        recorder.record(f"{namespace}/{INFO_TOPIC}", MODEL_INFO, LATCHED_QOS, self._informed)

    def connected(self) -> bool:
        """Subscribe once it is known to what; return whether all of that is connected."""
        if self._tasks is None:
            return False
        if not self._outputs:
            topics = {one.topic.name: one.topic.kind for one in for_every_image(self._tasks)}
            if telling(self._tasks).progress is None:
                topics[DIAGNOSTICS_TOPIC.removeprefix("/")] = DIAGNOSTICS
            once = {one.topic.name: one.topic.kind for one in latched(self._tasks)}
            for names, qos in ((topics, QUEUE), (once, LATCHED_QOS)):
                for name, kind in names.items():
                    topic = f"{self._namespace}/{name}"
                    self._outputs.append(self._recorder.record(topic, kind, qos))
        return all(output.get_publisher_count() > 0 for output in self._outputs)

    def _informed(self, data: bytes) -> None:
        """The node is active, and answers with these tasks."""
        self._tasks = list(deserialize_message(data, message_type(MODEL_INFO)).tasks)


class Recorder(TopicRecorder):
    """Subscribes to every topic of the model that the node runs."""

    def __init__(self, writer: Any, transport: str, beside: Sequence[str] = ()) -> None:
        """Subscribe.

        Args:
            writer: An open rosbags ``Writer``.
            transport: Of the images: raw or compressed.
            beside: Topics of pictures that images are compared with.
        """
        super().__init__(writer)
        self._transport = transport
        self._listens_to_images = False
        self._outputs = NodeOutputs(self)
        for name in beside:
            self.record(name, IMAGE, LATCHED_QOS)

    def listen_to_images(self) -> None:
        """See ``TopicRecorder``."""
        if not self._listens_to_images and self._outputs.connected():
            kind = COMPRESSED_IMAGE if self._transport == COMPRESSED else IMAGE
            self.record(image_topic(self._transport), kind, QUEUE)
            self._listens_to_images = True


def main() -> int:
    """Record until told to stop."""
    transport, *beside = sys.argv[2:] or [RAW]
    return record(Path(sys.argv[1]), lambda writer: Recorder(writer, transport, beside))


def record(bag: Path, make: Callable[[Writer], TopicRecorder]) -> int:
    """Record into a new bag until told to stop, and until nothing more comes.

    Args:
        bag: Must not exist.
        make: Makes the node that writes.
    """
    stopping: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda which, _: stopping.append(which))
    rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
    with Writer(bag, version=BAG_VERSION, storage_plugin=StoragePlugin.MCAP) as writer:
        recorder = make(writer)
        executor = SingleThreadedExecutor()
        executor.add_node(recorder)
        before = -1
        while not stopping or before != recorder.written:
            before = recorder.written
            recorder.listen_to_images()
            executor.spin_once(timeout_sec=0.2)
        executor.shutdown()
        recorder.destroy_node()
    rclpy.try_shutdown()
    return 0


if __name__ == "__main__":
    sys.exit(main())
