# SPDX-License-Identifier: Apache-2.0
"""The camera of a live replay: publishes a bag's images as they were recorded, at its pace.

Messages go out as the bytes of the bag, with their headers. Reports progress on stderr and one JSON
line on stdout.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from time import monotonic
from typing import Any, Final

import rclpy
from rclpy.node import Node
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from tqdm import tqdm

from shared_encoder_perception.demo.node_arguments import image_topic
from shared_encoder_perception.demo.node_listener import QUEUE, NodeListener
from shared_encoder_perception.demo.player import (
    ANSWER_TIMEOUT_S,
    PICTURE_S,
    READY_TIMEOUT_S,
    SETTLE_S,
)
from shared_encoder_perception.demo.playing import run_player
from shared_encoder_perception.images.bags import images_of, open_bag
from shared_encoder_perception.images.stamps import stamp_ns
from shared_encoder_perception.node.companions import LATCHED_QOS
from shared_encoder_perception.node.parameter_groups.images import COMPRESSED, RAW
from shared_encoder_perception.replay.camera_infos import CameraInfos, read_infos
from shared_encoder_perception.replay.messages import to_bytes

LISTENERS: Final = 2
"""The node and the recorder."""


class LivePlayer(Node):
    """Publishes serialised images.

    Attributes:
        heard: What came back.
        published: Images so far.
    """

    def __init__(self, transport: str, beside: Sequence[tuple[str, str, str]] = ()) -> None:
        """Create the publishers and listen to what comes back.

        Args:
            transport: Of the images.
            beside: Of pictures that images are compared with: name, topic in the bag, transport.
        """
        super().__init__("camera")
        kind = CompressedImage if transport == COMPRESSED else Image
        self._publisher = self.create_publisher(kind, image_topic(transport), QUEUE)
        self._beside = {}
        for name, topic, how in beside:
            kind = CompressedImage if how == COMPRESSED else Image
            ours = name + ("/compressed" if how == COMPRESSED else "")
            self._beside[topic] = self.create_publisher(kind, ours, LATCHED_QOS)
        self._infos = self.create_publisher(CameraInfo, "camera_info", QUEUE)
        self._info: Any = None
        self.heard = NodeListener(self)
        self.published = 0

    @property
    def counted(self) -> int:
        """Images that the node has answered or dropped, as it says itself."""
        return self.heard.perceived + self.heard.dropped

    def wait_for_listeners(self) -> None:
        """Wait until the node is active and everybody hears everybody.

        Raises:
            RuntimeError: The node or the recorder does not come up.
        """
        deadline_s = monotonic() + READY_TIMEOUT_S
        while not (
            self.heard.topic
            and self._publisher.get_subscription_count() >= LISTENERS
            and all(one.get_subscription_count() for one in self._beside.values())
        ):
            if monotonic() > deadline_s:
                raise RuntimeError(
                    f"the node did not become active within {READY_TIMEOUT_S:g} s: see node.log"
                )
            self.spin_for(0.05)
        self.spin_for(SETTLE_S)  # both directions of discovery, on every topic

    def publish(self, data: bytes) -> None:
        """Publish one serialised image."""
        self._publisher.publish(data)
        self.published += 1

    def wait_for_answers(self) -> None:
        """Wait until every image is answered or dropped, but not for long."""
        deadline_s = monotonic() + ANSWER_TIMEOUT_S
        while self.counted < self.published and monotonic() < deadline_s:
            self.spin_for(0.05)

    def publish_beside(self, topic: str, data: bytes) -> None:
        """Publish a serialised picture between the images that were recorded before and after it.

        In the bag it is known which came first; topics of ROS do not keep an order.
        """
        self.wait_for_answers()
        self._beside[topic].publish(data)
        self.spin_for(PICTURE_S)

    def publish_info(self, info: Any) -> None:
        """Publish the CameraInfo of the next image unless it is that of the last."""
        if info is None or info is self._info:
            return
        self._info = info
        self.wait_for_answers()
        self._infos.publish(to_bytes(info))
        self.spin_for(PICTURE_S)

    def spin_for(self, seconds: float) -> None:
        """Serve subscriptions for a while."""
        end_s = monotonic() + seconds
        while (left_s := end_s - monotonic()) > 0:
            rclpy.spin_once(self, timeout_sec=left_s)


def play(player: LivePlayer, args: argparse.Namespace) -> None:
    """Publish the images and wait for the last answers."""
    infos = read_infos(args.bag, args.topic)[0] if args.camera_info else CameraInfos()
    with open_bag(args.bag) as reader:
        connections = images_of(reader, args.topic)
        total = sum(c.msgcount for c in connections)
        connections += [one for _, topic, _ in args.beside for one in images_of(reader, topic)]
        player.wait_for_listeners()
        start_s, first_ns = monotonic(), None
        with tqdm(total=min(total, args.limit or total), unit="image", desc="driving") as bar:
            for connection, arrived_ns, data in reader.messages(connections):
                if connection.topic != args.topic:
                    began_s = monotonic()
                    player.publish_beside(connection.topic, data)
                    start_s += monotonic() - began_s
                    continue
                if player.published == args.limit:
                    break
                if len(infos):  # as the offline replay: the one that held when it was taken
                    began_s, at_ns = monotonic(), 0
                    if len(infos) > 1:
                        at_ns = stamp_ns(reader.deserialize(data, connection.msgtype).header)
                    player.publish_info(infos.at(at_ns))
                    start_s += monotonic() - began_s
                first_ns = arrived_ns if first_ns is None else first_ns
                due_s = start_s + (arrived_ns - first_ns) * 1e-9 / args.rate
                player.spin_for(max(due_s - monotonic(), 0.0))
                player.publish(data)
                bar.set_postfix(dropped=player.heard.dropped, refresh=False)
                bar.update()
            player.wait_for_answers()


def main() -> int:
    """Play; 0 when the bag was published to its end."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bag", type=Path, required=True)
    parser.add_argument("--topic", required=True)
    parser.add_argument("--transport", choices=(RAW, COMPRESSED), required=True)
    parser.add_argument("--rate", type=float, required=True, help="1 = as recorded")
    parser.add_argument("--limit", type=int)
    parser.add_argument("--camera-info", action="store_true", help="play that of the images, too")
    parser.add_argument(
        "--beside", nargs=3, action="append", default=[], metavar=("NAME", "TOPIC", "TRANSPORT")
    )
    args = parser.parse_args()

    def played(nodes: list[Node]) -> dict[str, int]:
        player = LivePlayer(args.transport, args.beside)
        nodes.append(player)
        play(player, args)
        # What is wrong with the bag is told by the offline replay.
        return {"published": player.published, "left_out": 0}

    return run_player(played)


if __name__ == "__main__":
    sys.exit(main())
