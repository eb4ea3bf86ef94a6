# SPDX-License-Identifier: Apache-2.0
"""The cameras of a rig: publish a drive, and wait until the node has said what became of it.

Started by ``demo``; reports progress on stderr and one JSON line on stdout.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from time import monotonic
from typing import Any, Final

import numpy as np
import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from numpy.typing import NDArray
from rclpy.node import Node
from sensor_msgs.msg import Image
from std_msgs.msg import Header
from tqdm import tqdm

from shared_encoder_perception.demo.node_listener import QUEUE
from shared_encoder_perception.demo.player import (
    ANSWER_TIMEOUT_S,
    READY_TIMEOUT_S,
    SETTLE_S,
)
from shared_encoder_perception.demo.playing import run_player
from shared_encoder_perception.demo.rigs.clip import RIG_FILE
from shared_encoder_perception.demo.rigs.diagnosed import (
    Told,
    ends_of,
    is_calibrated,
    maps_of,
    told_by,
)
from shared_encoder_perception.demo.rigs.topics import MAPS
from shared_encoder_perception.images.frames import tell
from shared_encoder_perception.images.image_msg import fill_image
from shared_encoder_perception.node.diagnostics import TOPIC as DIAGNOSTICS_TOPIC
from shared_encoder_perception.node.messages import message_type
from shared_encoder_perception.rig.moments import FolderMoments, RigSource
from shared_encoder_perception.rig.rig_file import RigFile, read_rig

SKEWS_S: Final = (0.004, 0.011, 0.0, 0.007)
"""How much later than the moment each camera takes its picture, in the rig's order, again and again
for more of them: no two shutters open together."""


class RigPlayer(Node):
    """Publishes the images of a rig's cameras.

    Attributes:
        published: Images so far, by camera.
        maps: Maps that came.
        said: What the node's diagnostics said last, by task.
    """

    def __init__(self, file: RigFile, listeners: int) -> None:
        """Create the publishers and listen to what comes back.

        Args:
            file: The rig; its cameras have topics.
            listeners: How many processes must hear the images before the first is sent.
        """
        super().__init__("cameras")
        self._listeners = listeners
        self._senders = {
            entry.name: self.create_publisher(Image, entry.image_topic, QUEUE)
            for entry in file.entries
        }
        self.published = dict.fromkeys(file.names, 0)
        self.maps = 0
        self.said: dict[str, Told] = {}
        self._topic = MAPS[-1].name
        kind = message_type(MAPS[-1].kind)
        self.create_subscription(kind, self._topic, self._mapped, QUEUE, raw=True)
        self.create_subscription(DiagnosticArray, DIAGNOSTICS_TOPIC, self._diagnosed, QUEUE)

    @property
    def open(self) -> int:
        """Images of which the node has not said yet what became of them."""
        ended = sum(sum(ends_of(self.said, name).values()) for name in self.published)
        return sum(self.published.values()) - ended

    def publish(self, name: str, pixels: NDArray[np.uint8]) -> None:
        """Send an image of a camera, stamped now."""
        message = Image()
        message.header.frame_id = f"{name}_optical"
        fill_image(message, pixels, "bgr8")
        message.header.stamp = self.get_clock().now().to_msg()
        self.announce(name, message.header)
        self._senders[name].publish(message)
        self.published[name] += 1

    def announce(self, name: str, header: Header) -> None:
        """Send what goes before an image of a camera: nothing, as the rig.yaml says it all."""

    def listeners_of(self, name: str) -> int:
        """Return how many listen to a camera's images."""
        return int(self._senders[name].get_subscription_count())

    def listeners_ready(self) -> bool:
        """Whether the node is calibrated, and all who should hear us and the node do.

        Raises:
            RuntimeError: It will never be calibrated; says why.
        """
        return (
            is_calibrated(self.said)
            and min(map(self.listeners_of, self._senders)) >= self._listeners
            and self.count_subscribers(self._topic) >= self._listeners
        )

    def spin_for(self, seconds: float) -> None:
        """Serve subscriptions for a while."""
        end = monotonic() + seconds
        while (left := end - monotonic()) > 0:
            rclpy.spin_once(self, timeout_sec=left)

    def wait_until(self, done: Any, timeout_s: float) -> bool:
        """Serve subscriptions until ``done()``; return whether that came in time."""
        deadline = monotonic() + timeout_s
        while not done():
            if monotonic() > deadline:
                return False
            self.spin_for(0.05)
        return True

    def _mapped(self, _: Any) -> None:
        """Count a map."""
        self.maps += 1

    def _diagnosed(self, message: Any) -> None:
        """Keep what the node says."""
        self.said |= told_by(message)


def play(player: RigPlayer, source: RigSource, rate: float) -> None:
    """Publish the drive and wait until the node has said what became of each image.

    Raises:
        RuntimeError: The node or the recorder does not come up.
    """
    if not player.wait_until(player.listeners_ready, READY_TIMEOUT_S):
        raise RuntimeError(
            f"a node did not become active within {READY_TIMEOUT_S:g} s: see the logs"
        )
    player.spin_for(SETTLE_S)  # both directions of discovery, on every topic
    names = source.rig.names
    skews_s = {name: SKEWS_S[index % len(SKEWS_S)] for index, name in enumerate(names)}
    order = sorted(names, key=skews_s.__getitem__)
    start = monotonic()
    with tqdm(total=len(source), unit="moment", desc="driving") as bar:
        for index, moment in enumerate(source):
            images = moment.frame.images
            for name in (name for name in order if name in images):
                due = start + index / rate + skews_s[name]
                player.spin_for(max(due - monotonic(), 0.0))
                player.publish(name, images[name])
            bar.set_postfix(maps=player.maps, refresh=False)
            bar.update()
        player.wait_until(lambda: player.open <= 0, ANSWER_TIMEOUT_S)
        made, _ = maps_of(player.said)
        player.wait_until(lambda: player.maps >= made, ANSWER_TIMEOUT_S)
        bar.set_postfix(maps=player.maps)


def main() -> int:
    """Play; 0 when the drive was published to its end."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_arguments(parser)
    args = parser.parse_args()
    return run(args, lambda file: RigPlayer(file, args.listeners))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--folder", type=Path, required=True, help="see clip.py")
    parser.add_argument("--rate", type=float, required=True)
    parser.add_argument("--listeners", type=int, default=2, help="the node and the recorder")


def run(args: argparse.Namespace, make: Callable[[RigFile], RigPlayer]) -> int:
    """Play with a player made for the rig; return the exit status."""

    def played(nodes: list[Node]) -> dict[str, Any]:
        file = read_rig(args.folder / RIG_FILE)
        source = FolderMoments(args.folder, file)
        player = make(file)
        nodes.append(player)
        play(player, source, args.rate)
        tell(source.problems)
        return {"published": player.published, "left_out": len(source.problems)}

    return run_player(played)


if __name__ == "__main__":
    sys.exit(main())
