# SPDX-License-Identifier: Apache-2.0
"""What the messages carry, field by field, as ``msg/*.msg`` promises it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import ros_harness  # noqa: F401  (first: it switches the field checks on, or skips)
from ground_lines import ground_perception
from perceptions import perception as perception_of
from rclpy.serialization import deserialize_message, serialize_message
from shared_encoder_perception.msg import LaneLine, LaneLineArray, ModelInfo
from std_msgs.msg import Header
from task_messages import STAGES, messages_of, same

from shared_encoder_perception import tasks
from shared_encoder_perception.artifact.model_info import MODEL_INFO, fill_model_info
from shared_encoder_perception.backends import BackendInfo
from shared_encoder_perception.images.counts import Counts
from shared_encoder_perception.node.messages import message_type, new_message
from shared_encoder_perception.replay import messages as recorded
from shared_encoder_perception.spec import ModelSpec
from shared_encoder_perception.structures import Perception
from shared_encoder_perception.tasks.drivable.answer import DrivableMask
from shared_encoder_perception.tasks.drivable.content import MASK_TOPIC, MASK_VALUES
from shared_encoder_perception.tasks.lanes.answer import LANE_NAMES, LaneId, LaneStatus
from shared_encoder_perception.tasks.lanes.answer import LaneLine as Line
from shared_encoder_perception.tasks.lanes.content import (
    ARRAY_TOPIC,
    LANE_TOPICS,
    lane_from_message,
)

SPEC = ModelSpec("road", "0.3.0", scores={"a/iou": 0.9, "a/f1": 0.8}, git_commit="abc")
GROUND_ARRAYS = (
    "ground_x",
    "ground_y",
    "ground_z",
    "ground_y_std",
    "polynomial",
    "polynomial_covariance",
)


@pytest.fixture
def header() -> Header:
    """A header with every field set."""
    message = Header(frame_id="camera_optical")
    message.stamp.sec, message.stamp.nanosec = 12, 34
    return message


@pytest.fixture
def perception() -> Perception:
    """Ego and a left split seen, the rest not; a mask with every probability."""
    points = np.stack((np.linspace(400, 380.3, 9), np.linspace(470, 300, 9)), axis=-1)
    std = np.full(9, 1.25, np.float32)
    std[4] = np.nan
    lanes = (
        Line(LaneId.EGO, LaneStatus.DETECTED, 0.8125, points, std),
        Line(LaneId.LEFT_EGO, confidence=np.float32(0.25)),
        Line(LaneId.RIGHT_EGO),
        Line(LaneId.LEFT_SPLIT_EGO, LaneStatus.PREDICTED, 0.5, points - 20, std, 3),
        Line(LaneId.RIGHT_SPLIT_EGO),
    )
    probability = np.arange(480 * 640, dtype=np.uint8).reshape(480, 640)
    return perception_of((480, 640), lanes, DrivableMask(probability, 100))


def told(perception: Perception, header: Header, **context: Any) -> dict[str, Any]:
    """Return all messages of rclpy by topic."""
    return messages_of(perception, header, SPEC, new_message, **context)


def lane_messages(perception: Perception, header: Header) -> list[LaneLine]:
    """Return those of the single lanes."""
    messages = told(perception, header)
    return [messages[topic] for topic in LANE_TOPICS]


def over_the_wire(message: Any) -> Any:
    """Return what a subscriber receives."""
    return deserialize_message(serialize_message(message), type(message))


def test_constants_agree() -> None:
    """The numbers of the lanes and states are the same on both sides."""
    for lane in LaneId:
        assert getattr(LaneLine, lane.name) == lane
    for status in LaneStatus:
        assert getattr(LaneLine, status.name) == status


def test_field_checks_are_on() -> None:
    """Otherwise these tests could not see a wrong type."""
    with pytest.raises(AssertionError):
        LaneLine().confidence = np.float32(0.5)


def test_lanes_round_trip(perception: Perception, header: Header) -> None:
    """Five messages in order; every one gives back the line it came from, exactly."""
    lanes = lane_messages(perception, header)
    assert [lane.lane_id for lane in lanes] == list(LaneId)
    for lane, line in zip(map(over_the_wire, lanes), perception.answers["lanes"], strict=True):
        assert lane.header == header
        assert (lane.image_height, lane.image_width) == (480, 640)
        assert lane.model_version == "road 0.3.0"
        back = lane_from_message(lane)
        assert (back.lane_id, back.status) == (line.lane_id, line.status)
        assert (back.confidence, back.branch_index) == (line.confidence, line.branch_index)
        np.testing.assert_array_equal(back.points_px, line.points_px)
        np.testing.assert_array_equal(back.x_std_px, line.x_std_px)


def test_what_is_unknown(perception: Perception, header: Header) -> None:
    """Scalars that nobody knows are NaN, arrays empty; the ground is not known at all."""
    ego, left, _, split, _ = lane_messages(perception, header)
    for lane in (ego, left, split):
        assert lane.ground_valid is False and lane.ground_frame_id == ""
        assert all(len(getattr(lane, name)) == 0 for name in GROUND_ARRAYS)
        for name in ("x_min", "x_max", "rmse"):
            assert math.isnan(getattr(lane, f"polynomial_{name}"))
        assert lane.track_id == 0
    assert ego.coasting_time == 0.0
    assert math.isnan(left.coasting_time)
    assert len(left.image_x) == len(left.image_y) == len(left.image_x_std) == 0
    assert left.confidence == 0.25 and left.branch_index == -1
    assert split.branch_index == 3


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"image_x": [1.0]}, "image_x has 1 values and image_y 9"),
        ({"lane_id": 9}, "9 is not a valid LaneId"),
        ({"image_y": [1.0] * 9}, "near to far"),
    ],
)
def test_lane_from_broken_message(
    perception: Perception, header: Header, changes: dict[str, Any], reason: str
) -> None:
    """A consumer learns what is wrong with a message."""
    lane = lane_messages(perception, header)[0]
    for name, value in changes.items():
        setattr(lane, name, value)
    with pytest.raises(ValueError, match=reason):
        lane_from_message(lane)


def test_lane_without_std(perception: Perception, header: Header) -> None:
    """An empty image_x_std means unknown, too."""
    lane = lane_messages(perception, header)[0]
    lane.image_x_std = []
    assert np.isnan(lane_from_message(lane).x_std_px).all()


def test_array(perception: Perception, header: Header) -> None:
    """The array carries the same five lanes and how they came about."""
    counts = Counts(received=12, perceived=7, replaced=2, rejected=1, lost=1, waiting=1)
    messages = told(perception, header, counts=counts, elapsed_ms=lambda: 31.5)
    lanes = [messages[topic] for topic in LANE_TOPICS]
    array = over_the_wire(messages[ARRAY_TOPIC])
    assert isinstance(array, LaneLineArray)
    assert array.header == header and len(array.lanes) == 5
    # NaN differs from itself, so compare the bytes.
    assert [serialize_message(lane) for lane in array.lanes] == [
        serialize_message(lane) for lane in lanes
    ]
    assert (array.sequence, array.frames_replaced, array.frames_rejected) == (7, 2, 1)
    assert (array.frames_received, array.frames_dropped) == (12, 4)
    assert {stage: getattr(array, f"{stage}_ms") for stage in STAGES} == STAGES
    assert array.processing_ms == 31.5
    assert all(one is other for one, other in zip(messages[ARRAY_TOPIC].lanes, lanes, strict=True))


def test_mask(perception: Perception, header: Header) -> None:
    """The mask is mono8 with 255 where the vehicle may drive."""
    drivable = perception.answers["drivable_surface"]
    mask = over_the_wire(told(perception, header)[MASK_TOPIC])
    assert mask.header == header
    assert (mask.encoding, mask.height, mask.width, mask.step) == ("mono8", 480, 640, 640)
    pixels = np.frombuffer(mask.data, np.uint8).reshape(480, 640)
    np.testing.assert_array_equal(pixels, drivable.values())
    assert set(np.unique(pixels)) == set(MASK_VALUES)


def test_model_info(header: Header) -> None:
    """ModelInfo tells the artifact, the contract and the engine."""
    info = BackendInfo(
        *("onnxruntime", "1.2", "cpu", "fp32", 3, "/models/road.onnx", "ff" * 32),
        reason="CPU",
        fallback="no GPU",
    )
    message = new_message(MODEL_INFO)
    fill_model_info(message, SPEC, info, header.stamp)
    message = over_the_wire(message)
    assert isinstance(message, ModelInfo)
    assert message.stamp == header.stamp
    assert (message.name, message.version, message.git_commit) == ("road", "0.3.0", "abc")
    assert dict(zip(message.score_names, message.score_values, strict=True)) == SPEC.scores
    assert tuple(message.tasks) == ("lanes", "drivable_surface")
    assert tuple(message.lane_names) == LANE_NAMES
    assert (message.input_height, message.input_width, message.stride) == (320, 800, 8)
    assert dict(zip(message.mask_values, message.mask_labels, strict=True)) == {
        0: "not_drivable",
        255: "drivable",
    }
    engine = (message.backend, message.backend_version, message.device, message.precision)
    assert engine == ("onnxruntime", "1.2", "cpu", "fp32")
    assert (message.threads, message.reason, message.fallback) == (3, "CPU", "no GPU")
    assert (message.source, message.sha256) == (info.source, info.sha256)


@pytest.mark.parametrize("name", tasks.DEFAULT)
def test_a_model_without_a_task_tells_nothing_of_it(name: str, header: Header) -> None:
    """Its fields of ModelInfo stay empty: unknown, not nothing there."""
    spec = ModelSpec("road", "0.3.0", tasks={name: SPEC.tasks[name]})
    info = BackendInfo("onnxruntime", "1.2", "cpu", "fp32", 3, "/models/road.onnx", "ff" * 32)
    message = new_message(MODEL_INFO)
    fill_model_info(message, spec, info, header.stamp)
    assert list(message.tasks) == [name]
    assert bool(message.lane_names) == bool(message.stride) == (name == "lanes")
    assert bool(message.mask_values) == bool(message.mask_labels) == (name != "lanes")


def _kind(message: Any) -> str:
    """Return the name of an rclpy message's type."""
    package = type(message).__module__.partition(".")[0]
    return f"{package}/msg/{type(message).__name__}"


def test_both_libraries_say_the_same(header: Header) -> None:
    """Every message of every task, and ModelInfo, field by field."""
    perception, ours = ground_perception(), recorded.new_header(header)
    context = {"frame_id": "base_link", "elapsed_ms": lambda: 12.25, "counts": Counts(3, 2)}
    live = told(perception, header, **context)
    offline = messages_of(perception, ours, SPEC, recorded.new_message, **context)
    assert set(live) == set(offline)
    kinds = {t.name: t.kind for c in tasks.parts("content").values() for t in c.TOPICS}
    for topic, message in live.items():
        assert _kind(message) == kinds[topic]
        received = recorded.from_bytes(recorded.to_bytes(offline[topic]), kinds[topic])
        assert same(over_the_wire(message), received), topic
    info = BackendInfo("onnxruntime", "1.2", "cpu", "fp32", 3, "/models/road.onnx", "ff" * 32)
    pair = new_message(MODEL_INFO), recorded.new_message(MODEL_INFO)
    for message, stamp in zip(pair, (header.stamp, ours.stamp), strict=True):
        fill_model_info(message, SPEC, info, stamp)
    assert same(*pair)
    pair[1].stride += 1
    assert not same(*pair), "the comparison would see nothing"


def test_a_type_that_is_not_installed_is_named() -> None:
    """Whoever adds a topic of a foreign package learns what to install."""
    for kind in ("no_such_msgs/msg/Thing", "std_msgs/msg/Thing"):
        with pytest.raises(ValueError, match=f"message type {kind} is not installed"):
            message_type(kind)


def test_answers_are_read_back_or_it_is_said_what_lacks(header: Header) -> None:
    """From the array or from the single lanes; the mask has to fit the image."""
    perception = ground_perception()
    messages = told(perception, header)
    lanes, mask = (tasks.part(name, "content") for name in tasks.DEFAULT)
    single = {topic: messages[topic] for topic in LANE_TOPICS}
    assert [line.track_id for line in lanes.read(single, perception.image_size)] == [0] * 5
    with pytest.raises(LookupError, match="lane_lines"):
        lanes.read({LANE_TOPICS[0]: messages[LANE_TOPICS[0]]}, perception.image_size)
    with pytest.raises(LookupError, match="drivable_surface/mask"):
        mask.read(single, perception.image_size)
    with pytest.raises(ValueError, match="expected the image's"):
        mask.read(messages, (480, 640))
    messages[ARRAY_TOPIC].lanes = messages[ARRAY_TOPIC].lanes[:4]
    with pytest.raises(ValueError, match="expected"):
        lanes.read(messages, perception.image_size)
