# SPDX-License-Identifier: Apache-2.0
"""Which messages are made, in what order and when: by what a task's room says of its topics."""

from __future__ import annotations

import logging
import sys
from dataclasses import dataclass, field
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
import ros_harness  # noqa: F401  (skips without ROS)
from rclpy.clock import Clock
from std_msgs.msg import Header
from task_messages import STAGES

from shared_encoder_perception import tasks
from shared_encoder_perception.artifact.model_info import INFO_TOPIC
from shared_encoder_perception.backends import BackendInfo
from shared_encoder_perception.images.counts import Counts
from shared_encoder_perception.node.debug_overlay import DebugOptions
from shared_encoder_perception.node.outputs import LATCHED_QOS, OUTPUT_QOS, Outputs
from shared_encoder_perception.node.perceived_image import PerceivedImage
from shared_encoder_perception.node.refinement import Refiners
from shared_encoder_perception.spec import ModelSpec
from shared_encoder_perception.structures import Perception
from shared_encoder_perception.tasks.contract.refining import Moment
from shared_encoder_perception.tasks.contract.runtime import Topic
from shared_encoder_perception.tasks.status import Level, Status

TEXT = "std_msgs/msg/String"
TOPICS = (
    Topic("novel/closing", TEXT, last=True),
    Topic("novel/asked", TEXT, lazy=True),
    Topic("novel/on_road", TEXT, grounded=True),
    Topic("novel/first", TEXT),
    Topic("novel/names", TEXT, latched=True),
    Topic("novel/known", TEXT, latched=True, optional=True),
    Topic("novel/unknown", "novel_msgs/msg/Unknown", latched=True, optional=True),
    Topic("~/debug/novel", TEXT, lazy=True, pictures=True),
)


def text_of(words: str, new: Any) -> Any:
    message = new(TEXT)
    message.data = words
    return message


def messages(answer: Any, context: Any, new: Any) -> Any:
    return {
        topic.name: lambda name=topic.name: text_of(f"{answer.words} on {name}", new)
        for topic in TOPICS
        if not topic.latched
    }


def announce(block: Any, options: Any, header: Any, new: Any) -> Any:
    assert header.stamp.sec > 0
    return {
        "novel/names": lambda: text_of(block, new),
        "novel/known": lambda: text_of(f"{block} with {options}", new),
        "novel/unknown": lambda: new("novel_msgs/msg/Unknown"),
    }


@dataclass
class Publisher:
    """Keeps what is published."""

    topic_name: str
    qos: Any
    log: list[tuple[str, Any]]
    subscribers: int = 0

    def publish(self, message: Any) -> None:
        self.log.append((self.topic_name, message))

    def get_subscription_count(self) -> int:
        return self.subscribers


@dataclass
class FakeNode:
    """What ``Outputs`` needs of a lifecycle node."""

    log: list[tuple[str, Any]] = field(default_factory=list)
    made: dict[str, Publisher] = field(default_factory=dict)
    context: Any = None

    def create_lifecycle_publisher(self, kind: Any, topic: str, qos: Any, **_: Any) -> Publisher:
        self.made[topic] = Publisher(topic, qos, self.log)
        return self.made[topic]

    def destroy_lifecycle_publisher(self, publisher: Publisher) -> None:
        del self.made[publisher.topic_name]

    def get_clock(self) -> Clock:
        return Clock()

    def count_subscribers(self, topic: str) -> int:
        return 0


@pytest.fixture
def node(monkeypatch: pytest.MonkeyPatch) -> FakeNode:
    """A node, in a house that has one more room."""
    room = ModuleType("novel_room")
    room.content = SimpleNamespace(  # type: ignore[attr-defined]
        TOPICS=TOPICS, messages=messages, announce=announce, fill_info=lambda *_: None
    )
    monkeypatch.setitem(sys.modules, "novel_room", room)
    monkeypatch.setitem(tasks.ROOMS, "novel", "novel_room")
    return FakeNode()


SPEC: Any = SimpleNamespace(
    **{**vars(ModelSpec("road", "1")), "tasks": {"novel": "the block"}}, title="road 1"
)


def predictor() -> Any:
    """Return what is asked of a predictor."""
    info = BackendInfo("onnxruntime", "1.2", "cpu", "fp32", 3, "/models/road.onnx", "ff" * 32)
    backend = SimpleNamespace(info=info)
    return SimpleNamespace(spec=SPEC, backend=backend, options={"novel": 0.5})


def perceived() -> PerceivedImage:
    """Return an image with an answer of that task alone."""
    answer = SimpleNamespace(check=lambda _: None, words="said")
    return PerceivedImage(
        Header(frame_id="camera"),
        np.zeros((4, 8, 3), np.uint8),
        Perception((4, 8), {"novel": answer}),
        SPEC,
        {**STAGES, "waiting": 0.0},
        Counts(),
        0.0,
    )


def test_topics_are_made_of_what_the_room_says(
    node: FakeNode, caplog: pytest.LogCaptureFixture
) -> None:
    """Each once, latched ones for late subscribers, and ModelInfo beside them."""
    with caplog.at_level(logging.INFO, "shared_encoder_perception"):
        outputs = Outputs(node, SPEC, DebugOptions(), print)
    (line,) = caplog.messages
    assert line.startswith("novel/unknown is left out: the message type novel_msgs/msg/Unknown is")
    assert {topic.name for topic in TOPICS} - set(node.made) == {"novel/unknown"}
    assert INFO_TOPIC in node.made
    for topic in TOPICS:
        if not topic.pictures and topic.name in node.made:
            assert node.made[topic.name].qos is (LATCHED_QOS if topic.latched else OUTPUT_QOS)
    listed = list(outputs.audience().subscribers)
    assert listed == [
        *("novel/on_road", "novel/first", "novel/closing", "novel/names", "novel/known"),
        INFO_TOPIC,
    ]
    outputs.destroy()
    assert not node.made


def test_order_and_conditions(node: FakeNode) -> None:
    """Lazy ones only for somebody, grounded ones only with a frame, the last one last."""
    outputs = Outputs(node, SPEC, DebugOptions(), print)
    outputs.publish(perceived(), "")
    assert [topic for topic, _ in node.log] == ["novel/first", "novel/closing"]
    node.log.clear()
    node.made["novel/asked"].subscribers = 1
    outputs.publish(perceived(), "base_link")
    sent = ["novel/on_road", "novel/first", "novel/asked", "novel/closing"]
    assert [topic for topic, _ in node.log] == sent
    assert node.log[0][1].data == "said on novel/on_road"


def test_an_announcement_is_made_before_and_sent_when_told(node: FakeNode) -> None:
    """With the messages of the latched topics, for each model."""
    outputs = Outputs(node, SPEC, DebugOptions(), print)
    made = outputs.announcement(predictor())
    assert list(made) == ["novel/names", "novel/known", INFO_TOPIC] and not node.log
    assert made["novel/names"].data == "the block" and list(made[INFO_TOPIC].tasks) == ["novel"]
    outputs.announce(made)
    assert [topic for topic, _ in node.log] == ["novel/names", "novel/known", INFO_TOPIC]


def test_what_options_change_is_told_again_and_nothing_else(node: FakeNode) -> None:
    """But not before anything was told."""
    outputs, drawing, one = Outputs(node, SPEC, DebugOptions(), print), DebugOptions(), predictor()
    outputs.set_options(drawing, one)
    assert not node.log
    outputs.start(one)
    node.log.clear()
    outputs.set_options(drawing, one)
    outputs.set_options(drawing, None)
    assert not node.log
    one.options = {"novel": 0.7}
    outputs.set_options(drawing, one)
    outputs.set_options(drawing, one)
    ((topic, message),) = node.log
    assert (topic, message.data) == ("novel/known", "the block with 0.7")


class Doubler:
    """A refiner that repeats an answer."""

    def __init__(self, options: int) -> None:
        self.options = options
        self.told: list[str] = []

    def __call__(self, answer: str, moment: Moment) -> str:
        return answer * self.options

    def end_drive(self) -> None:
        self.told.append("end_drive")

    def reset(self) -> None:
        self.told.append("reset")

    def statuses(self) -> dict[str, Status]:
        found = {"doubling": Status(Level.OK, f"{self.options}x", {"factor": str(self.options)})}
        if self.options > 2:
            found["calibration"] = Status(Level.WARN, "too much")
        return found


def test_refiners_are_asked_for_the_tasks_that_have_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """And tell of themselves only while the model has their task."""
    for name in ("twice", "thrice"):
        room = ModuleType(name)
        room.refine = SimpleNamespace(Refiner=Doubler)  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, name, room)
        monkeypatch.setitem(tasks.ROOMS, name, name)
    refiners = Refiners({"twice": 2, "thrice": 3})
    moment = Moment((4, 8), 1.0)
    assert refiners.refine({"other": "a", "thrice": "b"}, moment) == {"other": "a", "thrice": "bbb"}
    assert refiners.names == ["doubling"]
    both = refiners.status("doubling", None)
    assert both is not None and both.message == "3x; 2x"
    alone = refiners.status("doubling", ["twice"])
    assert alone is not None and alone.values == {"factor": "2"}
    assert refiners.status("doubling", ["other"]) is None
    warned = Status(Level.OK, "on the road", {"source": "tf"}).with_more(
        refiners.status("calibration", None) or Status(Level.OK, "")
    )
    assert warned == Status(Level.WARN, "too much; on the road", {"source": "tf"})
    refiners.set_options({"twice": 4, "thrice": 5})
    assert refiners.refine({"twice": "a"}, moment) == {"twice": "aaaa"}
