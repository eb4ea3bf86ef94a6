# SPDX-License-Identifier: Apache-2.0
"""Launch files: a process that fails gives the launch its exit code, and nothing stays behind.

They need ROS 2's ``launch`` and ``launch_ros``, which the wheels lack.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import ros_harness as ros  # before the others: it sets the environment
from patience import PATIENCE_S
from tiny_model import write_tiny_model

pytest.importorskip("launch_ros", reason="needs a full ROS 2")

LAUNCH = """
import sys
from launch import LaunchDescription, LaunchService
from launch.actions import IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource

path, *given = sys.argv[1:]
arguments = [tuple(one.split(":=", 1)) for one in given]
source = PythonLaunchDescriptionSource(path)
service = LaunchService(argv=given)
service.include_launch_description(
    LaunchDescription([IncludeLaunchDescription(source, launch_arguments=arguments)])
)
sys.exit(service.run())
"""
"""What ``ros2 launch`` does."""


def start(name: str, *arguments: str) -> subprocess.Popen[str]:
    """Launch a file."""
    return subprocess.Popen(
        [sys.executable, "-c", LAUNCH, str(ros.ROOT / "launch" / name), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Wait for the end of a launch; return exit code and output."""
    try:
        output, _ = process.communicate(timeout=PATIENCE_S)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
    return process.returncode, output


def left_behind(mark: str) -> list[str]:
    """Return the command lines of nodes that run with ``mark`` in theirs."""
    lines = [
        path.read_text(errors="replace").replace("\0", " ")
        for path in Path("/proc").glob("[0-9]*/cmdline")
        if path.parent.exists()
    ]
    return [line for line in lines if "perception_node" in line and mark in line]


@pytest.mark.parametrize(
    ("arguments", "code", "reason"),
    [
        (["rviz:=true"], 1, "needs RViz: sudo apt-get install"),
        (["rviz:=perhaps"], 1, "rviz:=perhaps: expected true or false"),
        (["autostart:=perhaps"], 1, "autostart:=perhaps: expected true or false"),
        (["bag:=/nowhere"], 1, "bag:=/nowhere: there is no such bag"),
        (["params_file:=/nowhere.yaml"], 1, "/nowhere.yaml: there is no such file"),
        (["model:=/nowhere.onnx"], 1, "cannot read the model /nowhere.onnx"),
        (["cameras:=front,re ar"], 1, "cannot start: "),
        (["cameras:=front,rear", "model:=/nowhere.onnx"], 1, "cannot read the model"),
    ],
)
def test_what_cannot_be_started_ends_the_launch(
    arguments: list[str], code: int, reason: str
) -> None:
    namespace = ros.new_namespace().strip("/")
    found, output = ended(start("perception.launch.py", f"namespace:={namespace}", *arguments))
    assert (found, reason in output) == (code, True), output
    assert "Traceback" not in output and not left_behind(namespace)


def test_an_argument_that_is_none_is_named() -> None:
    """``launch`` itself takes any name without a word."""
    namespace = ros.new_namespace().strip("/")
    arguments = (f"namespace:={namespace}", "modle:=/nowhere.onnx", "rviz:=perhaps")
    _, output = ended(start("perception.launch.py", *arguments))
    assert "modle was given, but there is none of that name; did you mean model?" in output
    _, output = ended(start("replay.launch.py", "bag:=/nowhere", "lables:=/truth"))
    assert "lables was given, but there is none of that name; did you mean labels?" in output


@pytest.mark.parametrize("cameras", ["", "front,rear"])
def test_a_node_that_dies_gives_its_code_and_ctrl_c_none(tmp_path: Path, cameras: str) -> None:
    """Of two cameras the other one goes on, and the code is told in the end."""
    model, namespace = write_tiny_model(tmp_path / "tiny.onnx"), ros.new_namespace()
    arguments = [f"namespace:={namespace.strip('/')}", f"cameras:={cameras}", f"model:={model}"]
    launched = start("perception.launch.py", *arguments)
    first = f"{namespace}/front" if cameras else namespace
    try:
        with ros.peer_in(first) as peer:
            assert peer.spin_until(lambda: peer.images.get_subscription_count()), "no node"
        (pid,) = [
            int(path.parent.name)
            for path in Path("/proc").glob("[0-9]*/cmdline")
            if f"__ns:={first}\0" in path.read_text(errors="replace")
        ]
        os.kill(pid, signal.SIGKILL)
        if cameras:
            with ros.peer_in(f"{namespace}/rear") as peer:
                assert peer.state() == "active"
            launched.send_signal(signal.SIGINT)
    finally:
        code, output = ended(launched)
    assert code == 128 + signal.SIGKILL, output
    assert not left_behind(namespace)


def test_ctrl_c_is_no_failure(tmp_path: Path) -> None:
    model, namespace = write_tiny_model(tmp_path / "tiny.onnx"), ros.new_namespace()
    launched = start(
        "perception.launch.py", f"namespace:={namespace.strip('/')}", f"model:={model}"
    )
    with ros.peer_in(namespace) as peer:
        assert peer.spin_until(lambda: peer.images.get_subscription_count()), "no node"
    os.killpg(launched.pid, signal.SIGINT)
    code, output = ended(launched)
    assert code == 0 and "Traceback" not in output, output


def test_a_replay_that_fails_gives_its_code(tmp_path: Path) -> None:
    arguments = [f"bag:={tmp_path}", f"out:={tmp_path / 'out'}", "report:=false"]
    code, output = ended(start("replay.launch.py", *arguments))
    assert code == 2 and "is no rosbag2" in output and "--no-report" in output, output
    assert "Traceback" not in output
