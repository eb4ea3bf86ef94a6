"""What the messages carry, field by field, as ``msg/*.msg`` promises it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import ros_harness  # noqa: F401  (first: it switches the field checks on, or skips)
from perceptions import perception as perception_of
from rclpy.serialization import deserialize_message, serialize_message
from shared_encoder_perception.images.counts import Counts
from shared_encoder_perception.msg import LaneLine, LaneLineArray, ModelInfo
from std_msgs.msg import Header

from shared_encoder_perception.backends import BackendInfo
from shared_encoder_perception.node import messages
from shared_encoder_perception.spec import TASKS, ModelSpec
from shared_encoder_perception.structures import Perception
from shared_encoder_perception.tasks.drivable.answer import DrivableMask
from shared_encoder_perception.tasks.lanes import content as message_content
from shared_encoder_perception.tasks.lanes.answer import LANE_NAMES, LaneId, LaneStatus
from shared_encoder_perception.tasks.lanes.answer import LaneLine as Line

SPEC = ModelSpec("road", "0.3.0", scores={"a/iou": 0.9, "a/f1": 0.8}, git_commit="abc")
STAGES = {"conversion": 0.5, "preprocess": 1.5, "inference": 20.0, "decode": 1.0}
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
    lanes = messages.lane_messages(perception, header, SPEC)
    assert [lane.lane_id for lane in lanes] == list(LaneId)
    for lane, line in zip(map(over_the_wire, lanes), perception.lanes, strict=True):
        assert lane.header == header
        assert (lane.image_height, lane.image_width) == (480, 640)
        assert lane.model_version == "road 0.3.0"
        back = message_content.lane_from_message(lane)
        assert (back.lane_id, back.status) == (line.lane_id, line.status)
        assert (back.confidence, back.branch_index) == (line.confidence, line.branch_index)
        np.testing.assert_array_equal(back.points_px, line.points_px)
        np.testing.assert_array_equal(back.x_std_px, line.x_std_px)


def test_what_is_unknown(perception: Perception, header: Header) -> None:
    """Scalars that nobody knows are NaN, arrays empty; the ground is not known at all."""
    ego, left, _, split, _ = messages.lane_messages(perception, header, SPEC)
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
    lane = messages.lane_messages(perception, header, SPEC)[0]
    for name, value in changes.items():
        setattr(lane, name, value)
    with pytest.raises(ValueError, match=reason):
        message_content.lane_from_message(lane)


def test_lane_without_std(perception: Perception, header: Header) -> None:
    """An empty image_x_std means unknown, too."""
    lane = messages.lane_messages(perception, header, SPEC)[0]
    lane.image_x_std = []
    assert np.isnan(message_content.lane_from_message(lane).x_std_px).all()


def test_array(perception: Perception, header: Header) -> None:
    """The array carries the same five lanes and how they came about."""
    lanes = messages.lane_messages(perception, header, SPEC)
    counts = Counts(received=12, perceived=7, replaced=2, rejected=1, lost=1, waiting=1)
    array = over_the_wire(messages.array_message(lanes, STAGES, counts))
    assert isinstance(array, LaneLineArray)
    assert array.header == header and len(array.lanes) == 5
    # NaN differs from itself, so compare the bytes.
    assert [serialize_message(lane) for lane in array.lanes] == [
        serialize_message(lane) for lane in lanes
    ]
    assert (array.sequence, array.frames_replaced, array.frames_rejected) == (7, 2, 1)
    assert (array.frames_received, array.frames_dropped) == (12, 4)
    assert {stage: getattr(array, f"{stage}_ms") for stage in STAGES} == STAGES


def test_mask(perception: Perception, header: Header) -> None:
    """The mask is mono8 with 255 where the vehicle may drive."""
    assert perception.mask is not None
    mask = over_the_wire(messages.mask_message(perception.mask, header))
    assert mask.header == header
    assert (mask.encoding, mask.height, mask.width, mask.step) == ("mono8", 480, 640, 640)
    pixels = np.frombuffer(mask.data, np.uint8).reshape(480, 640)
    np.testing.assert_array_equal(pixels, perception.mask.binary())
    assert set(np.unique(pixels)) == set(message_content.MASK_VALUES)


def test_model_info(header: Header) -> None:
    """ModelInfo tells the artifact, the contract and the engine."""
    info = BackendInfo(
        *("onnxruntime", "1.2", "cpu", "fp32", 3, "/models/road.onnx", "ff" * 32),
        reason="CPU",
        fallback="no GPU",
    )
    message = over_the_wire(messages.model_info_message(SPEC, info, header.stamp))
    assert isinstance(message, ModelInfo)
    assert message.stamp == header.stamp
    assert (message.name, message.version, message.git_commit) == ("road", "0.3.0", "abc")
    assert dict(zip(message.score_names, message.score_values, strict=True)) == SPEC.scores
    assert tuple(message.tasks) == TASKS and tuple(message.lane_names) == LANE_NAMES
    assert (message.input_height, message.input_width, message.stride) == (320, 800, 8)
    assert dict(zip(message.mask_values, message.mask_labels, strict=True)) == {
        0: "not_drivable",
        255: "drivable",
    }
    engine = (message.backend, message.backend_version, message.device, message.precision)
    assert engine == ("onnxruntime", "1.2", "cpu", "fp32")
    assert (message.threads, message.reason, message.fallback) == (3, "CPU", "no GPU")
    assert (message.source, message.sha256) == (info.source, info.sha256)
