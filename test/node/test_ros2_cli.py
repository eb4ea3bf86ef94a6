# SPDX-License-Identifier: Apache-2.0
"""ROS 2's own command line on the node: launch, lifecycle, param, topic, service."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from threading import Event, Thread
from time import monotonic

import pytest
import ros_harness as ros  # before the others: it sets the environment
from patience import PATIENCE_S
from tiny_model import random_image, write_tiny_model

PACKAGE = "shared_encoder_perception"
CAMERA = "front"


def ros2(*arguments: str, patience_s: float = PATIENCE_S) -> subprocess.CompletedProcess[str]:
    """Run a command of ``ros2`` to its end."""
    command = ["ros2", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=patience_s)


def says(command: list[str], text: str) -> None:
    """Repeat a command until it prints ``text``: discovery takes its time."""
    deadline, output = monotonic() + PATIENCE_S, ""
    while monotonic() < deadline:
        result = ros2(*command)
        output = result.stdout + result.stderr
        if text in output:
            return
    raise AssertionError(f"`ros2 {' '.join(command)}` does not say {text!r}, but: {output}")


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Launch the node for one camera; yield its name."""
    if shutil.which("ros2") is None:
        pytest.skip("the ROS 2 command line is not installed")
    if ros2("pkg", "prefix", PACKAGE).returncode:
        pytest.skip(f"{PACKAGE} is not built in this ROS 2: colcon build, and source it")
    folder = tmp_path_factory.mktemp("launch")
    model = write_tiny_model(folder / "tiny.onnx")
    namespace = ros.new_namespace().strip("/")
    arguments = [f"namespace:={namespace}", f"cameras:={CAMERA}", f"model:={model}"]
    log = folder / "launch.log"
    with log.open("wb") as file:
        process = subprocess.Popen(
            ["ros2", "launch", PACKAGE, "perception.launch.py", *arguments],
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    name = f"/{namespace}/{CAMERA}/perception"
    try:
        says(["lifecycle", "get", "--no-daemon", "--spin-time", "2", name], "active [3]")
        yield name
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE_S) == 0, log.read_text()
        assert "Traceback" not in log.read_text()
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def test_arguments_are_described() -> None:
    if shutil.which("ros2") is None:
        pytest.skip("the ROS 2 command line is not installed")
    path = ros.ROOT / "launch" / "perception.launch.py"
    result = ros2("launch", str(path), "--show-args")
    assert result.returncode == 0 and "'cameras':" in result.stdout, result.stderr
    assert "no description" not in result.stdout


def test_parameters_are_set_or_refused_with_the_reason(node: str) -> None:
    options = ["--no-daemon", "--spin-time", "2"]
    says(["param", "set", *options, node, "mask.threshold", "0.6"], "successful")
    says(["param", "get", *options, node, "mask.threshold"], "0.6")
    says(["param", "set", *options, node, "mask.threshold", "1.6"], "out of range")
    says(["param", "describe", *options, node, "mask.threshold"], "Lowest probability")


def test_topics_are_heard(node: str, tmp_path: Path) -> None:
    """With a camera at 20 Hz beside it."""
    namespace = node.rpartition("/")[0]
    ended = Event()

    def play(peer: ros.Peer) -> None:
        image = ros.image_message(random_image(0), 0)
        while not ended.is_set():
            peer.images.publish(image)
            peer.spin_for(0.05)

    with ros.peer_in(namespace) as peer:
        camera = Thread(target=play, args=(peer,), daemon=True)
        camera.start()
        try:
            echo = ["topic", "echo", "--no-daemon", "--once", "--spin-time", "2"]
            says([*echo, f"{namespace}/lane_lines/ego"], "confidence_calibrated")
            latched = ["--qos-durability", "transient_local", "--qos-reliability", "reliable"]
            says([*echo, *latched, f"{namespace}/model_info"], "name: tiny")
            command = ["timeout", "--signal=INT", "15", "ros2", "topic", "hz"]
            topic = f"{namespace}/lane_lines"
            heard = subprocess.run([*command, topic], capture_output=True, text=True)
            assert "average rate" in heard.stdout, heard.stdout + heard.stderr
        finally:
            ended.set()
            camera.join(PATIENCE_S)


def test_services_and_transitions(node: str) -> None:
    call = ["service", "call", f"{node}/set_enabled", "std_srvs/srv/SetBool"]
    says([*call, "{data: true}"], "images are perceived")
    for transition, state in (("deactivate", "inactive [2]"), ("activate", "active [3]")):
        options = ["--no-daemon", "--spin-time", "2"]
        says(["lifecycle", "set", *options, node, transition], "Transitioning successful")
        says(["lifecycle", "get", *options, node], state)
