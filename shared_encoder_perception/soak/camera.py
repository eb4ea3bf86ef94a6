# SPDX-License-Identifier: Apache-2.0
"""The camera of a soak: publishes a few images over and over, at a steady rate, and notes when.

Started by ``soak``. It never catches up: an image that is late moves all later ones, as with a
camera, so that no burst is measured which the machine's load has made.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from itertools import cycle, islice
from pathlib import Path
from time import monotonic, monotonic_ns, sleep, time_ns
from typing import Any, Final, NamedTuple

import rclpy
from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from shared_encoder_perception.benchmark.combinations import parse_size
from shared_encoder_perception.demo.node_listener import QUEUE
from shared_encoder_perception.demo.player import FRAME_ID, SETTLE_S, camera_info
from shared_encoder_perception.demo.playing import INTERRUPTED, interrupt_on_signals
from shared_encoder_perception.images.frames import tell
from shared_encoder_perception.images.image_msg import fill_compressed, fill_image
from shared_encoder_perception.images.preprocess import ImageTransform
from shared_encoder_perception.images.sources import Source, open_source
from shared_encoder_perception.node.companions import LATCHED_QOS
from shared_encoder_perception.node.inputs import IMAGE_TOPIC
from shared_encoder_perception.node.parameter_groups.images import COMPRESSED, RAW
from shared_encoder_perception.soak.records import SENT, SENT_FILE, Rows
from shared_encoder_perception.structures import Size

MESSAGES_BYTES: Final = 64 * 2**20
"""Most memory for the images; as many as fit are prepared."""
DISCOVERY_TIMEOUT_S: Final = 30.0
ACKNOWLEDGE_TIMEOUT_S: Final = 10


class Taken(NamedTuple):
    """An image, and what its camera is; ``None`` where the source does not say."""

    image: Any
    info: CameraInfo | None


class Prepared(NamedTuple):
    """What a camera publishes.

    Attributes:
        images: One after the other, over and over.
        beside: Once, by topic: what the first image is compared with.
    """

    images: list[Taken]
    beside: dict[str, Image]


def prepare(source: Source, size: Size, compressed: bool) -> Prepared:
    """Return messages of the source's first images, so that publishing costs no preparation.

    Args:
        source: At least one image.
        size: ``(height, width)`` that the images get, cropped to its shape.
        compressed: Whether they are CompressedImage (JPEG) or Image (bgr8).
    """
    messages: list[Taken] = []
    beside: dict[str, Image] = {}
    for frame in islice(source, max(1, MESSAGES_BYTES // (size[0] * size[1] * 3))):
        height, width = frame.image.shape[:2]
        transform = ImageTransform.fit((height, width), size, frame.crop)
        message = CompressedImage() if compressed else Image()
        message.header.frame_id = FRAME_ID
        pixels = transform.image_to_input(frame.image)
        if compressed:
            fill_compressed(message, pixels)
        else:
            fill_image(message, pixels, "bgr8")
        for name, picture in {} if messages else frame.beside.items():
            beside[name] = Image()
            beside[name].header.frame_id = FRAME_ID
            fill_image(beside[name], transform.image_to_input(picture), "bgr8")
        focal = frame.focal_px
        info = None if focal is None else camera_info(message.header, transform, focal)
        messages.append(Taken(message, info))
    return Prepared(messages, beside)


def in_time(messages: list[Taken], rate: float, seconds: float) -> Iterator[Taken]:
    """Yield one message after the other when it is due, over and over for so many seconds."""
    due_s = monotonic()
    end_s = due_s + seconds
    for message in cycle(messages):
        if due_s >= end_s:
            return
        sleep(max(due_s - monotonic(), 0.0))
        yield message
        due_s = max(due_s + 1.0 / rate, monotonic())


def run(node: Node, prepared: Prepared, rate: float, seconds: float, rows: Rows) -> None:
    """Publish for a while.

    Raises:
        RuntimeError: Nobody listens, or not to the end.
    """
    first = prepared.images[0].image
    compressed = isinstance(first, CompressedImage)
    topic = f"{IMAGE_TOPIC}/compressed" if compressed else IMAGE_TOPIC
    publisher = node.create_publisher(type(first), topic, QUEUE)
    infos = node.create_publisher(CameraInfo, "camera_info", QUEUE)
    deadline_s = monotonic() + DISCOVERY_TIMEOUT_S
    while not publisher.get_subscription_count():
        if monotonic() > deadline_s:
            raise RuntimeError(
                f"nobody listens to {publisher.topic_name}: is the node active, and is "
                f"input.transport {COMPRESSED if compressed else RAW}?"
            )
        sleep(0.05)
    for name, picture in prepared.beside.items():
        picture.header.stamp.sec, picture.header.stamp.nanosec = divmod(time_ns(), 10**9)
        node.create_publisher(Image, name, LATCHED_QOS).publish(picture)
    sleep(SETTLE_S)  # the node's side of discovery
    stamp_ns = 0
    for message, info in in_time(prepared.images, rate, seconds):
        stamp_ns = max(time_ns(), stamp_ns + 1)  # answers are told apart by it
        message.header.stamp.sec, message.header.stamp.nanosec = divmod(stamp_ns, 10**9)
        if info is not None:
            info.header = message.header
            infos.publish(info)
        sent_ns = monotonic_ns()
        publisher.publish(message)
        rows.write(stamp_ns, sent_ns)
    # What is on its way when the camera leaves would be lost with its shared memory.
    if not publisher.wait_for_all_acked(Duration(seconds=ACKNOWLEDGE_TIMEOUT_S)):
        raise RuntimeError("the last images did not reach the node")
    sleep(SETTLE_S)  # best effort acknowledges nothing


def with_node(name: str, publish: Callable[[Node], None]) -> int:
    """Publish with a node of that name, and return the exit status: 0 when all was published."""
    interrupt_on_signals()
    node = None
    try:
        rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
        node = rclpy.create_node(name)
        publish(node)
    except KeyboardInterrupt:
        return INTERRUPTED
    except (ValueError, RuntimeError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    finally:
        if node is not None:
            node.destroy_node()
        rclpy.try_shutdown()
    return 0


def main() -> int:
    """Publish; 0 when all was published."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--source", type=Path, required=True)
    parser.add_argument("--rate", type=float, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--size", type=parse_size, required=True)
    parser.add_argument("--transport", choices=(RAW, COMPRESSED), required=True)
    parser.add_argument("--beside", nargs="+", default=[])
    args = parser.parse_args()

    def publish(node: Node) -> None:
        source = open_source(args.source)
        source.beside = args.beside
        prepared = prepare(source, args.size, args.transport == COMPRESSED)
        tell(source.problems)
        rows = Rows(args.folder / SENT_FILE, SENT)
        run(node, prepared, args.rate, args.seconds, rows)
        rows.close()

    return with_node("camera", publish)


if __name__ == "__main__":
    sys.exit(main())
