"""Writes all that a rig's node hears and says into one rosbag2 (mcap), without decoding it.

Started by ``demo``. SIGTERM or SIGINT ends it after what is still queued has been written.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from time import time_ns
from typing import Any

from rclpy.node import Node
from rclpy.qos import QoSProfile

from shared_encoder_perception.artifact.model_info import INFO_TOPIC, MODEL_INFO
from shared_encoder_perception.demo.recorder import DIAGNOSTICS, IMAGE, QUEUE, record
from shared_encoder_perception.demo.rigs.topics import MAPS, OBJECTS, camera_topics
from shared_encoder_perception.images.bags import typestore
from shared_encoder_perception.node.diagnostics import TOPIC as DIAGNOSTICS_TOPIC
from shared_encoder_perception.node.messages import message_type
from shared_encoder_perception.node.outputs import LATCHED_QOS, is_installed
from shared_encoder_perception.rig.rig_file import RigFile, read_rig


class RigRecorder(Node):
    """Subscribes to the raw bytes of the cameras and of everything that is said of them."""

    def __init__(self, writer: Any, file: RigFile, names: Sequence[str]) -> None:
        """Subscribe to what the node says.

        Args:
            writer: An open rosbags ``Writer``.
            file: The rig.
            names: Of tasks of single images whose answers for each camera are recorded, too.
        """
        super().__init__("recorder")
        self.written = 0
        self._writer, self._file = writer, file
        self._listens_to_images = False
        self._record(INFO_TOPIC, MODEL_INFO, LATCHED_QOS)
        self._record(DIAGNOSTICS_TOPIC.removeprefix("/"), DIAGNOSTICS, QUEUE)
        topics = {topic.name: topic.kind for topic in (*MAPS, *filter(is_installed, OBJECTS))}
        for topic in camera_topics(names):
            topics |= {f"{camera}/{topic.name}": topic.kind for camera in file.names}
        self._outputs = [self._record(topic, kind, QUEUE) for topic, kind in topics.items()]

    def listen_to_images(self) -> None:
        """Subscribe to the images once every output is connected to the node.

        The player waits for these subscriptions, and sees no other: so nothing it sends can be
        answered on a topic that is not connected yet.
        """
        if self._listens_to_images:
            return
        if all(output.get_publisher_count() > 0 for output in self._outputs):
            for entry in self._file.entries:
                self._record(entry.image_topic, IMAGE, QUEUE)
            self._listens_to_images = True

    def _record(self, topic: str, kind: str, qos: QoSProfile) -> Any:
        """Subscribe to one topic and write what comes, stamped with its arrival."""
        connection = self._writer.add_connection(f"/{topic}", kind, typestore=typestore())

        def write(data: bytes) -> None:
            self._writer.write(connection, time_ns(), data)
            self.written += 1

        return self.create_subscription(message_type(kind), topic, write, qos, raw=True)


def main() -> int:
    """Record until told to stop."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bag", type=Path)
    parser.add_argument("rig", type=Path)
    parser.add_argument("names", nargs="*", help="tasks that are recorded of each camera")
    args = parser.parse_args()
    rig = read_rig(args.rig)
    return record(args.bag, lambda writer: RigRecorder(writer, rig, args.names))


if __name__ == "__main__":
    sys.exit(main())
