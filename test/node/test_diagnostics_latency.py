# SPDX-License-Identifier: Apache-2.0
"""The latency topics: Autoware's names, and types where they are installed."""

from __future__ import annotations

import sys
from pathlib import Path
from time import perf_counter, sleep
from types import ModuleType
from typing import Any

import pytest
import ros_harness  # noqa: F401  # skips where ROS is not installed
from rclpy.time import Time
from std_msgs.msg import Float64, Header
from tiny_model import write_tiny_model
from watched_node import perceiving

from shared_encoder_perception.node.latency_topics import (
    CYCLE_TOPIC,
    PIPELINE_TOPIC,
    PROCESSING_TOPIC,
    LatencyTopics,
    message_type,
)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that takes a millisecond."""
    return write_tiny_model(tmp_path_factory.mktemp("model") / "tiny.onnx")


def test_latency_topics_tell_what_happened_to_each_image(tiny: Path) -> None:
    """Of real images, on topics under the node's name."""
    with perceiving(tiny) as (perceiver, home):
        seen: dict[str, list[float]] = {}
        for topic in (PROCESSING_TOPIC, CYCLE_TOPIC, PIPELINE_TOPIC):
            name = topic.replace("~", "perception")
            seen[topic] = []
            home.peer.node.create_subscription(
                message_type(), name, lambda m, topic=topic: seen[topic].append(m.data), 10
            )
        perceiver.send_until(lambda _: all(len(numbers) > 2 for numbers in seen.values()))
        assert all(0.0 < number < 1e4 for numbers in seen.values() for number in numbers)


class Recorder:
    """A node whose publishers have so many listeners, and remember what they are given."""

    def __init__(self, listeners: int, now_ns: int) -> None:
        """Start with nothing published."""
        self.sent: list[tuple[str, Any]] = []
        self._listeners, self._now_ns = listeners, now_ns

    def create_lifecycle_publisher(self, _: Any, topic: str, __: Any, **___: Any) -> Any:
        """Return a publisher that writes to ``sent``."""
        node, listeners = self, self._listeners

        class Publisher:
            def get_subscription_count(self) -> int:
                return listeners

            def publish(self, message: Any) -> None:
                node.sent.append((topic, message))

        return Publisher()

    def get_clock(self) -> Any:
        """Return a clock that stands still."""
        return _StillClock(self._now_ns)


class _StillClock:
    def __init__(self, now_ns: int) -> None:
        self._now = Time(nanoseconds=now_ns)

    def now(self) -> Any:
        return self._now


def test_unknown_latencies_are_not_published() -> None:
    """No cycle before the second image of an activation; no age without a stamp or a clock."""
    stamped, bare = Header(), Header()
    stamped.stamp.sec = 5
    for header, now_ns, expected in (
        (stamped, 6_000_000_000, [PROCESSING_TOPIC, PIPELINE_TOPIC]),
        (bare, 6_000_000_000, [PROCESSING_TOPIC]),
        (stamped, 0, [PROCESSING_TOPIC]),
    ):
        node = Recorder(1, now_ns)
        topics = LatencyTopics(node)
        topics.publish(header, perf_counter(), 0.0)
        assert [topic for topic, _ in node.sent] == expected
        topics.reset()
        topics.publish(header, perf_counter(), 0.0)
        assert CYCLE_TOPIC not in dict(node.sent)
        topics.publish(header, perf_counter(), 0.0)
        assert CYCLE_TOPIC in dict(node.sent)
        if PIPELINE_TOPIC in expected:
            assert dict(node.sent)[PIPELINE_TOPIC].data == 1000.0
    silent = Recorder(0, 6_000_000_000)
    LatencyTopics(silent).publish(stamped, perf_counter(), 0.0)
    assert not silent.sent, "nobody listens"


def test_times_are_those_of_the_clock() -> None:
    """Waiting is no processing; a cycle ends when the image is out."""
    node = Recorder(1, 0)
    topics = LatencyTopics(node)
    for _ in range(2):
        received_s = perf_counter()
        sleep(0.03)
        topics.publish(Header(), received_s, 20.0)
        longest_ms = (perf_counter() - received_s) * 1e3
    times = {topic: message.data for topic, message in node.sent}
    assert 30.0 - 20.0 <= times[PROCESSING_TOPIC] <= longest_ms - 20.0
    assert 30.0 <= times[CYCLE_TOPIC] <= longest_ms + 1.0


def test_autowares_message_type_is_used_where_it_is_installed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With the time of publication, as its monitors expect; ``std_msgs`` elsewhere."""

    class Float64Stamped:
        def __init__(self, data: float) -> None:
            self.data, self.stamp = data, Time().to_msg()

    package, messages = (
        ModuleType(name)
        for name in ("autoware_internal_debug_msgs", "autoware_internal_debug_msgs.msg")
    )
    monkeypatch.setitem(sys.modules, package.__name__, None)
    assert message_type() is Float64
    messages.Float64Stamped = Float64Stamped  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, package.__name__, package)
    monkeypatch.setitem(sys.modules, messages.__name__, messages)
    node = Recorder(1, 7_000_000_000)
    LatencyTopics(node).publish(Header(), perf_counter(), 0.0)
    ((_, message),) = node.sent
    assert isinstance(message, Float64Stamped) and message.stamp.sec == 7
