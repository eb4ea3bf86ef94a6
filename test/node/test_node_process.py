# SPDX-License-Identifier: Apache-2.0
"""The node as its users start it: a real process, real DDS, every image accounted for."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import ros_harness as ros
from decoder_options import decoder_options
from patience import PATIENCE_S
from tiny_model import SPEC, random_image, write_models

from shared_encoder_perception.backends import DEFAULT_MODEL, load_backend
from shared_encoder_perception.node.camera_pipeline import REPORT_PERIOD_S
from shared_encoder_perception.predictor import Predictor
from shared_encoder_perception.tasks.lanes.answer import LaneStatus


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """Model files, see ``write_models``."""
    return write_models(tmp_path_factory.mktemp("models"))


@pytest.fixture
def predictor(models: SimpleNamespace) -> Predictor:
    """The tiny model without ROS."""
    return Predictor(load_backend(models.tiny, "auto"))


@pytest.fixture(scope="module")
def running(
    tmp_path_factory: pytest.TempPathFactory, models: SimpleNamespace
) -> Iterator[SimpleNamespace]:
    """One node process with the tiny model, answering, shared by the tests that leave it so."""
    namespace, folder = ros.new_namespace(), tmp_path_factory.mktemp("node")
    qos = f"qos_overrides.{namespace}/image.subscription"
    # No image may be lost before the node could count it: the middleware holds them all.
    arguments = ["-p", f"{qos}.depth:=100", "-p", f"{qos}.reliability:=reliable"]
    arguments += ["-p", f"model.path:={models.tiny}"]
    with (
        ros.node_process(folder, namespace, *arguments) as process,
        ros.peer_in(namespace, process) as peer,
    ):
        peer.settle(ros.image_message(random_image(0), 0))
        yield SimpleNamespace(process=process, peer=peer)
        assert process.stop()[0] == 0, process.log
        assert "Traceback" not in process.log


@pytest.mark.parametrize("size", [(320, 800), (480, 640), (64, 48)])
def test_every_image_is_answered_exactly(
    running: SimpleNamespace, predictor: Predictor, size: tuple[int, int]
) -> None:
    """Five lanes, array and mask for every image, with its header and the predictor's answer."""
    for number in range(1, 6):
        image = random_image(number, size)
        message = ros.image_message(image, number)
        answer = running.peer.ask(message)
        assert all(output.header == message.header for output in answer.values())
        assert all(lane.header == message.header for lane in answer[ros.ARRAY_TOPIC].lanes)
        expected = predictor(image)
        assert all(line.detected for line in expected.answers["lanes"]), (
            "the test would compare nothing"
        )
        ros.assert_equal(answer, expected)
        ros.assert_equal(
            answer | dict(zip(ros.LANE_TOPICS, answer[ros.ARRAY_TOPIC].lanes, strict=True)),
            expected,
        )


def test_burst_is_answered_or_counted(running: SimpleNamespace) -> None:
    """Images faster than the node: every one is answered on all topics or counted as replaced."""
    peer, total = running.peer, 60
    first = peer.ask(ros.image_message(random_image(0), 1))[ros.ARRAY_TOPIC]
    for topic in ros.IMAGE_OUTPUTS:
        peer.received[topic].clear()
    arrays = peer.received[ros.ARRAY_TOPIC]
    sent = [ros.image_message(random_image(0, (720, 1280)), 100 + n) for n in range(total)]
    for message in sent:
        peer.images.publish(message)

    def accounted() -> int:
        replaced = arrays[-1].frames_replaced - first.frames_replaced if arrays else 0
        return len(arrays) + replaced

    assert peer.spin_until(lambda: accounted() == total), f"{accounted()} of {total} accounted for"
    assert [a.sequence for a in arrays] == [first.sequence + 1 + n for n in range(len(arrays))]
    stamps = [array.header.stamp.sec for array in arrays]
    assert stamps == sorted(stamps) and stamps[-1] == sent[-1].header.stamp.sec
    for topic in ros.IMAGE_OUTPUTS:
        assert peer.spin_until(lambda t=topic: len(peer.received[t]) == len(arrays))
        assert [output.header.stamp.sec for output in peer.received[topic]] == stamps


def test_timings_are_told(running: SimpleNamespace) -> None:
    """The array carries stage times that add up."""
    array = running.peer.ask(ros.image_message(random_image(2), 2))[ros.ARRAY_TOPIC]
    stages = (array.conversion_ms, array.preprocess_ms, array.inference_ms, array.decode_ms)
    assert all(stage > 0 for stage in stages)
    assert sum(stages) < array.processing_ms < 5000


def test_bad_images_are_refused_and_the_next_works(running: SimpleNamespace) -> None:
    """An unknown encoding, a cut and an empty image: reason and count, then business as usual."""
    peer, good = running.peer, ros.image_message(random_image(3), 3)
    before = peer.ask(good)[ros.ARRAY_TOPIC]
    unknown = ros.image_message(random_image(3), 4)
    unknown.encoding = "bayer_rggb8"
    cut = ros.image_message(random_image(3), 5)
    cut.data = cut.data[:-100]
    for number, (bad, reason) in enumerate(
        [
            (unknown, "'bayer_rggb8' is not supported"),
            (cut, "truncated: 767900 bytes, expected 768000"),
            (type(good)(), "encoding '' is not supported"),
        ],
        start=1,
    ):
        # Reasons are throttled: wait until the next one may be told.
        peer.spin_for(REPORT_PERIOD_S + 0.1)
        peer.images.publish(bad)
        assert peer.spin_until(lambda r=reason: r in running.process.log), running.process.log
        array = peer.ask(good)[ros.ARRAY_TOPIC]
        assert array.frames_rejected == before.frames_rejected + number
        assert array.sequence == before.sequence + number
    assert "[WARN]" in running.process.log


def test_model_info_is_latched(
    running: SimpleNamespace, models: SimpleNamespace, predictor: Predictor
) -> None:
    """A peer that came after activation knows what runs."""
    assert running.peer.spin_until(lambda: running.peer.received[ros.INFO_TOPIC])
    (info,) = running.peer.received[ros.INFO_TOPIC]
    assert (info.name, info.version, info.source) == ("tiny", "1.2.3", str(models.tiny))
    engine = predictor.backend.info
    assert (info.backend, info.device) == (engine.name, engine.device)
    assert info.stamp.sec > 0 and len(info.sha256) == 64


def test_thresholds_change_while_running(running: SimpleNamespace, predictor: Predictor) -> None:
    """The next image obeys the new threshold, and -1 brings the model's own back."""
    peer, image = running.peer, random_image(4)
    message = ros.image_message(image, 4)
    assert peer.set_parameter("lanes.confidence_threshold", 0.99).successful
    assert peer.set_parameter("mask.threshold", 0.1).successful
    predictor.options = decoder_options(
        predictor.spec, lanes__confidence_threshold=0.99, mask__threshold=0.1
    )
    strict = predictor(image)
    assert not any(line.detected for line in strict.answers["lanes"])
    ros.assert_equal(peer.ask(message), strict)
    for name in ("lanes.confidence_threshold", "mask.threshold"):
        assert peer.set_parameter(name, -1.0).successful
    predictor.options = decoder_options(predictor.spec)
    ros.assert_equal(peer.ask(message), predictor(image))


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("mask.threshold", 1.5, "out of range"),
        ("mask.threshold", -0.5, "expected 0 to 1, or -1 = the model's own"),
        ("lanes.keypoint_threshold", float("nan"), "out of range"),
        ("lanes.keypoint_threshold", "high", "expected 'Type.DOUBLE'"),
        ("backend.name", "torch", "read-only"),
        ("input.crop", [0, 0, 800, 320], "read-only"),
    ],
)
def test_parameter_is_refused_with_reason(
    running: SimpleNamespace, name: str, value: Any, reason: str
) -> None:
    """Whoever sets a wrong value learns why it was not taken, and the node goes on."""
    result = running.peer.set_parameter(name, value)
    assert not result.successful
    assert reason in result.reason
    running.peer.ask(ros.image_message(random_image(5), 5))


def test_default_model_exactly_and_sigterm(tmp_path: Path) -> None:
    """The shipped model says the same in the node and outside it; SIGTERM ends in peace."""
    namespace = ros.new_namespace()
    predictor = Predictor(load_backend(DEFAULT_MODEL, "auto"))
    # Low thresholds: also an image without a road shall give lines to compare.
    predictor.options = decoder_options(
        predictor.spec, lanes__keypoint_threshold=0.01, lanes__confidence_threshold=0.0
    )
    arguments = ["-p", "lanes.keypoint_threshold:=0.01", "-p", "lanes.confidence_threshold:=0.0"]
    with (
        ros.node_process(tmp_path, namespace, *arguments) as process,
        ros.peer_in(namespace, process) as peer,
    ):
        peer.settle(ros.image_message(random_image(0), 0))
        for number, size in enumerate([(320, 800), (480, 640)]):
            image = random_image(number, size)
            ros.assert_equal(peer.ask(ros.image_message(image, number)), predictor(image))
        code, seconds = process.stop(signal.SIGTERM)
    assert code == 0 and seconds < 3.0, f"{code} after {seconds:.1f} s: {process.log}"
    assert "inactive:" in process.log and "Traceback" not in process.log


def test_sigint_while_waiting(tmp_path: Path, models: SimpleNamespace) -> None:
    """Without autostart the node says what it waits for; Ctrl-C, even twice, ends with 0."""
    namespace = ros.new_namespace()
    arguments = ["-p", "autostart:=false", "-p", f"model.path:={models.tiny}"]
    with (
        ros.node_process(tmp_path, namespace, *arguments) as process,
        ros.peer_in(namespace, process) as peer,
    ):
        assert peer.state() == "unconfigured"
        assert f"ros2 lifecycle set {namespace}/perception configure" in process.log
        assert process.log.count("autostart is off") == 1
        assert peer.change_state("configure") and peer.change_state("activate")
        assert peer.state() == "active"
        peer.settle(ros.image_message(random_image(0), 0))
        process.process.send_signal(signal.SIGINT)
        code, seconds = process.stop(signal.SIGINT)
    assert code == 0 and seconds < 3.0, f"{code} after {seconds:.1f} s: {process.log}"
    assert "Traceback" not in process.log


def test_a_signal_whose_exception_is_lost_ends_the_process() -> None:
    """Python drops what is raised in the callbacks of weak references, as after each import."""
    script = """if True:
        import signal, sys, time, weakref
        from rclpy.node import Node
        from shared_encoder_perception.node.node_process import run

        class Starts(Node):
            builds_only = False
            def start(self):
                def interrupted(_):
                    signal.raise_signal(signal.SIGTERM)
                    time.sleep(0.01)
                something = {1}
                kept = weakref.ref(something, interrupted)
                del something
                return True
            def stop(self):
                print("stopped")

        sys.exit(run(lambda: Starts("starts"), "starts"))
    """
    ended = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=PATIENCE_S
    )
    assert (ended.returncode, ended.stdout) == (0, "stopped\n"), ended.stderr
    assert "KeyboardInterrupt" in ended.stderr, "the test would show nothing"


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["-p", "model.path:=/nowhere/m.onnx"], "cannot read the model /nowhere/m.onnx"),
        (["-p", "model.path:={no_spec}"], "carries no model spec"),
        (["-p", "mask.threshold:=3.0"], "mask.threshold"),
        (["-p", "mask.threshold:=high"], "mask.threshold"),
        (["-p", "qos_overrides.{ns}/image.subscription.reliability:=sure"], "`sure`"),
        (["--params-file", "/nowhere/p.yaml"], "/nowhere/p.yaml"),
    ],
)
def test_user_mistake_ends_the_process(
    tmp_path: Path, models: SimpleNamespace, arguments: list[str], reason: str
) -> None:
    """One clear line, a non-zero exit code, no traceback."""
    namespace = ros.new_namespace()
    filled = [a.format(no_spec=models.no_spec, ns=namespace) for a in arguments]
    with ros.node_process(tmp_path, namespace, *filled) as process:
        assert process.wait() == 1, process.log
    lines = [line for line in process.log.splitlines() if "[ERROR]" in line or "[FATAL]" in line]
    assert len(lines) == 1 and reason in lines[0], process.log
    assert "Traceback" not in process.log


def test_tiny_model_is_worth_testing_with(predictor: Predictor) -> None:
    """Different images give different lanes and masks; otherwise mix-ups would go unnoticed."""
    dark, bright = predictor(random_image(0)), predictor(random_image(9))
    assert predictor.spec == SPEC
    for left, right in zip(*(each.answers["lanes"] for each in (dark, bright)), strict=True):
        assert left.status is LaneStatus.DETECTED
        assert not np.array_equal(left.points_px, right.points_px)
    masks = [each.answers["drivable_surface"].probability for each in (dark, bright)]
    assert not np.array_equal(*masks)
