# SPDX-License-Identifier: Apache-2.0
"""A real node publishes the toy's answers, and nothing of the tasks that its model lacks."""

import numpy as np
import pytest
import ros_harness as ros
import toy_task
from one_task import SIZE

pytest.importorskip("torch", reason="the toy's network needs torch: make test")

from sensor_msgs.msg import Image

from shared_encoder_perception.backends import load_backend
from shared_encoder_perception.predictor import Predictor

TOPIC = toy_task.content.TOPIC


class ToyNode(ros.NodeProcess):
    """The node, with the toy in its table."""

    COMMAND = (toy_task.__file__, "node")


@pytest.fixture(autouse=True)
def toy(toy_in_table):
    """Every test of this file knows the toy."""


@pytest.fixture
def model(one_task_model):
    """A toy that learned nothing: its answers still depend on the image."""
    return one_task_model(toy_task.NAME)


def test_a_real_node_publishes_it(model, tmp_path):
    namespace = ros.new_namespace()
    parameters = ["-p", f"model.path:={model}", "-p", "backend.name:=onnxruntime"]
    node = ToyNode(tmp_path, namespace, *parameters, "-p", "backend.threads:=1")
    try:
        peer = ros.Peer(namespace, node)
        peer._subscribe(TOPIC, Image, ros.QoSProfile(depth=100))
        image = np.random.default_rng(3).integers(0, 255, (*SIZE, 3), np.uint8)
        message = ros.image_message(image, 3)
        assert peer.spin_until(lambda: peer.images.get_subscription_count()), node.log

        def answered():
            peer.images.publish(message)
            return peer.spin_until(lambda: peer.received[TOPIC], 0.5)

        assert peer.spin_until(answered), node.log
        plane = peer.received[TOPIC][0]
        assert (plane.encoding, plane.height, plane.width) == ("32FC1", *SIZE)
        assert plane.header == message.header
        said = toy_task.content.read({TOPIC: plane}, SIZE).plane
        expected = Predictor(load_backend(model, "onnxruntime"))(image).answers["brightness"].plane
        np.testing.assert_array_equal(said, expected)
        topics = {
            name
            for name, _ in peer.node.get_publisher_names_and_types_by_node("perception", namespace)
        }
        assert f"{namespace}/{TOPIC}" in topics
        assert not [name for name in topics if "lane_lines" in name or "drivable" in name]
        info = peer.received[ros.INFO_TOPIC]
        assert peer.spin_until(lambda: info) and list(info[0].tasks) == ["brightness"]
        peer.close()
    finally:
        node.kill()
