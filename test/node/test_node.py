# SPDX-License-Identifier: Apache-2.0
"""The node's life cycle and its bad days, in this process, where they can be provoked."""

from __future__ import annotations

import threading
from types import SimpleNamespace

import pytest
import ros_harness as ros
from local_node import inference_threads, local_node
from rclpy.lifecycle import TransitionCallbackReturn
from sensor_msgs.msg import CompressedImage
from tiny_model import random_image, write_models

from shared_encoder_perception.backends import load_backend
from shared_encoder_perception.images.image_msg import fill_compressed, to_bgr
from shared_encoder_perception.images.preprocess import Crop
from shared_encoder_perception.node import camera_pipeline
from shared_encoder_perception.node.parameters import all_parameters
from shared_encoder_perception.node.worker import NODE_STAGES
from shared_encoder_perception.predictor import Predictor

SUCCESS = TransitionCallbackReturn.SUCCESS
FAILURE = TransitionCallbackReturn.FAILURE


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """Model files, see ``write_models``."""
    return write_models(tmp_path_factory.mktemp("models"))


def test_twenty_cycles_leave_nothing(models: SimpleNamespace) -> None:
    """No thread, no publisher and no open engine stays behind."""
    with local_node(models.tiny) as local:
        node = local.node
        threads, publishers = threading.active_count(), len(list(node.publishers))
        for _ in range(20):
            assert node.trigger_configure() == SUCCESS
            assert node.trigger_activate() == SUCCESS
            assert len(inference_threads()) == 1
            assert node.trigger_deactivate() == SUCCESS
            assert not inference_threads()
            assert node.trigger_cleanup() == SUCCESS
        assert threading.active_count() == threads
        assert len(list(node.publishers)) == publishers
        assert not list(node.subscriptions)
        assert len(local.backends) == 20 and all(backend.closed for backend in local.backends)
        assert node.trigger_configure() == SUCCESS and node.trigger_activate() == SUCCESS
        assert node.trigger_shutdown() == SUCCESS
        assert not inference_threads() and local.backends[-1].closed


def test_publishers_keep_the_executor_from_nothing(models: SimpleNamespace) -> None:
    """It asks every event handler after each image: outputs have none."""
    with local_node(models.tiny) as local:
        before = len(list(local.node.waitables))
        assert local.node.trigger_configure() == SUCCESS
        outputs = [each for each in local.node.publishers if "lane_lines" in each.topic_name]
        assert len(outputs) == 7
        of_subscription = 2
        assert len(list(local.node.waitables)) <= before + of_subscription


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"backend.device": "gpu"}, "device is 'gpu', expected auto, cpu, cuda"),
        ({"model.path": __file__}, "is not an ONNX model, or cut off"),
    ],
)
def test_configure_fails_and_can_be_repeated(
    models: SimpleNamespace,
    capfd: pytest.CaptureFixture[str],
    values: dict[str, str],
    reason: str,
) -> None:
    """A model that does not fit: one line, FAILURE, and back to where it was."""
    filled = {name: value.format(**vars(models)) for name, value in values.items()}
    with local_node(models.tiny, **filled) as local:
        for _ in range(2):
            assert local.node.trigger_configure() == FAILURE
        output = capfd.readouterr().err
        assert output.count("cannot configure: ") == 2 and reason in output
        assert "Traceback" not in output
        assert all(backend.closed for backend in local.backends)


def test_declared_parameters_are_the_table(models: SimpleNamespace) -> None:
    """What the node declares beyond rclpy's own is the table, descriptions and flags included."""
    with local_node(models.tiny) as local:
        node = local.node
        table = all_parameters()
        assert set(node._parameters) - set(table) <= {
            "use_sim_time",
            "start_type_description_service",
        }
        for name, parameter in table.items():
            descriptor = node.describe_parameter(name)
            assert descriptor.description == parameter.description
            assert descriptor.read_only == parameter.read_only
            assert descriptor.additional_constraints == parameter.expected
            if parameter.bounds is not None:
                assert descriptor.floating_point_range or descriptor.integer_range
            value = node.get_parameter(name).value
            if name != "model.path":
                expected = parameter.default
                assert value == (list(expected) if isinstance(expected, tuple) else expected)


def test_backend_exception_costs_one_image(
    models: SimpleNamespace, capfd: pytest.CaptureFixture[str]
) -> None:
    """The thread reports, counts and goes on."""
    namespace = ros.new_namespace()
    with local_node(models.tiny, namespace) as local, ros.peer_in(namespace) as peer:
        assert local.node.start()
        with ros.served(local.node):
            message = ros.image_message(random_image(0), 0)
            peer.settle(message)
            local.backends[0].error = RuntimeError("out of\nmemory")
            local.backends[0].entered.clear()
            peer.images.publish(message)
            assert peer.spin_until(local.backends[0].entered.is_set)
            # Best-effort input: the failing image must be done before the next may come.
            peer.spin_for(0.2)
            local.backends[0].error = None
            assert peer.ask(message)[ros.ARRAY_TOPIC].frames_dropped == 1
            times = local.node.stage_times()
    assert "image lost, RuntimeError: out of memory" in capfd.readouterr().err
    assert times and all(set(stages) == set(NODE_STAGES) for stages in times)
    assert all(stages["total"] >= stages["inference"] > 0 for stages in times)


def test_hung_backend_leaves_services_alive(
    models: SimpleNamespace, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Parameters and transitions answer; a fresh engine works while the old one still hangs."""
    monkeypatch.setattr(camera_pipeline, "STOP_TIMEOUT_S", 0.3)
    namespace = ros.new_namespace()
    with local_node(models.tiny, namespace) as local, ros.peer_in(namespace) as peer:
        assert local.node.start()
        with ros.served(local.node):
            message = ros.image_message(random_image(0), 0)
            peer.settle(message)
            hung = local.backends[0]
            hung.gate.clear()
            hung.entered.clear()
            peer.images.publish(message)
            assert peer.spin_until(hung.entered.is_set)
            assert peer.set_parameter("mask.threshold", 0.5).successful
            assert peer.change_state("deactivate")
            assert peer.state() == "inactive"
            assert not peer.change_state("activate"), "the engine is still in use"
            assert peer.change_state("cleanup")
            assert peer.change_state("configure") and peer.change_state("activate")
            assert not hung.closed and len(local.backends) == 2
            peer.settle(message)
            hung.gate.set()
            assert peer.spin_until(lambda: len(inference_threads()) == 1)
            peer.spin_for(0.2)
            assert not peer.received[ros.ARRAY_TOPIC], "the abandoned thread has published"
            assert peer.ask(message)[ros.ARRAY_TOPIC].frames_rejected == 0
    output = capfd.readouterr().err
    assert "has not returned after 0.3 s" in output
    assert "cannot activate: the backend has not returned" in output


def test_compressed_transport(models: SimpleNamespace) -> None:
    """JPEG on <image>/compressed gives what its decoded pixels give."""
    namespace, crop = ros.new_namespace(), [0, 10, 500, 200]
    values = {"input.transport": "compressed", "input.crop": crop}
    with (
        local_node(models.tiny, namespace, **values) as local,
        ros.peer_in(namespace, image_type=CompressedImage, topic="image/compressed") as peer,
    ):
        assert local.node.start()
        with ros.served(local.node):
            message = CompressedImage()
            fill_compressed(message, random_image(1, (240, 600)), "jpeg")
            message.header.frame_id = "camera"
            peer.settle(message)
            answer = peer.ask(message)
    assert all(output.header == message.header for output in answer.values())
    predictor = Predictor(load_backend(models.tiny, "auto"))
    ros.assert_equal(answer, predictor(to_bgr(message), Crop(*crop)))


def test_crop_outside_the_image_is_told(
    models: SimpleNamespace, capfd: pytest.CaptureFixture[str]
) -> None:
    """A crop that does not fit refuses the image with the reason, not the node."""
    namespace = ros.new_namespace()
    with (
        local_node(models.tiny, namespace, **{"input.crop": [0, 0, 800, 320]}) as local,
        ros.peer_in(namespace) as peer,
    ):
        assert local.node.start()
        with ros.served(local.node):
            peer.settle(ros.image_message(random_image(0), 0))
            peer.images.publish(ros.image_message(random_image(0, (48, 64)), 1))
            # The array of the next good image tells of it.
            peer.spin_for(0.2)
            array = peer.ask(ros.image_message(random_image(0), 2))[ros.ARRAY_TOPIC]
    assert array.frames_rejected == 1
    assert "does not fit an image of 64x48 pixels" in capfd.readouterr().err
