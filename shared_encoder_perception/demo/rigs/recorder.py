# SPDX-License-Identifier: Apache-2.0
"""Writes all that a rig's node hears and says into one rosbag2 (mcap), without decoding it.

Started by ``demo``. SIGTERM or SIGINT ends it after what is still queued has been written.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from shared_encoder_perception.artifact.model_info import INFO_TOPIC, MODEL_INFO
from shared_encoder_perception.demo.recorder import (
    DIAGNOSTICS,
    IMAGE,
    QUEUE,
    NodeOutputs,
    TopicRecorder,
    record,
)
from shared_encoder_perception.demo.rigs.topics import MAPS, OBJECTS, camera_topics
from shared_encoder_perception.node.diagnostics import TOPIC as DIAGNOSTICS_TOPIC
from shared_encoder_perception.node.outputs import LATCHED_QOS, is_installed
from shared_encoder_perception.rig.rig_file import RigFile, read_rig


class RigRecorder(TopicRecorder):
    """Subscribes to the cameras and to everything that is said of them."""

    def __init__(
        self, writer: Any, file: RigFile, names: Sequence[str], beside: str | None = None
    ) -> None:
        """Subscribe to what the node says.

        Args:
            writer: An open rosbags ``Writer``.
            file: The rig.
            names: Of tasks of single images whose answers for each camera are recorded, too.
            beside: Namespace of a node for one camera, all of whose answers are; ``None`` for none.
        """
        super().__init__(writer)
        self._file = file
        self._listens_to_images = False
        self._beside = None if beside is None else NodeOutputs(self, beside)
        self.record(INFO_TOPIC, MODEL_INFO, LATCHED_QOS)
        self.record(DIAGNOSTICS_TOPIC, DIAGNOSTICS, QUEUE)
        topics = {topic.name: topic.kind for topic in (*MAPS, *filter(is_installed, OBJECTS))}
        for topic in camera_topics(names):
            topics |= {f"{camera}/{topic.name}": topic.kind for camera in file.names}
        self._outputs = [self.record(topic, kind, QUEUE) for topic, kind in topics.items()]

    def listen_to_images(self) -> None:
        """See ``TopicRecorder``."""
        if self._listens_to_images or not (self._beside is None or self._beside.connected()):
            return
        if all(output.get_publisher_count() > 0 for output in self._outputs):
            for entry in self._file.entries:
                self.record(entry.image_topic, IMAGE, QUEUE)
            self._listens_to_images = True


def main() -> int:
    """Record until told to stop."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bag", type=Path)
    parser.add_argument("rig", type=Path)
    parser.add_argument("names", nargs="*", help="tasks that are recorded of each camera")
    parser.add_argument("--beside", help="namespace of a node for one camera, recorded, too")
    args = parser.parse_args()
    rig = read_rig(args.rig)
    return record(args.bag, lambda writer: RigRecorder(writer, rig, args.names, args.beside))


if __name__ == "__main__":
    sys.exit(main())
