# SPDX-License-Identifier: Apache-2.0
"""Why no image comes: what diagnostics read from the ROS graph and from the middleware."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import ros_harness as ros
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CompressedImage, Image
from watched_node import OPTIONS, Watched, values_of, watched

from shared_encoder_perception.node.health import Audience
from shared_encoder_perception.node.inputs import subscribe
from shared_encoder_perception.node.node_health import NodeHealth
from shared_encoder_perception.node.worker import Worker


@contextmanager
def listening(home: Watched, transport: str = "raw", **options: Any) -> Iterator[NodeHealth]:
    """Yield the health of a node that only listens."""
    health = NodeHealth(home.node, home.diagnostics, OPTIONS, lambda: "active", Audience)
    subscription = subscribe(
        home.node, transport, print, event_callbacks=health.event_callbacks(), **options
    )
    worker = Worker(None, None, print, print)  # type: ignore[arg-type]  # never gets an image
    health.start(worker, subscription, ())
    home.serve()
    try:
        yield health
    finally:
        worker.stop(ros.PATIENCE_S)


def test_a_quality_of_service_that_does_not_fit_is_named(
    capfd: pytest.CaptureFixture[str],
) -> None:
    """With the publisher's name and what to set, while it is there, and no longer."""
    with watched() as home:
        best_effort = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
        home.peer.node.destroy_publisher(home.peer.images)
        with listening(home, reliability="reliable"):
            home.wait(lambda s: f"nobody publishes {home.namespace}/image" in s["input"].message)
            camera = home.peer.node.create_publisher(Image, "image", best_effort)
            # The event comes before the graph knows who it is.
            home.wait(lambda s: f"{home.namespace}/peer publishes" in s["input"].message)
            message = home.statuses["input"].message
            assert "Best effort publisher and reliable subscription" in message
            assert message.endswith("; set input.reliability to best_effort")
            assert values_of(home.statuses["input"])["publishers"] == "1"
            home.peer.node.destroy_publisher(camera)
            home.wait(lambda statuses: "nobody publishes" in statuses["input"].message)
            assert values_of(home.statuses["input"])["mismatch"] == ""
    assert "nothing will be received from it: RELIABILITY" in capfd.readouterr().err


def test_a_topic_of_another_type_is_named() -> None:
    """Raw and compressed under one name."""
    with watched() as home:
        home.peer.node.destroy_publisher(home.peer.images)
        home.peer.node.create_publisher(CompressedImage, "image", 1)
        with listening(home):
            home.wait(lambda s: "as sensor_msgs/msg/CompressedImage" in s["input"].message)
            assert "expected sensor_msgs/msg/Image" in home.statuses["input"].message


@pytest.mark.parametrize(
    ("transport", "kind", "published", "hint"),
    [
        ("raw", CompressedImage, "image/compressed", "set input.transport to compressed"),
        ("compressed", Image, "image", "set input.transport to raw"),
    ],
)
def test_images_on_the_other_transport_are_pointed_out(
    transport: str, kind: Any, published: str, hint: str
) -> None:
    """The camera runs, but the topic next door is the one that is published."""
    with watched() as home:
        home.peer.node.destroy_publisher(home.peer.images)
        home.peer.node.create_publisher(kind, published, 1)
        with listening(home, transport):
            home.wait(lambda statuses: hint in statuses["input"].message)
            assert "nobody publishes" in home.statuses["input"].message
