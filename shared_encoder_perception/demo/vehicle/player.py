# SPDX-License-Identifier: Apache-2.0
"""The cameras of a vehicle: publish a drive, and wait for both nodes.

Started by ``demo``; reports progress on stderr and one JSON line on stdout.
"""

from __future__ import annotations

import argparse
import sys
from typing import Final

from sensor_msgs.msg import CameraInfo
from std_msgs.msg import Header

from shared_encoder_perception.demo.node_listener import QUEUE, NodeListener
from shared_encoder_perception.demo.rigs.player import RigPlayer, add_arguments, run
from shared_encoder_perception.demo.vehicle.topics import NAMESPACE, info_topic
from shared_encoder_perception.rig.rig_file import RigFile

COPIED: Final = ("height", "width", "distortion_model", "d", "k", "r", "p")


class VehiclePlayer(RigPlayer):
    """Publishes the images of a rig, and beside those of its first camera what that camera is.

    Attributes:
        heard: What came back from the node for that camera.
    """

    def __init__(self, file: RigFile, listeners: int) -> None:
        """As ``RigPlayer``; one more listens to the first camera.

        Raises:
            ValueError: The file does not say how the camera sees.
        """
        super().__init__(file, listeners)
        ahead = file.entries[0]
        if ahead.intrinsics is None:
            raise ValueError(f"camera {ahead.name} has no intrinsics in the rig.yaml")
        said = ahead.intrinsics.info()
        self._info = CameraInfo(**{name: getattr(said, name) for name in COPIED})
        self._ahead = ahead.name
        self._infos = self.create_publisher(CameraInfo, info_topic(ahead), QUEUE)
        self.heard = NodeListener(self, NAMESPACE)

    @property
    def open(self) -> int:
        """Images of which a node has not said yet what became of them."""
        heard = self.heard
        ended = heard.perceived + heard.replaced + heard.rejected
        return super().open + self.published[self._ahead] - ended

    def announce(self, name: str, header: Header) -> None:
        """Send the CameraInfo of the first camera before its image."""
        if name == self._ahead:
            self._info.header = header
            self._infos.publish(self._info)

    def listeners_ready(self) -> bool:
        """Whether both nodes are active, and all who should hear us and them do.

        Raises:
            RuntimeError: One never will be; says why.
        """
        self._infos.publish(self._info)  # depth in metres needs it with the first image, too
        return (
            super().listeners_ready()
            and bool(self.heard.topic)
            and self.listeners_of(self._ahead) > self._listeners
            and self.count_subscribers(self.heard.topic) >= self._listeners
        )


def main() -> int:
    """Play; 0 when the drive was published to its end."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_arguments(parser)
    args = parser.parse_args()
    return run(args, lambda file: VehiclePlayer(file, args.listeners))


if __name__ == "__main__":
    sys.exit(main())
