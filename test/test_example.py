# SPDX-License-Identifier: Apache-2.0
"""The example consumer as a process of its own, beside the real node and beside real messages."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
import ros_harness as ros
from ground_lines import ground_perception
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import Image
from shared_encoder_perception.msg import LaneLineArray
from std_msgs.msg import Header
from task_messages import messages_of
from tiny_model import SPEC, random_image, write_models

from shared_encoder_perception.images.image_msg import to_bgr
from shared_encoder_perception.node.messages import new_message
from shared_encoder_perception.tasks.drivable.content import MASK_TOPIC
from shared_encoder_perception.tasks.lanes.content import ARRAY_TOPIC

EXAMPLE = ros.ROOT / "examples" / "world_model.py"
CAMERA = ros.ROOT / "examples" / "camera.py"


class Example:
    """The process and what it printed."""

    def __init__(self, folder: Path, namespace: str, *words: str) -> None:
        """Start it as its first lines say."""
        self._log = folder / "example.log"
        command = [sys.executable, *words, "--ros-args", "-r", f"__ns:={namespace}"]
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                command,
                cwd=folder,
                env={
                    **os.environ,
                    "ROS_LOG_DIR": str(folder),
                    "PYTHONPATH": str(ros.ROOT),
                    "PYTHONUNBUFFERED": "1",
                },
                stdout=log,
                stderr=subprocess.STDOUT,
                # A shell that runs pytest in the background has Ctrl-C ignored.
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
            )

    @property
    def lines(self) -> list[str]:
        """What it said about images."""
        assert self.process.poll() is None, self.log
        return [line for line in self.log.splitlines() if "confidence" in line]

    @property
    def log(self) -> str:
        """Everything it printed."""
        return self._log.read_text(errors="replace")


@contextmanager
def example(folder: Path, namespace: str, *words: str) -> Iterator[Example]:
    """Start the example, end it as a user does, and see that it leaves without a complaint."""
    running = Example(folder, namespace, *(words or [str(EXAMPLE)]))
    try:
        yield running
        running.process.send_signal(signal.SIGINT)
        assert running.process.wait(ros.PATIENCE_S) in (0, -signal.SIGINT), running.log
        assert "Traceback" not in running.log, running.log
    finally:
        if running.process.poll() is None:
            running.process.kill()
            running.process.wait()


def parts(second: int) -> tuple[LaneLineArray, Image]:
    """Array and mask of one image, with the ground geometry of ``ground_lines``."""
    header = Header(frame_id="camera")
    header.stamp.sec = second
    messages = messages_of(ground_perception(), header, SPEC, new_message)
    return messages[ARRAY_TOPIC], messages[MASK_TOPIC]


def test_it_pairs_lanes_and_mask_by_stamp_and_reads_the_geometry(tmp_path: Path) -> None:
    """In either order, with halves that got lost in between."""
    namespace = ros.new_namespace()
    with ros.peer_in(namespace) as peer, example(tmp_path, namespace) as running:
        arrays = peer.node.create_publisher(LaneLineArray, ARRAY_TOPIC, 10)
        masks = peer.node.create_publisher(Image, MASK_TOPIC, 10)
        # The peer listens to both topics itself.
        for publisher in (arrays, masks):
            assert peer.spin_until(lambda p=publisher: p.get_subscription_count() == 2)
        peer.spin_for(0.5)
        array, mask = parts(1)
        masks.publish(mask)
        arrays.publish(array)
        assert peer.spin_until(lambda: len(running.lines) == 1)
        for second in range(10, 20):
            arrays.publish(parts(second)[0])
            peer.spin_for(0.01)
        late, (old_array, old_mask) = parts(20), parts(21)
        arrays.publish(old_array)
        arrays.publish(late[0])
        masks.publish(late[1])
        masks.publish(old_mask)
        assert peer.spin_until(lambda: len(running.lines) == 3)
        peer.spin_for(0.2)
        assert len(running.lines) == 3, "halves do not pair with another image's"
        for line in running.lines:
            assert "confidence 0.50, drivable 38%" in line
            # y(0) = 0.4 and y'(0) = -0.01, see ground_lines; sigma of y(0) is 0.1.
            assert re.search(r"offset -0\.40 ± 0\.10 m, lane's heading -0\.010 ± 0\.003 rad", line)


def test_it_runs_beside_the_real_node(tmp_path: Path) -> None:
    """Without calibration: it says where the lane is in the picture."""
    model = write_models(tmp_path).tiny
    namespace = ros.new_namespace()
    with (
        ros.node_process(tmp_path, namespace, "-p", f"model.path:={model}") as node,
        ros.peer_in(namespace, node) as peer,
        example(tmp_path, namespace) as running,
    ):
        peer.settle(ros.image_message(random_image(0), 0))
        before = 0
        assert peer.spin_until(lambda: peer.node.count_subscribers(f"{namespace}/lane_lines") == 2)
        for sequence in range(1, 200):
            before = len(running.lines)
            answer = peer.ask(ros.image_message(random_image(1), sequence))
            if peer.spin_until(lambda count=before: len(running.lines) > count, 0.5):
                break
        ego = answer[ARRAY_TOPIC].lanes[0]
        column = round(float(np.float32(ego.image_x[0])))
        assert f"at the bottom in column {column}: no calibration" in running.lines[-1]


def test_it_stays_an_example() -> None:
    """About forty lines of code, and nothing of ours but what a consumer has."""
    text = EXAMPLE.read_text()
    code = [line for line in text.split('"""', 2)[2].splitlines() if line.strip()]
    assert len(code) <= 45
    modules = set(re.findall(r"shared_encoder_perception\.([\w.]+) import", text))
    assert modules == {"msg", "images.image_msg", "tasks.lanes.lane_geometry"}


@pytest.mark.parametrize("name", [EXAMPLE.name])
def test_the_page_on_messages_names_it(name: str) -> None:
    """Whoever reads about the fields finds the code."""
    assert name in (ros.ROOT / "docs" / "messages.md").read_text()


def test_the_camera_plays_a_folder_again_and_again(tmp_path: Path) -> None:
    """Its own pictures, in their order, as drivers publish: best effort, with stamps that rise."""
    pictures = [np.full((32, 80, 3), 60 * one, np.uint8) for one in range(3)]
    for number, picture in enumerate(pictures):
        cv2.imwrite(str(tmp_path / f"{number}.png"), picture)
    namespace = ros.new_namespace()
    with ros.peer_in(namespace) as peer:
        found: list[Image] = []
        peer.node.create_subscription(Image, "image", found.append, qos_profile_sensor_data)
        with example(tmp_path, namespace, str(CAMERA), str(tmp_path)):
            assert peer.spin_until(lambda: len(found) > 4)
    grey = [int(to_bgr(one)[0, 0, 0]) for one in found]
    rounds = [(later - before) % 180 for before, later in pairwise(grey)]
    assert set(grey) == {0, 60, 120} and rounds.count(60) >= len(rounds) - 1  # one may be lost
    stamps = [(one.header.stamp.sec, one.header.stamp.nanosec) for one in found]
    assert stamps == sorted(set(stamps)) and found[0].header.frame_id == "camera_optical"
