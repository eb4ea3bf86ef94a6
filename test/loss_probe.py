# SPDX-License-Identifier: Apache-2.0
"""A camera and a listener, each to be run as a process of its own by tests.

``publish`` sends numbered images at a steady rate as camera drivers do: best effort, whatever
becomes of them. ``listen`` prints the numbers that arrived as one line of JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from itertools import count
from pathlib import Path
from time import monotonic, sleep

import numpy as np
import rclpy
from patience import PATIENCE_S
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import Image

from shared_encoder_perception.images.image_msg import fill_image

QOS = QoSProfile(depth=100, reliability=ReliabilityPolicy.BEST_EFFORT)
"""So deep that a listener who is slow for a moment loses nothing: what is lost, the middleware
lost."""
DISCOVERY_S = PATIENCE_S
SETTLE_S = 0.5
SILENCE_S = 2.0
"""After so long without an image, no more are expected."""


def start(role: str, *options: str, environment: Mapping[str, str]) -> subprocess.Popen[str]:
    """Start this file as a process; see ``main`` for the options."""
    root = Path(__file__).resolve().parent.parent
    path = os.pathsep.join(filter(None, (str(root), environment.get("PYTHONPATH"))))
    return subprocess.Popen(
        [sys.executable, __file__, role, *options],
        env={**environment, "PYTHONPATH": path},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def publish(node: Node, args: argparse.Namespace) -> None:
    """Send ``args.count`` images, or images until the parent process is gone."""
    height, width = args.size
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    message = Image()
    message.header.frame_id = args.frame_id
    fill_image(message, pixels, "bgr8")
    publisher = node.create_publisher(Image, args.topic, QOS)
    deadline, parent = monotonic() + DISCOVERY_S, os.getppid()
    while not publisher.get_subscription_count():
        if monotonic() > deadline:
            raise SystemExit("nobody listens")
        sleep(0.01)
    sleep(SETTLE_S)
    start = monotonic()
    for number in range(args.count) if args.count else count():
        sleep(max(start + number / args.rate - monotonic(), 0.0))
        if os.getppid() != parent:
            return
        message.header.stamp = node.get_clock().now().to_msg()
        if args.numbered:
            message.header.stamp.sec, message.header.stamp.nanosec = number + 1, 0
        publisher.publish(message)
    # A publisher that leaves takes along what was not received yet.
    sleep(SILENCE_S)


def listen(node: Node, args: argparse.Namespace) -> None:
    """Receive until the last image has come, none comes any more, or the sender has left.

    Where every single image is lost only the sender's leaving ends it.
    """
    seen: list[int] = []
    met = False
    node.create_subscription(
        Image, args.topic, lambda message: seen.append(message.header.stamp.sec), QOS
    )
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    deadline = monotonic() + DISCOVERY_S
    while monotonic() < deadline and args.count not in seen:
        before = len(seen)
        executor.spin_once(timeout_sec=0.1)
        if len(seen) > before:
            deadline = monotonic() + SILENCE_S
        senders = node.count_publishers(args.topic)
        if met and not senders:
            break
        met = met or senders > 0
    print(json.dumps(seen), flush=True)


def main() -> None:
    """Be one of the two."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("role", choices=("publish", "listen"))
    parser.add_argument("--topic", required=True)
    parser.add_argument(
        "--count", type=int, default=0, help="0 = endless, below 0: none, only be there"
    )
    parser.add_argument("--rate", type=float, default=30.0)
    parser.add_argument("--size", type=int, nargs=2, default=(320, 800), help="height, width")
    parser.add_argument("--frame-id", default="camera")
    parser.add_argument("--numbered", action="store_true", help="count seconds in the stamps")
    args = parser.parse_args()
    rclpy.init(args=[])
    node = rclpy.create_node(args.role)
    try:
        (publish if args.role == "publish" else listen)(node, args)
    except KeyboardInterrupt:
        pass
    finally:
        node.destroy_node()
        rclpy.try_shutdown()


if __name__ == "__main__":
    main()
