# SPDX-License-Identifier: Apache-2.0
"""Camera images survive the middleware: with the shipped profile, and not without."""

from __future__ import annotations

import json
import os
from contextlib import ExitStack
from pathlib import Path
from xml.etree import ElementTree

import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed")
pytest.importorskip("rmw_fastrtps_cpp", reason="Fast DDS for ROS 2 is not installed")
pytest.importorskip("shared_encoder_perception.msg", reason="our ROS messages are not built")

import loss_probe
from patience import PATIENCE_S

from shared_encoder_perception.demo.processes import ros_environment
from shared_encoder_perception.node.middleware import (
    NEWER_VARIABLE,
    PROFILE_VARIABLE,
    use_profile,
)

ROOT = Path(__file__).resolve().parents[2]
PROFILE = ROOT / "config" / "fastdds_profile.xml"

SIZE = (720, 960)
"""Height and width of a bgr8 image of 2 MB."""
COUNT, RATE_HZ = 75, 30.0


def lost_images(profile: Path | None, sent: int = COUNT) -> list[int]:
    """Send images from one process to another; return the numbers of those that did not come."""
    environment = {
        **os.environ,
        "RMW_IMPLEMENTATION": "rmw_fastrtps_cpp",
        "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST",
        "ROS_DOMAIN_ID": str(1 + os.getpid() % 100),
    }
    environment.pop(PROFILE_VARIABLE, None)
    environment.pop("FASTDDS_DEFAULT_PROFILES_FILE", None)
    if profile is not None:
        environment[PROFILE_VARIABLE] = str(profile)
    common = ["--topic", f"/loss_{os.getpid()}/image"]
    camera = ["--rate", str(RATE_HZ), "--size", *map(str, SIZE), "--numbered"]
    camera += ["--count", str(sent or -1)]
    with ExitStack() as stack:
        processes = [
            loss_probe.start("listen", *common, "--count", str(COUNT), environment=environment),
            loss_probe.start("publish", *common, *camera, environment=environment),
        ]
        for process in processes:
            stack.callback(process.kill)
        (seen, errors), (_, camera_errors) = [
            p.communicate(timeout=2 * PATIENCE_S) for p in processes
        ]  # until they have met, and then until the images are through
    assert [p.returncode for p in processes] == [0, 0], errors + camera_errors
    received = json.loads(seen)
    assert received == sorted(set(received)), "images came twice or out of order"
    return sorted(set(range(1, COUNT + 1)) - set(received))


def test_no_image_is_lost_with_the_profile() -> None:
    """2 MB at 30 Hz, best effort, between two processes."""
    assert lost_images(PROFILE) == []


def test_images_are_lost_without_the_profile() -> None:
    """Which proves that the test above can see losses, and that the profile is needed."""
    if not lost_images(None):
        pytest.skip("nothing was lost here without the profile")


def test_who_receives_nothing_says_so() -> None:
    """Without the profile it can happen that not one image comes: no reason to wait any longer."""
    assert lost_images(PROFILE, sent=0) == list(range(1, COUNT + 1))


def test_the_demo_sets_the_profile(tmp_path: Path) -> None:
    assert Path(ros_environment(tmp_path)[PROFILE_VARIABLE]).samefile(PROFILE)


def test_a_node_without_launch_takes_the_profile_unless_it_has_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv(PROFILE_VARIABLE)
    use_profile()
    assert Path(os.environ[PROFILE_VARIABLE]).samefile(PROFILE)
    for variable in (PROFILE_VARIABLE, NEWER_VARIABLE):
        monkeypatch.delenv(PROFILE_VARIABLE)
        monkeypatch.setenv(variable, "mine.xml")
        use_profile()
        assert os.environ[variable] == "mine.xml"
        assert os.environ.get(PROFILE_VARIABLE) in (None, "mine.xml")


def test_the_launch_files_set_the_profile() -> None:
    """By their text: ROS's launch is not installed everywhere."""
    text = (ROOT / "shared_encoder_perception" / "node" / "launch_files.py").read_text()
    assert "SetEnvironmentVariable(PROFILE_VARIABLE, str(share() / PROFILE))" in text
    for name in ("perception", "surround"):
        assert "with_profile=True" in (ROOT / "launch" / f"{name}.launch.py").read_text()


def test_the_segment_holds_several_images() -> None:
    """One message in one piece, and room for those that a busy listener has not taken yet."""
    names = {"p": "http://www.eprosima.com/XMLSchemas/fastRTPS_Profiles"}
    tree = ElementTree.parse(PROFILE)
    segment = int(tree.findtext(".//p:segment_size", "", names))
    piece = int(tree.findtext(".//p:maxMessageSize", "", names))
    image = SIZE[0] * SIZE[1] * 3
    assert piece > image and segment >= 5 * image
