# SPDX-License-Identifier: Apache-2.0
"""Bad days of a vehicle: the node recovers by itself, and diagnostics show what was wrong.

Single images, backends and transitions that fail are in ``test_node`` and ``test_worker``; what
needs processes is in ``test_faults_process``.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import ros_harness as ros  # before the others: it sets the environment
from builtin_interfaces.msg import Time
from fault_bench import PERIOD_S, TASKS, watched_node
from rclpy.qos import DurabilityPolicy, QoSProfile
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from shared_encoder_perception.msg import LaneLineArray
from tiny_model import random_image, write_tiny_model

from shared_encoder_perception.images.image_msg import fill_compressed
from shared_encoder_perception.node.topics import OVERLAY_TOPIC
from shared_encoder_perception.tasks.drivable.content import MASK_TOPIC
from shared_encoder_perception.tasks.lanes.content import ARRAY_TOPIC, LANE_TOPICS
from shared_encoder_perception.tasks.status import Level


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that takes a millisecond."""
    return write_tiny_model(tmp_path_factory.mktemp("model") / "tiny.onnx")


@pytest.fixture
def message() -> Image:
    """A good image."""
    return ros.image_message(random_image(0), 0)


def jpeg(pixels: np.ndarray) -> CompressedImage:
    """Return a picture as a message."""
    message = CompressedImage()
    fill_compressed(message, pixels, "jpeg")
    message.header.stamp.sec = 1000
    return message


@pytest.mark.parametrize("fault", ["cut", "garbage", "empty", "another format"])
def test_corrupt_jpegs_are_refused_until_good_ones_come(tiny: Path, fault: str) -> None:
    """The camera's encoder or the network is at fault for a while."""
    good, bad = jpeg(random_image(1)), jpeg(random_image(1))
    if fault == "cut":
        bad.data = bad.data[: len(bad.data) // 2]
    elif fault == "garbage":
        bad.data = type(bad.data)("B", np.random.default_rng(0).bytes(len(bad.data)))
    elif fault == "empty":
        bad.data = bad.data[:0]
    else:
        bad.format = "h264"
    with watched_node(tiny, CompressedImage) as (_, watch):
        peer = watch.peer
        peer.settle(good)
        before = peer.ask(good)[ARRAY_TOPIC]
        for _ in range(20):
            peer.images.publish(bad)
            peer.spin_for(PERIOD_S)
        assert len(peer.received[ARRAY_TOPIC]) == 1, "a corrupt image was answered"
        watch.expect(
            "input",
            Level.ERROR,
            "rejected: no image can be used",
            send=partial(peer.images.publish, bad),
        )
        after = peer.ask(good)[ARRAY_TOPIC]
        assert after.frames_rejected > before.frames_rejected
        assert after.sequence == before.sequence + 1
        watch.all_well(good)


def test_backend_that_raises_for_a_while(tiny: Path, message: Image) -> None:
    """Out of memory, until somebody gives it back."""
    with watched_node(tiny) as (local, watch):
        peer = watch.peer
        peer.settle(message)
        local.backends[0].error = RuntimeError("out of memory")
        for _ in range(20):
            peer.images.publish(message)
            peer.spin_for(PERIOD_S)
        watch.expect(
            "processing", Level.ERROR, "out of memory", partial(peer.images.publish, message)
        )
        local.backends[0].error = None
        watch.all_well(message)


def test_backend_that_hangs_and_returns(tiny: Path) -> None:
    """Nobody touches the node: the newest image is answered, those between are counted."""
    with watched_node(tiny) as (local, watch):
        peer, arrays = watch.peer, watch.peer.received[ARRAY_TOPIC]
        peer.settle(ros.image_message(random_image(0), 0))
        before = peer.ask(ros.image_message(random_image(0), 0))[ARRAY_TOPIC]
        backend = local.backends[0]
        backend.gate.clear()
        backend.entered.clear()
        peer.images.publish(ros.image_message(random_image(1), 1))
        assert peer.spin_until(backend.entered.is_set)
        arrays.clear()
        for number in range(2, 22):
            peer.images.publish(ros.image_message(random_image(number), number))
            peer.spin_for(PERIOD_S)
        assert not arrays
        watch.expect("processing", Level.ERROR, "inference has not returned for")
        backend.gate.set()
        assert peer.spin_until(lambda: len(arrays) == 2)
        assert [array.header.stamp.sec for array in arrays] == [1001, 1021]
        assert arrays[-1].sequence == before.sequence + 2
        assert arrays[-1].frames_replaced > before.frames_replaced
        watch.all_well(ros.image_message(random_image(0), 30))


def test_simulated_clock_that_jumps(tiny: Path) -> None:
    """A bag that is played in a loop, and one that is played from another place."""
    with watched_node(tiny, **{"use_sim_time": True, "input.max_age_s": 0.5}) as (_, watch):
        peer = watch.peer
        clock = peer.node.create_publisher(Clock, "/clock", 10)
        assert peer.spin_until(lambda: clock.get_subscription_count())
        now_ns = 0

        def play() -> None:
            nonlocal now_ns
            now_ns += 33_000_000
            stamp = Time(sec=now_ns // 10**9, nanosec=now_ns % 10**9)
            clock.publish(Clock(clock=stamp))
            image.header.stamp = stamp
            peer.images.publish(image)

        image = ros.image_message(random_image(0), 0)
        arrays = peer.received[ARRAY_TOPIC]
        for start_s in (2000, 1000, 5000):
            now_ns = start_s * 10**9
            arrays.clear()
            if start_s == 1000:
                watch.expect("input", Level.WARN, "stamps jumped back", send=play)
            ours = range(start_s, start_s + 100)
            watch.send_until(
                play,
                lambda ours=ours: sum(a.header.stamp.sec in ours for a in arrays) >= 10,
            )
            assert arrays[-1].header.stamp.sec in ours, "an image of the time before"
        for task in TASKS:
            watch.expect(task, Level.OK, send=play)


def test_images_whose_size_changes(tiny: Path) -> None:
    """The driver was configured anew: what comes out has the size of what went in."""
    with watched_node(tiny) as (_, watch):
        peer = watch.peer
        peer.settle(ros.image_message(random_image(0), 0))
        for number, size in enumerate(((320, 800), (720, 1280), (100, 100), (320, 800))):
            pixels = np.random.default_rng(number).integers(0, 256, (*size, 3), np.uint8)
            answer = peer.ask(ros.image_message(pixels, number))
            assert (answer[MASK_TOPIC].height, answer[MASK_TOPIC].width) == size
            line = answer[LANE_TOPICS[0]]
            assert (line.image_height, line.image_width) == size
        watch.all_well(ros.image_message(random_image(0), 30))


def test_calibration_that_is_nan_for_a_while(tiny: Path) -> None:
    """Lanes go out without ground geometry, diagnostics say why, and the next good one is used."""
    size = (320, 800)
    with watched_node(tiny, **{"ground.source": "parameters"}) as (_, watch):
        peer = watch.peer
        infos = peer.node.create_publisher(CameraInfo, "camera_info", QoSProfile(depth=1))
        assert peer.spin_until(infos.get_subscription_count)
        image = ros.image_message(random_image(0), 0)

        def send(focal: float) -> None:
            info = CameraInfo(height=size[0], width=size[1], distortion_model="plumb_bob")
            info.k = [focal, 0.0, size[1] / 2, 0.0, focal, size[0] / 2, 0.0, 0.0, 1.0]
            info.d = [0.0] * 5
            infos.publish(info)
            image.header.stamp = peer.node.get_clock().now().to_msg()
            peer.images.publish(image)

        arrays = peer.received[ARRAY_TOPIC]
        watch.send_until(partial(send, float("nan")), lambda: arrays)
        watch.expect("calibration", Level.ERROR, "k holds NaN", send=partial(send, float("nan")))
        assert not any(line.ground_valid for array in arrays for line in array.lanes)
        watch.expect("calibration", Level.OK, send=partial(send, 500.0))
        for task in TASKS:
            watch.expect(task, Level.OK, send=partial(send, 500.0))


@pytest.mark.parametrize(
    ("kind", "topic"),
    [(LaneLineArray, ARRAY_TOPIC), (CompressedImage, f"perception/{OVERLAY_TOPIC}")],
)
def test_subscriber_with_the_wrong_qos(tiny: Path, message: Image, kind: Any, topic: str) -> None:
    """It asks for messages of the past, which lanes have none of: diagnostics name it."""
    latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    with watched_node(tiny) as (_, watch):
        peer = watch.peer
        watch.all_well(message)
        send = partial(peer.images.publish, message)
        wrong = peer.node.create_subscription(kind, topic, print, latched)
        watch.expect("output", Level.WARN, f"{watch.namespace}/peer subscribes to", send=send)
        peer.node.destroy_subscription(wrong)
        watch.all_well(message)
