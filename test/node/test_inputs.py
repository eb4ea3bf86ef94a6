# SPDX-License-Identifier: Apache-2.0
"""The subscription to the images, in real ROS: transports, QoS, overrides, events."""

from __future__ import annotations

from collections.abc import Iterator
from time import monotonic
from typing import Any

import pytest
import rclpy
import ros_harness as ros
from rclpy.event_handler import SubscriptionEventCallbacks
from rclpy.executors import SingleThreadedExecutor
from rclpy.parameter import Parameter
from rclpy.qos import HistoryPolicy, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CompressedImage, Image
from tiny_model import random_image

from shared_encoder_perception.images.image_msg import fill_compressed
from shared_encoder_perception.node.inputs import subscribe
from shared_encoder_perception.node.parameter_groups.images import (
    BEST_EFFORT,
    COMPRESSED,
    RAW,
    RELIABLE,
)


@pytest.fixture
def context() -> Iterator[Any]:
    """A context of its own."""
    context = rclpy.Context()
    rclpy.init(context=context, domain_id=ros.DOMAIN_ID)
    yield context
    rclpy.shutdown(context=context)


def node_in(context: Any, namespace: str, *arguments: str, **values: Any) -> Any:
    """Create a node."""
    return rclpy.create_node(
        "listener",
        context=context,
        namespace=namespace,
        cli_args=["--ros-args", *arguments] if arguments else None,
        parameter_overrides=[Parameter(name, value=value) for name, value in values.items()],
    )


def ignore(_: Any) -> None:
    """Take an image and forget it."""


def test_default_hears_every_camera_and_keeps_only_the_newest(context: Any) -> None:
    node = node_in(context, ros.new_namespace())
    subscription = subscribe(node, RAW, ignore)
    qos = subscription.qos_profile
    assert (qos.reliability, qos.depth) == (ReliabilityPolicy.BEST_EFFORT, 1)
    assert qos.history == HistoryPolicy.KEEP_LAST
    node.destroy_node()


@pytest.mark.parametrize(
    ("reliability", "expected"),
    [
        (BEST_EFFORT, ReliabilityPolicy.BEST_EFFORT),
        (RELIABLE, ReliabilityPolicy.RELIABLE),
    ],
)
def test_arguments_make_the_qos(context: Any, reliability: str, expected: Any) -> None:
    node = node_in(context, ros.new_namespace())
    subscription = subscribe(node, RAW, ignore, reliability=reliability, depth=7)
    qos = subscription.qos_profile
    assert (qos.reliability, qos.depth) == (expected, 7)
    node.destroy_node()


def test_overrides_of_ros_go_first(context: Any) -> None:
    namespace = ros.new_namespace()
    prefix = f"qos_overrides.{namespace}/image.subscription"
    node = node_in(
        context, namespace, **{f"{prefix}.reliability": "reliable", f"{prefix}.depth": 4}
    )
    for _ in range(2):  # every activation subscribes anew
        subscription = subscribe(node, RAW, ignore, reliability=BEST_EFFORT, depth=1)
        qos = subscription.qos_profile
        assert (qos.reliability, qos.depth) == (ReliabilityPolicy.RELIABLE, 4)
        node.destroy_subscription(subscription)
    node.destroy_node()


def test_override_that_ros_does_not_know_is_an_error(context: Any) -> None:
    namespace = ros.new_namespace()
    name = f"qos_overrides.{namespace}/image.subscription.reliability"
    node = node_in(context, namespace, **{name: "perhaps"})
    with pytest.raises(RuntimeError, match="Unexpected QoS override"):
        subscribe(node, RAW, ignore)
    node.destroy_node()


@pytest.mark.parametrize(
    ("transport", "topic"),
    [(RAW, "/front/image_raw"), (COMPRESSED, "/front/image_raw/compressed")],
)
def test_remapped_image_takes_its_compressed_topic_along(
    context: Any, transport: str, topic: str
) -> None:
    node = node_in(context, ros.new_namespace(), "-r", "image:=/front/image_raw")
    assert subscribe(node, transport, ignore).topic_name == topic
    node.destroy_node()


@pytest.mark.parametrize("offered", [ReliabilityPolicy.BEST_EFFORT, ReliabilityPolicy.RELIABLE])
@pytest.mark.parametrize("transport", [RAW, COMPRESSED])
def test_images_of_either_kind_arrive_at_a_best_effort_subscription(
    context: Any, transport: str, offered: Any
) -> None:
    namespace = ros.new_namespace()
    node = node_in(context, namespace)
    received: list[Any] = []
    subscribe(node, transport, received.append)
    kind, topic = (Image, "image") if transport == RAW else (CompressedImage, "image/compressed")
    camera = rclpy.create_node("camera", context=context, namespace=namespace)
    publisher = camera.create_publisher(kind, topic, QoSProfile(depth=5, reliability=offered))
    message = ros.image_message(random_image(0, (32, 80)), 1)
    if transport == COMPRESSED:
        message = CompressedImage(header=message.header)
        fill_compressed(message, random_image(0, (32, 80)))

    assert spin_until(context, node, lambda: received, lambda: publisher.publish(message))
    assert received[0] == message
    camera.destroy_node()
    node.destroy_node()


def test_camera_that_offers_less_than_asked_is_told_of(context: Any) -> None:
    """A reliable subscription never hears a best-effort camera; ROS says so by an event."""
    namespace = ros.new_namespace()
    node = node_in(context, namespace)
    received: list[Any] = []
    events: list[Any] = []
    subscribe(
        node,
        RAW,
        received.append,
        reliability=RELIABLE,
        event_callbacks=SubscriptionEventCallbacks(incompatible_qos=events.append),
    )
    camera = rclpy.create_node("camera", context=context, namespace=namespace)
    offered = QoSProfile(depth=5, reliability=ReliabilityPolicy.BEST_EFFORT)
    publisher = camera.create_publisher(Image, "image", offered)
    message = ros.image_message(random_image(0, (32, 80)), 1)
    assert spin_until(context, node, lambda: events, lambda: publisher.publish(message))
    assert events[0].total_count == 1 and not received
    camera.destroy_node()
    node.destroy_node()


def spin_until(context: Any, node: Any, condition: Any, action: Any) -> bool:
    """Serve ``node``, and act again and again, until ``condition`` holds."""
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(node)
    deadline = monotonic() + ros.PATIENCE_S
    while not condition() and monotonic() < deadline:
        action()
        executor.spin_once(timeout_sec=0.1)
    executor.shutdown()
    return bool(condition())
