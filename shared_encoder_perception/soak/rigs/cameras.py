# SPDX-License-Identifier: Apache-2.0
"""The cameras of a soak of a rig: each at a steady rate, some of them unplugged for a while.

Started by ``soak``. They never catch up: a moment that is late moves all later ones. A camera that
is unplugged has no publisher, as when its driver ends; when it is back, it waits for the node to
find it, as nobody could tell what became of what it sent before.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from time import monotonic, monotonic_ns, sleep, time_ns
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from rclpy.duration import Duration
from rclpy.node import Node
from sensor_msgs.msg import CompressedImage, Image

from shared_encoder_perception.demo.node_listener import QUEUE
from shared_encoder_perception.demo.player import SETTLE_S
from shared_encoder_perception.demo.rigs.player import SKEWS_S
from shared_encoder_perception.images.frames import tell
from shared_encoder_perception.images.image_msg import fill_compressed, fill_image
from shared_encoder_perception.rig.moments import FolderMoments
from shared_encoder_perception.rig.rig_entries import COMPRESSED, CameraEntry
from shared_encoder_perception.rig.rig_file import read_rig
from shared_encoder_perception.soak.camera import (
    ACKNOWLEDGE_TIMEOUT_S,
    DISCOVERY_TIMEOUT_S,
    MESSAGES_BYTES,
    with_node,
)
from shared_encoder_perception.soak.records import SENT_BY, SENT_FILE, Rows
from shared_encoder_perception.soak.rigs.outages import Outage, is_out, planned
from shared_encoder_perception.soak.rigs.records import EVENT, EVENTS_FILE

POLL_S: Final = 0.05


class Camera:
    """One of them.

    Attributes:
        name: In its rig.
        skew_s: How much later than the moment it takes its picture.
        pictures: Messages that it sends, over and over.
        gone_ns: When it should have sent the next image, while it is unplugged; 0 otherwise.
    """

    def __init__(self, node: Node, entry: CameraEntry, skew_s: float) -> None:
        """Be unplugged, without a picture.

        Args:
            node: For the publisher.
            entry: The camera.
            skew_s: See there.
        """
        self.name, self.skew_s, self.gone_ns = entry.name, skew_s, 0
        self._node, self._entry = node, entry
        self.pictures: list[Any] = []
        self._publisher: Any = None
        self._heard_s = 0.0

    @property
    def plugged(self) -> bool:
        """Whether it has a publisher."""
        return self._publisher is not None

    def prepare(self, pixels: NDArray[np.uint8]) -> None:
        """Add a picture, so that publishing costs no preparation."""
        compressed = self._entry.transport == COMPRESSED
        message = CompressedImage() if compressed else Image()
        message.header.frame_id = f"{self.name}_optical"
        if compressed:
            fill_compressed(message, pixels)
        else:
            fill_image(message, pixels, "bgr8")
        self.pictures.append(message)

    def plug(self) -> None:
        """Begin to look for the node."""
        kind = type(self.pictures[0])
        self._publisher = self._node.create_publisher(kind, self._entry.image_topic, QUEUE)
        self._heard_s = 0.0

    def is_heard(self) -> bool:
        """Whether the node has found it for so long that it misses nothing."""
        if not self._publisher.get_subscription_count():
            self._heard_s = 0.0
        elif not self._heard_s:
            self._heard_s = monotonic()
        return bool(self._heard_s) and monotonic() - self._heard_s >= SETTLE_S

    def publish(self, index: int, stamp_ns: int) -> int:
        """Send the picture of a moment; return when, by the monotonic clock."""
        message = self.pictures[index % len(self.pictures)]
        message.header.stamp.sec, message.header.stamp.nanosec = divmod(stamp_ns, 10**9)
        sent_ns = monotonic_ns()
        self._publisher.publish(message)
        return sent_ns

    def unplug(self) -> None:
        """Send nothing more, once the node has all that was sent.

        Raises:
            RuntimeError: It does not get it.
        """
        # What is on its way when a camera leaves would be lost with its shared memory.
        if not self._publisher.wait_for_all_acked(Duration(seconds=ACKNOWLEDGE_TIMEOUT_S)):
            raise RuntimeError(f"the last images of camera {self.name} did not reach the node")
        self._node.destroy_publisher(self._publisher)
        self._publisher = None


def run(
    cameras: Sequence[Camera],
    rate: float,
    seconds: float,
    outages: Sequence[Outage],
    rows: Rows,
    events: Rows,
) -> None:
    """Publish for a while.

    Args:
        cameras: With pictures.
        rate: Moments a second.
        seconds: How long.
        outages: Who is unplugged when.
        rows: For images, of kind ``SENT_BY``.
        events: For cameras that were unplugged, of kind ``EVENT``.

    Raises:
        RuntimeError: Nobody listens, or not to the end.
    """
    _meet(cameras)
    in_turn = sorted(enumerate(cameras), key=lambda one: one[1].skew_s)
    stamp_ns, start_s = 0, monotonic()
    moment_s = start_s
    for index in count():
        if moment_s >= start_s + seconds:
            break
        for number, camera in in_turn:
            sleep(max(moment_s + camera.skew_s - monotonic(), 0.0))
            if is_out(outages, camera.name, moment_s - start_s):
                if camera.plugged:
                    camera.gone_ns = monotonic_ns()
                    camera.unplug()
                continue
            if not camera.plugged:
                camera.plug()
            if camera.gone_ns and not camera.is_heard():
                continue
            stamp_ns = max(time_ns(), stamp_ns + 1)  # answers are told apart by it
            sent_ns = camera.publish(index, stamp_ns)
            rows.write(stamp_ns, sent_ns, number)
            if camera.gone_ns:
                events.write(number, camera.gone_ns, sent_ns)
                camera.gone_ns = 0
        moment_s = max(moment_s + 1.0 / rate, monotonic())
    for number, camera in enumerate(cameras):
        if camera.gone_ns:
            events.write(number, camera.gone_ns, 0)
        if camera.plugged:
            camera.unplug()
    sleep(SETTLE_S)  # best effort acknowledges nothing


def _meet(cameras: Sequence[Camera]) -> None:
    """Wait until the node has found all of them."""
    for camera in cameras:
        camera.plug()
    deadline_s = monotonic() + DISCOVERY_TIMEOUT_S
    while unheard := [camera.name for camera in cameras if not camera.is_heard()]:
        if monotonic() > deadline_s:
            raise RuntimeError(f"nobody listens to camera {unheard[0]}: is the node active?")
        sleep(POLL_S)


def prepared(node: Node, file: Path, pictures: Path) -> list[Camera]:
    """Return the cameras with as many pictures as memory is meant for."""
    rig_file = read_rig(file)
    cameras = [
        Camera(node, entry, SKEWS_S[index % len(SKEWS_S)])
        for index, entry in enumerate(rig_file.entries)
    ]
    source, size = FolderMoments(pictures, rig_file), 0
    for moment in source:
        images = moment.frame.images
        if len(images) < len(cameras):  # a picture cannot be read: all go on together
            continue
        size += sum(image.nbytes for image in images.values())
        if size > MESSAGES_BYTES and cameras[0].pictures:
            break
        for camera in cameras:
            camera.prepare(images[camera.name])
    tell(source.problems)
    return cameras


def main() -> int:
    """Publish; 0 when all was published."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rig", type=Path, required=True)
    parser.add_argument("--pictures", type=Path, required=True)
    parser.add_argument("--rate", type=float, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--unplug", nargs="+", default=[])
    args = parser.parse_args()

    def publish(node: Node) -> None:
        cameras = prepared(node, args.rig, args.pictures)
        outages = list(planned(args.unplug, args.seconds))
        rows = Rows(args.folder / SENT_FILE, SENT_BY)
        events = Rows(args.folder / EVENTS_FILE, EVENT)
        run(cameras, args.rate, args.seconds, outages, rows, events)
        rows.close()
        events.close()

    return with_node("cameras", publish)


if __name__ == "__main__":
    sys.exit(main())
