# SPDX-License-Identifier: Apache-2.0
"""The node's pictures on real topics: only while somebody looks, and in nobody's way."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic, perf_counter, sleep
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import ros_harness as ros

pytest.importorskip("visualization_msgs.msg", reason="visualization_msgs is not installed")

import rclpy
from ground_lines import FRAME, SIZE, ground_lanes, ground_perception
from rclpy.lifecycle import LifecycleNode
from sensor_msgs.msg import CompressedImage, PointCloud2
from std_msgs.msg import Header
from task_messages import STAGES
from visualization_msgs.msg import MarkerArray

from shared_encoder_perception.images.counts import Counts
from shared_encoder_perception.node import debug_outputs
from shared_encoder_perception.node.debug_outputs import (
    OVERLAY_TOPIC,
    DebugImage,
    DebugOptions,
    DebugOutputs,
    _Pace,
)
from shared_encoder_perception.node.outputs import Outputs
from shared_encoder_perception.node.perceived_image import PerceivedImage
from shared_encoder_perception.spec import ModelSpec
from shared_encoder_perception.tasks.contract.runtime import Context
from shared_encoder_perception.tasks.lanes import content, markers
from shared_encoder_perception.tasks.lanes.content import MARKERS_TOPIC, POINTS_TOPIC
from shared_encoder_perception.tasks.lanes.point_cloud import lane_points, read_points

KINDS = {
    OVERLAY_TOPIC: CompressedImage,
    MARKERS_TOPIC: MarkerArray,
    POINTS_TOPIC: PointCloud2,
}
SPEC = ModelSpec("tiny", "1.2.3")
FAST = DebugOptions(overlay_max_rate_hz=120.0, markers_max_rate_hz=120.0)


def debug_image(sequence: int, frame_id: str = FRAME) -> DebugImage:
    """One perceived image, unlike any other by its stamp."""
    header = Header(frame_id="camera")
    header.stamp.sec, header.stamp.nanosec = 100 + sequence, sequence
    perception = ground_perception()
    context = Context(header, SIZE, SPEC, perception.stage_ms, Counts(), frame_id)
    return DebugImage(np.full((*SIZE, 3), sequence, np.uint8), perception, context)


def perceived(sequence: int) -> PerceivedImage:
    """The same on its way to all topics."""
    image = debug_image(sequence)
    stages = {**STAGES, "waiting": 0.0}
    return PerceivedImage(
        image.context.header, image.pixels, image.perception, SPEC, stages, Counts(), 0.0
    )


class Stage:
    """A lifecycle node with the outputs, and a peer that looks at some of them."""

    def __init__(self, options: DebugOptions) -> None:
        """Activate the node; nobody looks yet."""
        namespace = ros.new_namespace()
        self.context = rclpy.Context()
        rclpy.init(context=self.context, domain_id=ros.DOMAIN_ID)
        self.node = LifecycleNode("perception", namespace=namespace, context=self.context)
        self.reports: list[str] = []
        self.outputs = Outputs(self.node, SPEC, options, self.reports.append)
        self.node.trigger_configure()
        self.node.trigger_activate()
        self.peer = ros.Peer(namespace)

    @property
    def debug(self) -> DebugOutputs:
        """What draws pictures."""
        return self.outputs._debug

    def look_at(self, *topics: str) -> None:
        """Subscribe, and wait until the node knows."""
        for topic in topics:
            name = topic.replace("~", "perception")
            received = self.peer.received[topic]
            self.peer.node.create_subscription(KINDS[topic], name, received.append, 10)
            full = self.peer.node.resolve_topic_name(name)
            assert self.peer.spin_until(lambda full=full: self.node.count_subscribers(full))
            publishers = [p for p in self.node.publishers if p.topic_name == full]
            assert self.peer.spin_until(lambda p=publishers: p[0].get_subscription_count())

    def close(self) -> None:
        """Take everything down."""
        self.peer.close()
        self.outputs.destroy()
        self.node.destroy_node()
        rclpy.shutdown(context=self.context)


@contextmanager
def stage(options: DebugOptions = FAST) -> Iterator[Stage]:
    """Open a stage and close it in any case."""
    opened = Stage(options)
    try:
        yield opened
    finally:
        opened.close()


def debug_threads() -> list[threading.Thread]:
    """Return the drawing threads of this process."""
    return [thread for thread in threading.enumerate() if thread.name == "debug"]


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """Count what is drawn and encoded, and in which threads."""
    counts = SimpleNamespace(render=0, encode_jpeg=0, lane_shapes=0, lane_points=0, threads=set())

    def counted(module: object, name: str) -> None:
        real = getattr(module, name)

        def count(*arguments: object) -> object:
            setattr(counts, name, getattr(counts, name) + 1)
            counts.threads.add(threading.current_thread().name)
            return real(*arguments)

        monkeypatch.setattr(module, name, count)

    for name in ("render", "encode_jpeg"):
        counted(debug_outputs, name)
    counted(markers, "lane_shapes")
    counted(content, "lane_points")
    return counts


def test_nobody_looks_and_nothing_is_done(work: SimpleNamespace) -> None:
    """No picture, no marker, no cloud, and not even a thread."""
    with stage() as on:
        for sequence in range(50):
            on.outputs.publish(perceived(sequence), FRAME)
        sleep(0.1)
        assert not debug_threads()
    assert (work.render, work.encode_jpeg, work.lane_shapes, work.lane_points) == (0, 0, 0, 0)


def test_only_what_is_looked_at_is_drawn(work: SimpleNamespace) -> None:
    """Looking at the markers draws no overlay."""
    with stage() as on:
        on.look_at(MARKERS_TOPIC)
        on.debug.submit(debug_image(1))
        assert on.peer.spin_until(lambda: on.peer.received[MARKERS_TOPIC])
        message = on.peer.received[MARKERS_TOPIC][0]
        assert len(message.markers) == 15
        assert message.markers[0].header.frame_id == FRAME
        assert message.markers[0].header.stamp.sec == 101
        assert work.render == 0
        assert work.threads == {"debug"}, "neither the executor's nor the caller's"


def test_the_overlay_arrives_with_the_images_header(work: SimpleNamespace) -> None:
    """A JPEG of the asked size, in the camera's frame."""
    with stage() as on:
        on.look_at(OVERLAY_TOPIC)
        on.debug.submit(debug_image(3))
        assert on.peer.spin_until(lambda: on.peer.received[OVERLAY_TOPIC])
        message = on.peer.received[OVERLAY_TOPIC][0]
        assert (message.header.stamp.sec, message.header.frame_id) == (103, "camera")
        assert "jpeg" in message.format
        picture = cv2.imdecode(np.frombuffer(message.data, np.uint8), cv2.IMREAD_COLOR)
        assert picture.shape == (320, 1040, 3)
        assert (work.render, work.lane_shapes) == (1, 0)
        on.debug.options = DebugOptions(overlay_width=400, overlay_birds_eye=False)
        sleep(0.02)
        on.debug.submit(debug_image(4))
        assert on.peer.spin_until(lambda: len(on.peer.received[OVERLAY_TOPIC]) == 2)
        content = on.peer.received[OVERLAY_TOPIC][1].data
        small = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
        assert small.shape == (160, 400, 3), "options apply from the next picture"


def test_without_calibration_there_are_no_markers_and_no_cloud(work: SimpleNamespace) -> None:
    """There is no frame that they could be in."""
    with stage() as on:
        on.look_at(MARKERS_TOPIC, POINTS_TOPIC, OVERLAY_TOPIC)
        on.outputs.publish(perceived(1), frame_id="")
        assert on.peer.spin_until(lambda: on.peer.received[OVERLAY_TOPIC])
        on.peer.spin_for(0.1)
        assert not on.peer.received[MARKERS_TOPIC] and not on.peer.received[POINTS_TOPIC]
    assert (work.lane_shapes, work.lane_points) == (0, 0)


def test_the_cloud_arrives(work: SimpleNamespace) -> None:
    """With the points of all lanes; published in the caller's thread, because it is data."""
    with stage() as on:
        on.look_at(POINTS_TOPIC)
        on.outputs.publish(perceived(1), FRAME)
        assert on.peer.spin_until(lambda: on.peer.received[POINTS_TOPIC])
        points = read_points(on.peer.received[POINTS_TOPIC][0])
        np.testing.assert_array_equal(points, lane_points(ground_lanes()))
        assert work.threads == {threading.current_thread().name}


def test_slow_drawing_delays_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """While a picture takes its time images come and go; the newest is the next."""
    entered, gate = threading.Event(), threading.Event()
    drawn = []

    def slow(pixels: np.ndarray, *_: object) -> np.ndarray:
        drawn.append(int(pixels[0, 0, 0]))
        entered.set()
        gate.wait(ros.PATIENCE_S)
        return pixels

    monkeypatch.setattr(debug_outputs, "render", slow)
    with stage() as on:
        on.look_at(OVERLAY_TOPIC)
        on.debug.submit(debug_image(0))
        assert entered.wait(ros.PATIENCE_S)
        sleep(0.02)
        start = perf_counter()
        for sequence in range(1, 100):
            on.debug.submit(debug_image(sequence))
        assert perf_counter() - start < 1.0
        gate.set()
        assert on.peer.spin_until(lambda: len(drawn) == 2)
    assert drawn == [0, 99]


def test_a_picture_that_fails_costs_nothing_but_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is reported, and the next one comes."""
    real = debug_outputs.render
    monkeypatch.setattr(debug_outputs, "render", lambda *_: [][0])
    with stage() as on:
        on.look_at(OVERLAY_TOPIC)
        on.debug.submit(debug_image(0))
        assert on.peer.spin_until(lambda: on.reports)
        assert on.reports == ["cannot draw, IndexError: list index out of range"]
        monkeypatch.setattr(debug_outputs, "render", real)
        sleep(0.02)
        on.debug.submit(debug_image(1))
        assert on.peer.spin_until(lambda: on.peer.received[OVERLAY_TOPIC])


def test_the_rate_is_bounded(work: SimpleNamespace) -> None:
    """Images at 100 Hz, pictures at 10 Hz."""
    with stage(DebugOptions(overlay_max_rate_hz=10.0)) as on:
        on.look_at(OVERLAY_TOPIC)
        end, sequence = monotonic() + 1.0, 0
        while monotonic() < end:
            on.debug.submit(debug_image(sequence))
            sequence += 1
            sleep(0.01)
    assert 7 <= work.render <= 12


def test_the_pace_keeps_its_average_on_an_uneven_beat() -> None:
    """10 Hz out of 30 Hz with jitter is every third image, not every fourth."""
    rng = np.random.default_rng(0)
    pace, times = _Pace(), np.arange(3000) / 30 + rng.uniform(-0.004, 0.004, 3000) + 50
    taken = 0
    for now in times:
        if pace.due(now):
            pace.step(now, 10.0)
            taken += 1
    assert 950 <= taken <= 1001
    assert pace.due(1e3) and not (pace.step(1e3, 10.0) or pace.due(1e3 + 0.04)), "no burst"


def test_the_thread_ends_with_the_outputs() -> None:
    """Destroyed while it waits, or while nobody ever looked."""
    with stage() as on:
        on.look_at(OVERLAY_TOPIC)
        on.debug.submit(debug_image(0))
        assert on.peer.spin_until(lambda: on.peer.received[OVERLAY_TOPIC])
        assert len(debug_threads()) == 1
        publishers = len(list(on.node.publishers))
        on.debug.destroy()
        assert not debug_threads()
        assert len(list(on.node.publishers)) == publishers - 2
        on.debug.submit(debug_image(1))
        on.outputs._debug = DebugOutputs(on.node, FAST, on.reports.append)
