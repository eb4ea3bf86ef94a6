# SPDX-License-Identifier: Apache-2.0
"""The bag that replay writes: the node's topics with what the node would have said."""

import cv2
import numpy as np
import pytest
import replay_bags
from replay_bags import arrival_ns, drive, image_message, replay, stamps
from rosbags.interfaces import QosDurability
from rosbags.rosbag2 import Reader
from tiny_model import random_image, write_models

from shared_encoder_perception.artifact.model_info import INFO_TOPIC
from shared_encoder_perception.backends import load_backend
from shared_encoder_perception.images.bags import open_bag, read_messages
from shared_encoder_perception.images.image_msg import to_bgr
from shared_encoder_perception.images.sources import VideoSource
from shared_encoder_perception.images.video import rate_hz
from shared_encoder_perception.node.debug_overlay import encode_jpeg, render
from shared_encoder_perception.predictor import Predictor
from shared_encoder_perception.replay import pictures
from shared_encoder_perception.replay.messages import new_message, to_bytes
from shared_encoder_perception.tasks.contract.runtime import Context
from shared_encoder_perception.tasks.drivable import content as drivable
from shared_encoder_perception.tasks.drivable.content import MASK_TOPIC
from shared_encoder_perception.tasks.lanes import content as lanes
from shared_encoder_perception.tasks.lanes.answer import LANE_NAMES
from shared_encoder_perception.tasks.lanes.content import (
    ARRAY_TOPIC,
    LANE_TOPICS,
    lane_from_message,
)

COUNT = 3
DRIVABLE = "drivable_surface"
OVERLAY = "/perception/debug/overlay/compressed"


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    return write_models(tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="module")
def predictor(models):
    return Predictor(load_backend(str(models.tiny), "onnxruntime"))


@pytest.fixture(scope="module")
def recorded(tmp_path_factory, models):
    """Topic -> messages with their times, of a replay in which one image is skipped."""
    folder = tmp_path_factory.mktemp("recorded")
    messages = drive(COUNT + 1)
    odd = image_message(random_image(9), stamps(COUNT + 1)[1], encoding="unknown")
    messages[1] = (*messages[1][:2], odd)
    assert (
        replay(models, replay_bags.write_bag(folder / "in", messages), folder / "out", "+bag") == 1
    )
    found = {}
    with open_bag(folder / "out" / "bag") as reader:
        for connection, at_ns, message in read_messages(reader, folder):
            found.setdefault(connection.topic, []).append((at_ns, message))
    return found


PERCEIVED = (0, 2, 3)
TIMED = ("conversion", "preprocess", "inference", "decode")


def test_every_topic_of_the_node_has_every_perceived_image(recorded):
    topics = {f"/{topic}" for topic in (*LANE_TOPICS, ARRAY_TOPIC, MASK_TOPIC)} | {OVERLAY}
    assert set(recorded) == topics | {f"/{INFO_TOPIC}"}
    for topic in topics:
        assert [at_ns for at_ns, _ in recorded[topic]] == [arrival_ns(i) for i in PERCEIVED]
        for index, (_, message) in zip(PERCEIVED, recorded[topic], strict=True):
            stamp = message.header.stamp
            assert stamp.sec * 10**9 + stamp.nanosec == stamps(COUNT + 1)[index]
            assert message.header.frame_id == "camera_optical"


def test_lanes_and_mask_are_exactly_the_predictors(recorded, predictor):
    for place, index in enumerate(PERCEIVED):
        perception = predictor(random_image(index))
        array = recorded[f"/{ARRAY_TOPIC}"][place][1]
        for name, line, inside in zip(
            LANE_NAMES, perception.answers["lanes"], array.lanes, strict=True
        ):
            single = recorded[f"/lane_lines/{name}"][place][1]
            assert to_bytes(single) == to_bytes(inside)
            back = lane_from_message(single)
            assert np.array_equal(back.points_px, line.points_px)
            assert np.array_equal(back.x_std_px, line.x_std_px, equal_nan=True)
            assert back.status == line.status
        mask = recorded[f"/{MASK_TOPIC}"][place][1]
        assert mask.encoding == "mono8"
        assert np.array_equal(to_bgr(mask)[:, :, 0], perception.answers[DRIVABLE].values())


def test_the_array_counts_as_the_node_does(recorded):
    arrays = [message for _, message in recorded[f"/{ARRAY_TOPIC}"]]
    assert [array.sequence for array in arrays] == [1, 2, 3]
    assert [array.frames_received for array in arrays] == [1, 3, 4]
    assert [array.frames_rejected for array in arrays] == [0, 1, 1]
    for array in arrays:
        parts = array.conversion_ms + array.preprocess_ms + array.inference_ms + array.decode_ms
        assert array.processing_ms == pytest.approx(parts, rel=1e-4)


def test_the_overlay_is_what_the_node_draws(recorded, predictor):
    for place, index in enumerate(PERCEIVED):
        image = random_image(index)
        drawn = render(image, predictor(image), ["tiny 1.2.3"], pictures.OPTIONS)
        message = recorded[OVERLAY][place][1]
        assert message.format == "bgr8; jpeg compressed bgr8"
        assert bytes(message.data) == encode_jpeg(drawn, pictures.OPTIONS.overlay_quality)


def test_model_info_is_latched_and_complete(tmp_path, models, predictor):
    bag = replay_bags.write_bag(tmp_path / "in", drive(1))
    assert replay(models, bag, tmp_path / "out", "+bag") == 0
    with Reader(tmp_path / "out" / "bag") as others:
        (info,) = (c for c in others.connections if c.topic == f"/{INFO_TOPIC}")
        assert info.ext.offered_qos_profiles[0].durability is QosDurability.TRANSIENT_LOCAL
    with open_bag(tmp_path / "out" / "bag") as reader:
        (info,) = (c for c in reader.connections if c.topic == f"/{INFO_TOPIC}")
        ((_, _, message),) = read_messages(reader, bag, [info])
    assert (message.name, message.sha256) == ("tiny", predictor.backend.info.sha256)
    assert list(message.score_values) == [0.5]
    assert list(message.mask_values) == [0, 255]


def ros_messages():
    """Return what a subscriber makes of bytes, what it receives, and our messages."""
    pytest.importorskip("rclpy", reason="ROS 2 is not installed: make setup")
    messages = pytest.importorskip("shared_encoder_perception.msg", reason="not built")
    from rclpy.serialization import deserialize_message, serialize_message

    def over_the_wire(message):
        return deserialize_message(serialize_message(message), type(message))

    return deserialize_message, over_the_wire, messages


def same(one, other):
    """Whether two values of rclpy's messages are equal, NaN with NaN."""
    if hasattr(one, "get_fields_and_field_types"):
        fields = one.get_fields_and_field_types()
        return type(one) is type(other) and all(
            same(getattr(one, name), getattr(other, name)) for name in fields
        )
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, str):
        return one == other
    return np.array_equal(np.asarray(one, float), np.asarray(other, float), equal_nan=True)


def test_the_messages_are_those_that_the_node_would_publish(recorded, predictor):
    read, over_the_wire, messages = ros_messages()
    from std_msgs.msg import Header

    from shared_encoder_perception.images.counts import Counts
    from shared_encoder_perception.node.messages import new_message as new

    for place, index in enumerate(PERCEIVED):
        header = Header(frame_id="camera_optical")
        header.stamp.sec, header.stamp.nanosec = divmod(stamps(COUNT + 1)[index], 10**9)
        perception = predictor(random_image(index))
        ours = read(to_bytes(recorded[f"/{ARRAY_TOPIC}"][place][1]), messages.LaneLineArray)
        context = Context(
            header,
            perception.image_size,
            predictor.spec,
            stage_ms={name: getattr(ours, f"{name}_ms") for name in TIMED},
            counts=Counts(received=index + 1, perceived=place + 1, rejected=min(index, 1)),
            elapsed_ms=lambda told=ours.processing_ms: told,
            crop=perception.crop,
        )
        made = lanes.messages(perception.answers["lanes"], context, new)
        made |= drivable.messages(perception.answers[DRIVABLE], context, new)
        for topic in (*LANE_TOPICS, ARRAY_TOPIC, MASK_TOPIC):
            expected = made[topic]()
            ours = read(to_bytes(recorded[f"/{topic}"][place][1]), type(expected))
            assert same(ours, over_the_wire(expected))
        other = predictor(random_image(7)).answers[DRIVABLE]
        assert not same(ours, drivable.messages(other, context, new)[MASK_TOPIC]())


@pytest.mark.parametrize("kind", ["LaneLine", "LaneLineArray", "ModelInfo"])
def test_new_messages_have_the_defaults_of_ros(kind):
    read, _, messages = ros_messages()
    ours = to_bytes(new_message(f"shared_encoder_perception/msg/{kind}"))
    assert same(read(ours, getattr(messages, kind)), getattr(messages, kind)())


def test_the_video_has_one_even_size_and_the_rate_of_the_stamps(tmp_path, models):
    messages = drive(4)
    small = cv2.resize(random_image(2), (401, 161))
    messages[2] = (*messages[2][:2], image_message(small, stamps(4)[2]))
    messages[0] = (
        *messages[0][:2],
        image_message(random_image(0)[:319, :799].copy(), stamps(4)[0]),
    )
    bag = replay_bags.write_bag(tmp_path / "in", messages)
    assert replay(models, bag, tmp_path / "out", "+video") == 0
    frames = list(VideoSource(tmp_path / "out" / "overlay.mp4"))
    assert [frame.image.shape for frame in frames] == [(318, 798, 3)] * 4
    capture = cv2.VideoCapture(str(tmp_path / "out" / "overlay.mp4"))
    assert capture.get(cv2.CAP_PROP_FPS) == pytest.approx(20, rel=0.01)


@pytest.mark.parametrize(
    ("images", "last_s", "rate"), [(1, 0, 15), (3, 0, 15), (11, 1, 10), (2, 100, 1), (1001, 1, 120)]
)
def test_rate_of_the_video(images, last_s, rate):
    assert rate_hz(images, 5, 5 + last_s * 10**9) == rate
