# SPDX-License-Identifier: Apache-2.0
"""The cameras of a vehicle: publish a drive with each camera's CameraInfo, and wait for both nodes.

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
from shared_encoder_perception.rig.rig_entries import CameraEntry
from shared_encoder_perception.rig.rig_file import RigFile

COPIED: Final = ("height", "width", "distortion_model", "d", "k", "r", "p")


class VehiclePlayer(RigPlayer):
    """Publishes the images of a rig, and beside those of each camera what that camera is.

    Attributes:
        heard: What came back from the node for the first camera.
    """

    def __init__(self, file: RigFile, listeners: int) -> None:
        """As ``RigPlayer``; one more listens to the first camera.

        Raises:
            ValueError: The file does not say how a camera sees.
        """
        super().__init__(file, listeners)
        self._ahead = file.names[0]
        self._said = {entry.name: info_of(entry) for entry in file.entries}
        self._infos = {
            entry.name: self.create_publisher(CameraInfo, info_topic(entry), QUEUE)
            for entry in file.entries
        }
        self.heard = NodeListener(self, NAMESPACE)

    @property
    def open(self) -> int:
        """Images of which a node has not said yet what became of them."""
        heard = self.heard
        ended = heard.perceived + heard.replaced + heard.rejected
        return super().open + self.published[self._ahead] - ended

    def announce(self, name: str, header: Header) -> None:
        """Send the CameraInfo of a camera before its image."""
        self._said[name].header = header
        self._infos[name].publish(self._said[name])

    def listeners_ready(self) -> bool:
        """Whether both nodes are active, and all who should hear us and them do.

        Raises:
            RuntimeError: One never will be; says why.
        """
        # Depth in metres needs it with the first image, too.
        stamp = self.get_clock().now().to_msg()
        self.announce(self._ahead, Header(stamp=stamp, frame_id=f"{self._ahead}_optical"))
        return (
            super().listeners_ready()
            and bool(self.heard.topic)
            and self.listeners_of(self._ahead) > self._listeners
            and self.count_subscribers(self.heard.topic) >= self._listeners
        )


def info_of(camera: CameraEntry) -> CameraInfo:
    """Return what a rig.yaml says of how a camera sees.

    Raises:
        ValueError: It does not.
    """
    if camera.intrinsics is None:
        raise ValueError(f"camera {camera.name} has no intrinsics in the rig.yaml")
    said = camera.intrinsics.info()
    return CameraInfo(**{name: getattr(said, name) for name in COPIED})


def main() -> int:
    """Play; 0 when the drive was published to its end."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_arguments(parser)
    args = parser.parse_args()
    return run(args, lambda file: VehiclePlayer(file, args.listeners))


if __name__ == "__main__":
    sys.exit(main())
