# SPDX-License-Identifier: Apache-2.0
"""What the node makes of strange images and strange times, in real ROS."""

from __future__ import annotations

from pathlib import Path

import pytest
import ros_harness as ros
from local_node import local_node
from sensor_msgs.msg import CompressedImage
from tiny_model import random_image, write_tiny_model

from shared_encoder_perception.images.image_msg import fill_compressed


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that takes a millisecond."""
    return write_tiny_model(tmp_path_factory.mktemp("models") / "tiny.onnx")


def test_corrupt_jpeg_costs_one_image(model: Path) -> None:
    namespace = ros.new_namespace()
    with (
        local_node(model, namespace, **{"input.transport": "compressed"}) as local,
        ros.peer_in(namespace, image_type=CompressedImage, topic="image/compressed") as peer,
    ):
        assert local.node.start()
        with ros.served(local.node):
            good, cut = CompressedImage(), CompressedImage()
            for message in (good, cut):
                fill_compressed(message, random_image(1))
            cut.data = cut.data[: len(cut.data) // 2]
            peer.settle(good)
            peer.images.publish(cut)
            peer.spin_for(0.2)
            assert peer.ask(good)[ros.ARRAY_TOPIC].frames_rejected == 1


def test_bag_in_a_loop_is_answered_from_its_first_image_on(
    model: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    namespace = ros.new_namespace()
    with local_node(model, namespace) as local, ros.peer_in(namespace) as peer:
        assert local.node.start()
        with ros.served(local.node):
            peer.settle(ros.image_message(random_image(0), 0))
            for _ in range(2):
                for number in range(3):
                    message = ros.image_message(random_image(number), number)
                    assert peer.ask(message)[ros.ARRAY_TOPIC].header == message.header
    assert "time jumped by -2.000 s" in capfd.readouterr().err


def test_old_images_are_dropped_while_max_age_is_set(
    model: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """The harness stamps images as of 1970."""
    namespace = ros.new_namespace()
    with local_node(model, namespace) as local, ros.peer_in(namespace) as peer:
        assert local.node.start()
        with ros.served(local.node):
            message = ros.image_message(random_image(0), 0)
            peer.settle(message)
            assert peer.set_parameter("input.max_age_s", 0.5).successful
            peer.images.publish(message)
            peer.spin_for(0.3)
            assert not peer.received[ros.ARRAY_TOPIC]
            assert peer.set_parameter("input.max_age_s", 0.0).successful
            peer.ask(message)
    assert "input.max_age_s is 0.5" in capfd.readouterr().err


def test_simulated_clock_that_does_not_run_yet_stops_no_image(model: Path) -> None:
    namespace = ros.new_namespace()
    values = {"use_sim_time": True, "input.max_age_s": 0.5}
    with local_node(model, namespace, **values) as local, ros.peer_in(namespace) as peer:
        assert local.node.start()
        with ros.served(local.node):
            peer.settle(ros.image_message(random_image(0), 0))


def test_contradicting_parameters_refuse_the_start(model: Path) -> None:
    with (
        pytest.raises(ValueError, match=r"input.crop_mode is manual but input.crop is not set"),
        local_node(model, **{"input.crop_mode": "manual"}),
    ):
        pass
