# SPDX-License-Identifier: Apache-2.0
"""The harness itself: an answer is that to the image which was asked about."""

from time import sleep

import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed: make setup")

import ros_harness as ros
from tiny_model import random_image


def test_a_late_answer_to_an_earlier_image_is_not_taken_for_that_to_the_next(active):
    active.peer.images.publish(ros.image_message(random_image(1), 1))
    sleep(1.0)  # it was answered, and nobody has looked yet
    asked = ros.image_message(random_image(2), 2)
    answer = active.peer.ask(asked)
    assert {message.header.stamp.sec for message in answer.values()} == {asked.header.stamp.sec}
