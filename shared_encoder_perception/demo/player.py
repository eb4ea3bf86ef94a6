# SPDX-License-Identifier: Apache-2.0
"""The camera: publishes a drive as cropped images and waits until every one was answered.

Started by ``demo``; reports progress on stderr and one JSON line on stdout.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from time import monotonic
from typing import Final

import numpy as np
import rclpy
from numpy.typing import NDArray
from rclpy.node import Node
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header
from tqdm import tqdm

from shared_encoder_perception.demo.node_listener import QUEUE, NodeListener
from shared_encoder_perception.demo.playing import run_player
from shared_encoder_perception.images.frames import tell
from shared_encoder_perception.images.image_msg import fill_image
from shared_encoder_perception.images.preprocess import ImageTransform
from shared_encoder_perception.images.sources import Frame, Source, open_source, read_image
from shared_encoder_perception.node.companions import LATCHED_QOS
from shared_encoder_perception.structures import Size
from shared_encoder_perception.tasks.companions import BACKGROUND, Beside

FRAME_ID: Final = "camera_front_optical"
READY_TIMEOUT_S, SETTLE_S = 60.0, 1.0
ANSWER_TIMEOUT_S: Final = 5.0
PICTURE_S: Final = 0.3
"""For a picture that images are compared with to reach the node before the next image does."""
WIDE: Final = 640
"""Pixels across of the least that people can look at; networks may take less."""


class Player(Node):
    """Publishes images at a steady rate.

    Attributes:
        heard: What came back.
        published: Images so far.
    """

    def __init__(self, listeners: int, beside: Sequence[str] = ()) -> None:
        """Create the image publisher and listen to what comes back.

        Args:
            listeners: How many processes must hear the images before the first is sent.
            beside: Topics of pictures that images are compared with.
        """
        super().__init__("camera")
        self._listeners = listeners
        self._publisher = self.create_publisher(Image, "image", QUEUE)
        self._infos = self.create_publisher(CameraInfo, "camera_info", QUEUE)
        self._beside = {one: self.create_publisher(Image, one, LATCHED_QOS) for one in beside}
        self._shown: dict[str, NDArray[np.uint8]] = {}
        self.heard = NodeListener(self)
        self.published = 0

    @property
    def open(self) -> int:
        """Images without an answer so far."""
        heard = self.heard
        return self.published - heard.perceived - heard.replaced - heard.rejected

    def publish(self, frame: Frame, focal_px: float | None = None) -> None:
        """Crop and resize as a camera driver would, stamp and send; before it, its CameraInfo.

        Args:
            frame: The image.
            focal_px: Of its camera, where the source does not say; without either, there is none.
        """
        transform = self._transform(frame)
        message = self._message(transform.image_to_input(frame.image))
        if focal := focal_px or frame.focal_px:
            self._infos.publish(camera_info(message.header, transform, focal))
        self._publisher.publish(message)
        self.published += 1

    def compare_with(self, pictures: Mapping[str, NDArray[np.uint8]], frame: Frame) -> None:
        """Send what an image and those after it are compared with, where that has changed.

        Images before it are answered first, as topics do not keep an order among each other.

        Raises:
            ValueError: A picture is not of the image's size.
        """
        for name, picture in pictures.items():
            if picture.shape != frame.image.shape:
                raise ValueError(
                    f"{frame.name}: the image is {frame.image.shape[:2]}, {name} "
                    f"{picture.shape[:2]} (height, width), expected the same camera's"
                )
            shown = self._transform(frame).image_to_input(picture)
            if (before := self._shown.get(name)) is not None and np.array_equal(before, shown):
                continue
            self.wait_for_answers()
            self._shown[name] = shown
            self._beside[name].publish(self._message(shown))
            self.spin_for(PICTURE_S)

    def wait_for_answers(self) -> None:
        """Wait until no image is without an answer, but not for long."""
        deadline = monotonic() + ANSWER_TIMEOUT_S
        while self.open > 0 and monotonic() < deadline:
            self.spin_for(0.05)

    def _transform(self, frame: Frame) -> ImageTransform:
        """Return how an image becomes what is sent."""
        info = self.heard.info
        size = (frame.image.shape[0], frame.image.shape[1])
        wanted = sent_size((info.input_height, info.input_width))
        return ImageTransform.fit(size, wanted, frame.crop)

    def _message(self, pixels: NDArray[np.uint8]) -> Image:
        """Return a picture of the camera, stamped now."""
        message = Image()
        message.header.frame_id = FRAME_ID
        fill_image(message, pixels, "bgr8")
        message.header.stamp = self.get_clock().now().to_msg()
        return message

    def listeners_ready(self) -> bool:
        """Whether the node is active, and all who should hear us and the node do."""
        ours = (self._publisher, *self._beside.values())
        return (
            bool(self.heard.topic)
            and min(one.get_subscription_count() for one in ours) >= self._listeners
            and self.count_subscribers(self.heard.topic) >= self._listeners
        )

    def spin_for(self, seconds: float) -> None:
        """Serve subscriptions for a while."""
        end = monotonic() + seconds
        while (left := end - monotonic()) > 0:
            rclpy.spin_once(self, timeout_sec=left)


def camera_info(header: Header, transform: ImageTransform, focal_px: float) -> CameraInfo:
    """Return what a driver says of the camera of such images: straight, looking at the middle."""
    height, width = transform.image_size
    across, down = (focal_px * scale for scale in transform.scale)
    x, y = transform.points_to_input(np.array([(width - 1) / 2, (height - 1) / 2])).tolist()
    info = CameraInfo(header=header, distortion_model="plumb_bob", d=[0.0] * 5)
    info.height, info.width = transform.input_size
    info.k = [across, 0.0, x, 0.0, down, y, 0.0, 0.0, 1.0]
    info.r = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0]
    info.p = [across, 0.0, x, 0.0, 0.0, down, y, 0.0, 0.0, 0.0, 1.0, 0.0]
    return info


def sent_size(input_size: Size) -> Size:
    """Return the size of what is sent: the network's, or its least multiple that is ``WIDE``."""
    times = -(-WIDE // input_size[1])
    return input_size[0] * times, input_size[1] * times


def play(
    player: Player,
    source: Source,
    beside: Beside,
    rate: float,
    limit: int | None,
    focal_px: float | None = None,
) -> None:
    """Publish the drive and wait for the last answers.

    Raises:
        RuntimeError: The node or the recorder does not come up.
    """
    deadline = monotonic() + READY_TIMEOUT_S
    while not player.listeners_ready():
        if monotonic() > deadline:
            raise RuntimeError(
                f"the node did not become active within {READY_TIMEOUT_S:g} s: see node.log"
            )
        player.spin_for(0.05)
    player.spin_for(SETTLE_S)  # both directions of discovery, on every topic
    total = min(len(source), limit or len(source)) or None
    start = monotonic()
    with tqdm(total=total, unit="image", desc="driving") as bar:
        for index, frame in enumerate(source):
            if limit is not None and index >= limit:
                break
            began = monotonic()
            player.compare_with(beside.of(frame), frame)
            start += max(monotonic() - began - 1 / rate, 0.0)
            player.spin_for(max(start + index / rate - monotonic(), 0.0))
            player.publish(frame, focal_px)
            bar.set_postfix(
                perceived=player.heard.perceived, dropped=player.heard.replaced, refresh=False
            )
            bar.update()
        player.wait_for_answers()
        bar.set_postfix(perceived=player.heard.perceived, dropped=player.heard.replaced)


def main() -> int:
    """Play; 0 when the drive was published to its end."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--source", type=Path, required=True)
    parser.add_argument("--topic")
    parser.add_argument("--rate", type=float, required=True)
    parser.add_argument("--limit", type=int)
    parser.add_argument("--focal-px", type=float)
    parser.add_argument("--beside", nargs="*", default=[], help="topics to compare images with")
    parser.add_argument("--background", type=Path, help="the one for all images")
    parser.add_argument("--listeners", type=int, default=2, help="the node and the recorder")
    args = parser.parse_args()

    def played(nodes: list[Node]) -> dict[str, int]:
        player = Player(args.listeners, args.beside)
        nodes.append(player)
        source = open_source(args.source, args.topic)
        given = {} if args.background is None else {BACKGROUND: read_image(args.background)}
        beside = Beside(args.beside, given, source)
        play(player, source, beside, args.rate, args.limit, args.focal_px)
        tell(source.problems)
        return {"published": player.published, "left_out": len(source.problems)}

    return run_player(played)


if __name__ == "__main__":
    sys.exit(main())
