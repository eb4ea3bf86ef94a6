# SPDX-License-Identifier: Apache-2.0
"""Every task's messages are the same for rclpy and for rosbags, and can be read back."""

import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed")
pytest.importorskip("shared_encoder_perception.msg", reason="our ROS messages are not built")

from every_task import TASKS, label_of, perfect_answer, published, world
from rclpy.serialization import deserialize_message, serialize_message
from std_msgs.msg import Header
from task_messages import messages_of, same

from shared_encoder_perception import tasks
from shared_encoder_perception.images.preprocess import ImageTransform
from shared_encoder_perception.node.messages import new_message as new_in_rclpy
from shared_encoder_perception.replay.messages import from_bytes, to_bytes
from shared_encoder_perception.replay.messages import new_header as header_for_rosbags
from shared_encoder_perception.replay.messages import new_message as new_in_rosbags
from shared_encoder_perception.spec import ModelSpec, blocks
from shared_encoder_perception.structures import Perception

SIZE = (320, 800)

pytestmark = pytest.mark.usefixtures("toy_in_table")
each_task = pytest.mark.parametrize("name", TASKS)


def header():
    """Return a header unlike the default one."""
    message = Header(frame_id="camera")
    message.stamp.sec, message.stamp.nanosec = 17, 3
    return message


def both_kinds(name, answer):
    """Return the messages of an answer, of rclpy and of rosbags."""
    spec = ModelSpec("m", "1", SIZE, tasks=blocks(name))
    perception = Perception(SIZE, {name: published(name, answer)})
    return (
        messages_of(perception, header(), spec, new_in_rclpy),
        messages_of(perception, header_for_rosbags(header()), spec, new_in_rosbags),
    )


def eager(name):
    """Return the topics that are sent for every image, and can do without calibration."""
    topics = tasks.part(name, "content").TOPICS
    return {
        topic.name: topic.kind
        for topic in topics
        if not (topic.lazy or topic.grounded or topic.latched or topic.pictures)
    }


@each_task
def test_messages_are_the_same_in_every_field(name):
    answer = perfect_answer(name, label_of(name, world(0, name)), ImageTransform.fit(SIZE, SIZE))
    sent, recorded = both_kinds(name, answer)
    assert sent.keys() == recorded.keys() and eager(name)
    for topic, kind in eager(name).items():
        received = from_bytes(to_bytes(recorded[topic]), kind)
        assert same(over_the_wire(sent[topic]), received), topic


def over_the_wire(message):
    """Return the message as a subscriber gets it."""
    return deserialize_message(serialize_message(message), type(message))


@each_task
def test_what_was_recorded_is_the_answer(name):
    """Messages -> bytes -> messages -> answer -> messages: nothing is lost on the way."""
    answer = perfect_answer(name, label_of(name, world(0, name)), ImageTransform.fit(SIZE, SIZE))
    _, recorded = both_kinds(name, answer)
    kinds = eager(name)
    again = {topic: from_bytes(to_bytes(recorded[topic]), kind) for topic, kind in kinds.items()}
    read = tasks.part(name, "content").read(again, SIZE)
    _, once_more = both_kinds(name, read)
    for topic in kinds:
        assert to_bytes(once_more[topic]) == to_bytes(recorded[topic]), topic
    with pytest.raises(LookupError):
        tasks.part(name, "content").read({}, SIZE)


@each_task
def test_each_message_has_the_images_header(name):
    answer = perfect_answer(name, label_of(name, world(1)), ImageTransform.fit(SIZE, SIZE))
    sent, _ = both_kinds(name, answer)
    for topic in eager(name):
        assert sent[topic].header == header(), topic
