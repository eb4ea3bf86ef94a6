# SPDX-License-Identifier: Apache-2.0
"""The node on each engine: the same answers as without ROS, and the truth about what runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import ros_harness as ros
from decoder_options import decoder_options
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from local_node import local_node
from rclpy.lifecycle import TransitionCallbackReturn
from rclpy.qos import QoSProfile
from tiny_model import random_image, write_tiny_model

from shared_encoder_perception.backends import BACKENDS, DEFAULT_MODEL, BackendOptions, load_backend
from shared_encoder_perception.node.diagnostics import TOPIC
from shared_encoder_perception.predictor import Predictor


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that takes a millisecond."""
    return write_tiny_model(tmp_path_factory.mktemp("model") / "tiny.onnx")


@contextmanager
def watched(model: Path, **values: Any) -> Iterator[tuple[Any, Any, list[DiagnosticStatus]]]:
    """Yield a served node in this process, its peer, and its own diagnostics."""
    namespace = ros.new_namespace()
    seen: list[DiagnosticStatus] = []

    def collect(message: DiagnosticArray) -> None:
        ours = f"{namespace.lstrip('/')}/perception: model"
        seen.extend(status for status in message.status if status.name == ours)

    with local_node(model, namespace, **values) as local, ros.peer_in(namespace) as peer:
        peer.node.create_subscription(DiagnosticArray, TOPIC, collect, QoSProfile(depth=10))
        with ros.served(local.node):
            yield local.node, peer, seen


def values_of(status: DiagnosticStatus) -> dict[str, str]:
    """Return a status' keys and values."""
    return {item.key: item.value for item in status.values}


@pytest.mark.parametrize("name", [name for name in BACKENDS if name != "tensorrt"])
def test_the_node_says_what_the_predictor_says_on_the_same_engine(
    name: str, tmp_path: Path
) -> None:
    """Bit for bit; low thresholds, so that an image without a road gives lines to compare."""
    pytest.importorskip(BACKENDS[name].requires)
    backend = load_backend(DEFAULT_MODEL, name, BackendOptions(cache=tmp_path))
    predictor = Predictor(backend)
    predictor.options = decoder_options(
        predictor.spec, lanes__keypoint_threshold=0.01, lanes__confidence_threshold=0.0
    )
    settings = {"backend.name": name, "backend.cache": str(tmp_path)}
    settings |= {"lanes.keypoint_threshold": 0.01, "lanes.confidence_threshold": 0.0}
    with watched(DEFAULT_MODEL, **settings) as (node, peer, _):
        assert node.start()
        peer.settle(ros.image_message(random_image(0), 0))
        image = random_image(3)
        ros.assert_equal(peer.ask(ros.image_message(image, 1)), predictor(image))
        info = peer.received[ros.INFO_TOPIC][-1]
    found = (info.backend, info.device, info.precision, info.threads)
    ours = backend.info
    assert found == (ours.name, ours.device, ours.precision, ours.threads)


def test_diagnostics_say_what_runs_and_why(tiny: Path) -> None:
    """Before a model is loaded, and after."""
    with watched(tiny) as (node, peer, seen):
        assert peer.spin_until(lambda: seen)
        assert seen[-1].level == DiagnosticStatus.STALE
        assert node.start()
        assert peer.spin_until(lambda: seen[-1].level == DiagnosticStatus.OK)
        values = values_of(seen[-1])
    assert values["model"] == "tiny 1.2.3" and values["source"] == str(tiny)
    assert "AMX" in values["chosen because"] or "GPU" in values["chosen because"]


def test_a_fall_back_that_was_allowed_is_warned_of(
    tiny: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Asked for CUDA, which this machine's engine lacks."""
    settings = {"backend.name": "onnxruntime", "backend.device": "cuda"}
    with watched(tiny, **settings, **{"backend.allow_fallback": True}) as (node, peer, seen):
        assert node.start()
        assert peer.spin_until(lambda: seen and seen[-1].level == DiagnosticStatus.WARN)
        assert seen[-1].message.startswith("fall-back: asked for onnxruntime on cuda")
        peer.spin_until(lambda: peer.received[ros.INFO_TOPIC])
        assert peer.received[ros.INFO_TOPIC][-1].fallback in seen[-1].message
    assert "fall-back: asked for onnxruntime on cuda" in capfd.readouterr().err


def test_without_that_the_node_does_not_start_and_says_why(tiny: Path) -> None:
    """No silent CPU."""
    settings = {"backend.name": "onnxruntime", "backend.device": "cuda"}
    with watched(tiny, **settings) as (node, peer, seen):
        assert node.trigger_configure() == TransitionCallbackReturn.FAILURE
        assert peer.spin_until(lambda: seen and seen[-1].level == DiagnosticStatus.ERROR)
        assert "no provider for 'cuda'" in seen[-1].message


def test_a_wrong_pin_keeps_the_node_from_starting(tiny: Path) -> None:
    """The model file is another one than was shipped with the vehicle."""
    with watched(tiny, **{"model.sha256": "00" * 32}) as (node, peer, seen):
        assert not node.start()
        assert peer.spin_until(lambda: seen and seen[-1].level == DiagnosticStatus.ERROR)
        assert "has the sha256" in seen[-1].message


def test_build_only_leaves_an_engine_and_ends(tmp_path: Path) -> None:
    """As a process: exit status 0, the engine in the cache, nothing activated."""
    pytest.importorskip("openvino")
    cache = tmp_path / "engines"
    arguments = ["-p", "backend.build_only:=true", "-p", "backend.name:=openvino"]
    arguments += ["-p", f"backend.cache:={cache}"]
    with ros.node_process(tmp_path, ros.new_namespace(), *arguments) as process:
        assert process.wait() == 0, process.log
    assert [path.suffix for path in cache.iterdir()] == [".engine"]
    assert "the engine is built" in process.log and "active:" not in process.log
