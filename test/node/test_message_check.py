# SPDX-License-Identifier: Apache-2.0
"""What rclpy cannot send is refused before it ends the process."""

from array import array

import pytest

pytest.importorskip("rclpy", reason="the node needs ROS 2: make setup")

import numpy as np
from sensor_msgs.msg import CameraInfo

from shared_encoder_perception.artifact.model_info import MODEL_INFO, fill_model_info
from shared_encoder_perception.backends import BackendInfo
from shared_encoder_perception.node.messages import check_message, new_message
from shared_encoder_perception.spec import ModelSpec

INFO = BackendInfo("engine", "1", "cpu", "fp32", 2, "a.onnx", "ab")


def filled():
    message = new_message(MODEL_INFO)
    fill_model_info(message, ModelSpec("m", "1", scores={"f1": 0.5}), INFO, message.stamp)
    return message


def test_a_good_message_passes():
    check_message(filled(), "info")
    check_message(CameraInfo(d=[0.0] * 5, k=np.eye(3).ravel()), "camera")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("name", bad) for bad in (5, None, b"m", "a\0b", "a\ud800", ["m"])),
        *(("threads", bad) for bad in (-1, 2**32, 1.0, "2", True, None)),
        *(("confidence_calibrated", bad) for bad in (1, "no", None)),
        *(("score_names", bad) for bad in ("f1", [1], None, ["a\udfff"], {"f1": 1})),
        *(("score_values", bad) for bad in ([1], ["x"], None, 0.5)),
        ("stamp", "now"),
    ],
)
def test_what_does_not_fit_is_named(field, value):
    message = filled()
    setattr(message, f"_{field}", value)  # as a release of ROS does whose setters check nothing
    with pytest.raises(ValueError, match=rf"^info\.{field}"):
        check_message(message, "info")


def test_fields_within_fields_and_lists_of_fixed_length_are_looked_at():
    message = filled()
    message.stamp._sec = 2**31
    with pytest.raises(ValueError, match=r"info\.stamp\.sec is 2147483648"):
        check_message(message, "info")
    camera = CameraInfo()
    camera._k = array("d", [0.0] * 8)
    with pytest.raises(ValueError, match=r"camera\.k is a array that does not fit double\[9\]"):
        check_message(camera, "camera")


def test_words_of_a_model_arrive_without_what_steers_a_terminal():
    message = new_message(MODEL_INFO)
    spec = ModelSpec("m\x1b[31m", "1\n2", training_data="a\0b", scores={"f\ud800": 1.0})
    fill_model_info(message, spec, INFO, message.stamp)
    check_message(message, "info")
    assert (message.name, message.version) == (r"m\x1b[31m", r"1\n2")
    assert (message.training_data, message.score_names) == (r"a\x00b", [r"f\ud800"])
