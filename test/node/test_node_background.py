# SPDX-License-Identifier: Apache-2.0
"""The node compares images with a background, however it comes; without, it says that it cannot.

Nothing that is wrong with a background keeps the model's other tasks from answering.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
import ros_harness as ros
from local_node import local_node
from pair_model import noise, write_pair_model
from rclpy.qos import DurabilityPolicy, QoSProfile
from sensor_msgs.msg import CompressedImage, Image
from std_srvs.srv import SetBool, Trigger

from shared_encoder_perception.images.image_msg import fill_compressed
from shared_encoder_perception.node import companions

PIXELS, EMPTY, OTHER = noise(0), noise(1), noise(2)
from background_rig import CAMERA, ERROR, OK, WARN, message, peer_of, rig, values


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """Compares, and answers something else as well."""
    return write_pair_model(tmp_path / "pair.onnx", "drivable_surface")


def test_nothing_is_known_until_a_background_comes_on_the_topic(model: Path) -> None:
    with rig(model) as there:
        there.nothing_known("there is no background", WARN)
        status = there.told("/background (it has one publisher, but no picture has come)", WARN)
        assert values(status)["background"] == "none"
        there.empty.publish(message(EMPTY, 1990.0))
        there.until(there.expected(EMPTY))
        status = there.told("compared with the background from /", OK)
        told = values(status)
        assert told["background"].endswith("/background") and told["background_size"] == "160x64"
        assert float(told["background_age_s"]) == pytest.approx(there.now_s - 1990.0, abs=2.0)
        there.empty.publish(message(OTHER, 1991.0, encoding="rgb8"))
        there.until(there.expected(np.ascontiguousarray(OTHER[:, :, ::-1])))


def test_one_that_was_published_before_there_was_a_node_counts(model: Path) -> None:
    """The topic is latched; compressed, it has image_transport's name."""
    namespace = ros.new_namespace()
    with peer_of(namespace, model, CompressedImage, "background/compressed") as there:
        compressed = CompressedImage(header=message(EMPTY).header)
        fill_compressed(compressed, EMPTY, "png")
        there.empty.publish(compressed)
        there.peer.spin_for(0.3)
        given = {"background.transport": "compressed", "diagnostics.period_s": 0.1}
        with local_node(model, namespace, **given) as local:
            assert local.node.start()
            with ros.served(local.node):
                there.until(there.expected(EMPTY))


def test_a_background_that_does_not_fit_is_named_and_the_next_good_one_works(model: Path) -> None:
    mono = np.ascontiguousarray(EMPTY[:, :, 0])
    bad = message(EMPTY)
    bad.encoding = "32FC1"
    cases = [
        (message(noise(1, (32, 80))), "is 80x32, the image 160x64"),
        (message(EMPTY, frame_id="rear"), f"is by the camera 'rear', the image by '{CAMERA}'"),
        (bad, "/background cannot be read (image encoding '32FC1' is not supported"),
        (message(mono, encoding="mono8"), "is mono8, the image bgr8: one has colours"),
    ]
    with rig(model) as there:
        for wrong, words in cases:
            there.empty.publish(message(OTHER))
            there.until(there.expected(OTHER))
            there.empty.publish(wrong)
            there.nothing_known(words, ERROR)
        there.empty.publish(message(EMPTY, frame_id=""))
        there.until(there.expected(EMPTY))
        there.told("compared with", OK)


def test_a_background_may_be_too_old(model: Path) -> None:
    with rig(model, **{"background.max_age_s": 60.0}) as there:
        there.empty.publish(message(EMPTY, 1900.0))
        there.nothing_known(" s old, background.max_age_s is 60", WARN)
        assert there.peer.set_parameter("background.max_age_s", 500.0).successful
        there.until(there.expected(EMPTY))
        unstamped = message(EMPTY, 0.0)
        there.empty.publish(unstamped)
        there.nothing_known("is of unknown age", WARN)
        assert there.peer.set_parameter("background.max_age_s", 0.0).successful
        there.until(there.expected(EMPTY))
        assert values(there.told("compared with", OK))["background_age_s"] == "unknown"
        assert not there.peer.set_parameter("background.max_age_s", -1.0).successful


def test_a_file_is_read_at_the_start_when_the_parameter_changes_and_by_the_service(
    model: Path, tmp_path: Path
) -> None:
    first, second = tmp_path / "first.png", tmp_path / "second.png"
    cv2.imwrite(str(first), EMPTY)
    cv2.imwrite(str(second), OTHER)
    with rig(model, **{"background.file": str(first)}) as there:
        there.until(there.expected(EMPTY))
        assert values(there.told("compared with", OK))["background"] == str(first)
        assert there.peer.set_parameter("background.file", str(second)).successful
        there.until(there.expected(OTHER))
        cv2.imwrite(str(second), EMPTY)
        there.peer.spin_for(0.2)
        assert (there.ask() == there.expected(OTHER)).all(), "read once"
        answer = there.peer.call(Trigger, "reload_background", Trigger.Request())
        assert answer.success and answer.message == f"{second} is the background now"
        there.until(there.expected(EMPTY))
        second.write_text("no picture")
        answer = there.peer.call(Trigger, "reload_background", Trigger.Request())
        assert (
            not answer.success and f"background.file {second} cannot be decoded" in answer.message
        )
        assert f"the background from {second} stays in use" in answer.message
        status = there.told(f"but background.file {second}", WARN)
        assert "compared with" in status.message and "/reload_background" in status.message
        assert (there.ask() == there.expected(EMPTY)).all(), "the good one stays"
        gone = there.peer.set_parameter("background.file", str(tmp_path / "gone.png"))
        assert not gone.successful and "gone.png is missing" in gone.reason
        there.empty.publish(message(OTHER))
        there.until(there.expected(OTHER))
        assert there.peer.set_parameter("background.file", str(first)).successful
        there.until(there.expected(EMPTY))
        assert there.peer.set_parameter("background.file", "").successful
        there.until(there.expected(OTHER))
        there.told("compared with the background from /", OK)
        answer = there.peer.call(Trigger, "reload_background", Trigger.Request())
        assert not answer.success and "background.file is not set" in answer.message


def test_a_file_that_is_not_there_keeps_no_node_from_starting(model: Path, tmp_path: Path) -> None:
    with rig(model, **{"background.file": str(tmp_path / "gone.png")}) as there:
        early = "waiting for an image; the background from"
        assert there.peer.spin_until(lambda: there.status and early in there.status.message)
        assert there.status is not None and there.status.level == ERROR
        assert (
            "gone.png is missing: there is no such picture; publish another one on"
            in there.status.message
        )
        there.told("no foreground is known", ERROR)
        there.nothing_known(
            "gone.png is missing: there is no such picture; publish another one on", ERROR
        )


def test_a_file_damaged_behind_its_header_leaves_the_good_one(model: Path, tmp_path: Path) -> None:
    """What the header does not tell is found when it is read."""
    damaged = tmp_path / "damaged.png"
    cv2.imwrite(str(damaged), EMPTY)
    damaged.write_bytes(damaged.read_bytes()[:2000])
    with rig(model) as there:
        there.empty.publish(message(OTHER))
        there.until(there.expected(OTHER))
        assert there.peer.set_parameter("background.file", str(damaged)).successful
        there.told(f"but background.file {damaged} is", WARN)
        assert (there.ask() == there.expected(OTHER)).all()


def test_one_on_the_topic_that_was_taken_earlier_is_left_aside(
    model: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "empty.png"
    cv2.imwrite(str(path), EMPTY)
    os.utime(path, (1990.0, 1990.0))
    with rig(model, **{"background.file": str(path)}) as there:
        there.empty.publish(message(OTHER, 1500.0))
        there.until(there.expected(EMPTY))
        there.peer.spin_for(0.3)
        assert (there.ask() == there.expected(EMPTY)).all()
        assert "was taken 490 s before the one in use" in capfd.readouterr().err
        there.empty.publish(message(OTHER, 1995.0))
        there.until(there.expected(OTHER))


def test_the_age_of_a_file_is_when_it_was_written(model: Path, tmp_path: Path) -> None:
    path = tmp_path / "old.png"
    cv2.imwrite(str(path), EMPTY)
    os.utime(path, (1000.0, 1000.0))
    with rig(model, **{"background.file": str(path), "background.max_age_s": 60.0}) as there:
        there.nothing_known("is 100", WARN)
        os.utime(path, (1990.0, 1990.0))
        assert there.peer.call(Trigger, "reload_background", Trigger.Request()).success
        there.until(there.expected(EMPTY))


def test_the_camera_takes_its_own_background_and_saves_it(model: Path, tmp_path: Path) -> None:
    saved = tmp_path / "folder" / "saved.png"
    with rig(model) as there:
        assert not there.peer.set_parameter("background.save_to", "seen.jpg").successful
        assert there.peer.set_parameter("background.save_to", str(saved)).successful
        there.ask()
        answer = there.call("capture_background")
        assert answer.success, answer.message
        stamp = answer.message.split("the image of ")[1].split(",")[0]
        assert 2000 < float(stamp) <= there.now_s and "160x64" in answer.message
        assert answer.message.endswith(f"saved as {saved}")
        np.testing.assert_array_equal(cv2.imread(str(saved)), PIXELS)
        assert not there.ask().any(), "nothing is new in the same picture"
        np.testing.assert_array_equal(there.ask(OTHER), there.expected(PIXELS, OTHER))
        status = there.told("compared with the background from the camera by", OK)
        assert values(status)["background"].endswith("perception/capture_background")
        there.empty.publish(message(EMPTY, there.now_s))
        there.until(there.expected(EMPTY))
        assert there.peer.set_parameter("background.save_to", "/proc/none/a.png").successful
        answer = there.call("capture_background")
        assert not answer.success and "is the background now, but cannot be saved" in answer.message
        assert not there.ask().any()


def test_without_an_image_nothing_is_captured(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(companions, "CAPTURE_TIMEOUT_S", 0.5)
    with rig(model) as there:
        there.empty.publish(message(EMPTY))
        there.until(there.expected(EMPTY))
        start = time.monotonic()
        answer = there.peer.call(Trigger, "capture_background", Trigger.Request())
        assert (
            not answer.success and "no image that can be used came within 0.5 s" in answer.message
        )
        assert time.monotonic() - start > 0.4
        assert (there.ask() == there.expected(EMPTY)).all(), "a late image is not taken"
        there.peer.call(SetBool, "set_enabled", SetBool.Request(data=False))
        answer = there.peer.call(Trigger, "capture_background", Trigger.Request())
        assert not answer.success and "call ~/set_enabled" in answer.message
        assert there.peer.change_state("deactivate")
        answer = there.peer.call(Trigger, "capture_background", Trigger.Request())
        assert not answer.success and "not active" in answer.message
        there.peer.call(SetBool, "set_enabled", SetBool.Request(data=True))
        assert there.peer.change_state("activate")
        there.until(there.expected(EMPTY))


def test_a_publisher_that_is_not_latched_is_pointed_out_and_can_be_heard(model: Path) -> None:
    volatile = QoSProfile(depth=1, durability=DurabilityPolicy.VOLATILE)
    with rig(model) as there:
        there.peer.node.destroy_publisher(there.empty)
        there.peer.node.create_publisher(Image, "background", volatile)
        there.nothing_known("with a QoS that does not fit", WARN)
        override = "/background.subscription.durability to volatile"
        status = there.told(override, WARN)
        assert "; set qos_overrides./" in status.message
        assert there.peer.change_state("deactivate") and there.peer.change_state("cleanup")
    namespace = ros.new_namespace()
    name = f"qos_overrides.{namespace}/background.subscription.durability"
    with (
        local_node(model, namespace, **{name: "volatile"}) as local,
        peer_of(namespace, model) as there,
    ):
        there.peer.node.destroy_publisher(there.empty)
        late = there.peer.node.create_publisher(Image, "background", volatile)
        assert local.node.start()
        with ros.served(local.node):
            assert there.peer.spin_until(late.get_subscription_count)
            late.publish(message(EMPTY))
            there.until(there.expected(EMPTY))


def test_a_model_that_compares_nothing_has_no_such_topic_and_says_so(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    from tiny_model import write_tiny_model

    model, given = write_tiny_model(tmp_path / "tiny.onnx"), {"background.file": "a.png"}
    with local_node(model, **given) as local:
        assert local.node.start()
        topics = {one.topic_name.rpartition("/")[2] for one in local.node.subscriptions}
        services = {one.srv_name.rpartition("/")[2] for one in local.node.services}
        assert "background" not in topics and not any("background" in one for one in services)
    assert "parameters background.* were given" in capfd.readouterr().err


def test_a_node_process_answers_as_the_predictor_does(model: Path, tmp_path: Path) -> None:
    """As users start it: the file first, then what comes on the remapped topic."""
    path, namespace = tmp_path / "empty.png", ros.new_namespace()
    cv2.imwrite(str(path), EMPTY)
    arguments = ["-p", f"model.path:={model}", "-p", f"background.file:={path}"]
    arguments += ["-p", "diagnostics.period_s:=0.2", "-r", "background:=place/empty"]
    with (
        ros.node_process(tmp_path, namespace, *arguments) as process,
        peer_of(namespace, model, Image, "place/empty") as there,
    ):
        there.until(there.expected(EMPTY))
        there.empty.publish(message(OTHER))
        there.until(there.expected(OTHER))
        there.told("from " + namespace + "/place/empty", OK)
        assert there.call("capture_background").success
        assert not there.ask().any()
        assert process.stop()[0] == 0, process.log
