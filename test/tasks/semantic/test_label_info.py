# SPDX-License-Identifier: Apache-2.0
"""semantic/label_info: the table of classes as vision_msgs has it, where that is installed.

vision_msgs is not among the wheels of ROS that the tests run with. A package with its name and the
fields of its definitions stands in for it: that the names and types of fields are right is tested,
that the message travels is not.
"""

import json
import sys
from types import ModuleType

import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed")
pytest.importorskip("shared_encoder_perception.msg", reason="our ROS messages are not built")

from std_msgs.msg import Header

from shared_encoder_perception.node.messages import check_message, message_type, new_message
from shared_encoder_perception.replay.answers import announcements
from shared_encoder_perception.replay.messages import new_message as new_in_rosbags
from shared_encoder_perception.spec import ModelSpec, blocks
from shared_encoder_perception.tasks.semantic import content
from shared_encoder_perception.tasks.semantic.decode import Options
from shared_encoder_perception.tasks.semantic.spec import Block
from shared_encoder_perception.tasks.topics import latched


class VisionClass:
    """``uint16 class_id``, ``string class_name``; no other field can be set."""

    __slots__ = ("class_id", "class_name")

    def __init__(self):
        self.class_id, self.class_name = 0, ""

    def get_fields_and_field_types(self):
        return {"class_id": "uint16", "class_name": "string"}


class LabelInfo:
    """``std_msgs/Header header``, ``VisionClass[] class_map``, ``float32 threshold``."""

    __slots__ = ("class_map", "header", "threshold")

    def __init__(self):
        self.header, self.class_map, self.threshold = Header(), [], 0.0

    def get_fields_and_field_types(self):
        classes = "sequence<vision_msgs/VisionClass>"
        return {"header": "std_msgs/Header", "class_map": classes, "threshold": "float"}


@pytest.fixture
def vision_msgs(monkeypatch):
    """Install the stand-in until the test ends."""
    package, messages = ModuleType("vision_msgs"), ModuleType("vision_msgs.msg")
    messages.VisionClass, messages.LabelInfo = VisionClass, LabelInfo
    monkeypatch.setitem(sys.modules, "vision_msgs", package)
    monkeypatch.setitem(sys.modules, "vision_msgs.msg", messages)
    message_type.cache_clear()
    yield
    message_type.cache_clear()


def made(options=None):
    header = Header(frame_id="")
    header.stamp.sec = 5
    return content.announce(Block(), options or Options(), header, new_message)


def test_ids_and_names_are_those_of_the_json_text(vision_msgs):
    announced = made(Options(unlabelled_below=0.25))
    info = announced[content.LABEL_INFO_TOPIC]()
    check_message(info, content.LABEL_INFO_TOPIC)
    said = json.loads(announced[content.LABELS_TOPIC]().data)["classes"]
    assert [(one.class_id, one.class_name) for one in info.class_map] == [
        (one["id"], one["name"]) for one in said
    ]
    assert len(said) == 13 and info.threshold == 0.25 and info.header.stamp.sec == 5


def test_where_it_is_not_installed_the_text_is_made_all_the_same():
    announced = made()
    assert json.loads(announced[content.LABELS_TOPIC]().data)["unlabelled"] == 255
    with pytest.raises(ValueError, match=r"vision_msgs/msg/LabelInfo is not installed"):
        announced[content.LABEL_INFO_TOPIC]()


def test_it_is_latched_beside_the_mask_and_never_recorded():
    (topic,) = (one for one in content.TOPICS if one.name == "semantic/label_info")
    assert topic.latched and topic.optional and topic.kind == "vision_msgs/msg/LabelInfo"
    assert [one.topic.name for one in latched(["semantic"])] == ["semantic/labels"]
    spec = ModelSpec("m", "1", tasks=blocks("semantic"))
    told = announcements(spec, new_in_rosbags("std_msgs/msg/Header"))
    assert list(told["semantic"]) == ["semantic/labels"]
