# SPDX-License-Identifier: Apache-2.0
"""The node says metres where the camera is known; elsewhere nothing but NaN, and the reason."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import ros_harness as ros
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from local_node import local_node
from one_task import some_images
from rclpy.qos import QoSProfile
from sensor_msgs.msg import CameraInfo, Image, PointCloud2

pytest.importorskip("torch", reason="exports a network of random weights")

from shared_encoder_perception.backends import DEFAULT_MODEL, load_backend
from shared_encoder_perception.ground.camera_info import camera_model
from shared_encoder_perception.node.diagnostics import TOPIC
from shared_encoder_perception.predictor import Predictor
from shared_encoder_perception.tasks.cloud_msg import positions
from shared_encoder_perception.tasks.depth.content import (
    DEPTH_TOPIC,
    INFO_TOPIC,
    POINTS_TOPIC,
    RAW_TOPIC,
    SIGMA_TOPIC,
)
from shared_encoder_perception.tasks.depth.depth_msg import focal_of, read_depth
from shared_encoder_perception.tasks.depth.height import at_height
from shared_encoder_perception.tasks.depth.refine import NO_FOCAL
from shared_encoder_perception.world.synthetic import render_sample

PIXELS = some_images(1)[0]
FOCAL = 137.5
KINDS = {
    DEPTH_TOPIC: Image,
    INFO_TOPIC: CameraInfo,
    RAW_TOPIC: Image,
    SIGMA_TOPIC: Image,
    POINTS_TOPIC: PointCloud2,
}


def camera(width: int, height: int) -> CameraInfo:
    """A distorted camera."""
    info = CameraInfo(width=width, height=height, distortion_model="plumb_bob")
    info.d = [-0.2, 0.05, 0.0, 0.001, 0.0]
    info.k = [FOCAL, 0.0, 81.0, 0.0, FOCAL, 30.0, 0.0, 0.0, 1.0]
    info.p = [FOCAL, 0.0, 81.0, 0.0, 0.0, FOCAL, 30.0, 0.0, 0.0, 0.0, 1.0, 0.0]
    info.r = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0]
    return info


@dataclass
class Rig:
    """A node with depth, and who listens to all of it."""

    local: Any
    peer: Any
    infos: Any
    said: dict[str, Any] = field(default_factory=dict)
    status: DiagnosticStatus | None = None
    sent: int = 0

    def ask(self, info: CameraInfo | None = None, pixels: Any = PIXELS) -> dict[str, Any]:
        """Publish images, with a CameraInfo or without, until one was answered on every topic."""

        def answered() -> bool:
            if info is not None:
                self.infos.publish(info)
                self.peer.spin_for(0.05)
            self.sent += 1
            message = ros.image_message(pixels, self.sent)
            self.said.clear()
            self.peer.images.publish(message)
            self.peer.spin_until(lambda: len(self.said) == len(KINDS), 0.5)
            headers = [one.header for one in self.said.values()]
            return len(headers) == len(KINDS) and all(one == message.header for one in headers)

        assert self.peer.spin_until(answered)
        return dict(self.said)

    def told(self, words: str, level: bytes) -> bool:
        """Whether the diagnostics say so before long."""
        return bool(
            self.peer.spin_until(
                lambda: self.status and words in self.status.message and self.status.level == level
            )
        )


@contextmanager
def rig(model: Path, **values: Any) -> Iterator[Rig]:
    """Yield an active node and its peer."""
    namespace = ros.new_namespace()
    with (
        local_node(model, namespace, **{"diagnostics.period_s": 0.1, **values}) as local,
        ros.peer_in(namespace) as peer,
    ):
        there = Rig(local, peer, peer.node.create_publisher(CameraInfo, "camera_info", 10))

        def see(array: DiagnosticArray) -> None:
            for status in array.status:
                if status.name.endswith(": depth"):
                    there.status = status

        peer.node.create_subscription(DiagnosticArray, TOPIC, see, 10)
        for topic, kind in KINDS.items():

            def keep(message: Any, topic: str = topic) -> None:
                there.said[topic] = message

            peer.node.create_subscription(kind, topic, keep, QoSProfile(depth=10))
        assert local.node.start()
        with ros.served(local.node):
            yield there


@pytest.fixture(scope="module")
def model(one_task_model: Any) -> Path:
    """Random weights: what it says is of no matter."""
    return one_task_model("depth")


def test_metres_come_with_the_camera_and_are_the_predictors_bit_for_bit(model: Path) -> None:
    height, width = PIXELS.shape[:2]
    with rig(model) as there:
        said = there.ask()
        assert np.isnan(read_depth(said[DEPTH_TOPIC])).all()
        assert not said[INFO_TOPIC].k.any() and not np.frombuffer(said[RAW_TOPIC].data, "u2").any()
        assert np.isnan(positions(said[POINTS_TOPIC])).all()
        assert there.told(NO_FOCAL, DiagnosticStatus.WARN)

        said = there.ask(camera(width, height))
        assert there.told("in metres", DiagnosticStatus.OK)
        expected = Predictor(load_backend(model, "auto"))(PIXELS).answers["depth"].through(FOCAL)
        depth = read_depth(said[DEPTH_TOPIC])
        np.testing.assert_array_equal(depth, expected.depth)
        assert (said[INFO_TOPIC].k == camera(width, height).k).all()
        assert list(said[INFO_TOPIC].d) == list(camera(width, height).d)
        sigma = read_depth(said[SIGMA_TOPIC])
        np.testing.assert_array_equal(sigma, expected.sigma * expected.depth)
        raw = np.frombuffer(said[RAW_TOPIC].data, "<u2").reshape(height, width)
        near = depth < 65.535
        np.testing.assert_array_equal(raw[near], np.round(depth[near] * 1000.0))
        x, _, z = positions(said[POINTS_TOPIC])
        finite = np.isfinite(depth.ravel())
        np.testing.assert_array_equal(z[finite], depth.ravel()[finite])
        assert said[POINTS_TOPIC].height == height and np.isfinite(x[finite]).all()

        said = there.ask(camera(width * 2, height * 2))
        assert np.isnan(read_depth(said[DEPTH_TOPIC])).all(), "a CameraInfo of other images"
        assert there.told(f"{width}x{height}", DiagnosticStatus.ERROR)


def test_a_parameter_stands_in_for_a_camera_without_calibration(model: Path) -> None:
    with rig(model) as there:
        assert np.isnan(read_depth(there.ask()[DEPTH_TOPIC])).all()
        assert not there.peer.set_parameter("depth.source_focal_px", -1.0).successful
        assert there.peer.set_parameter("depth.source_focal_px", FOCAL).successful
        said = there.ask()
        expected = Predictor(load_backend(model, "auto"))(PIXELS).answers["depth"].through(FOCAL)
        np.testing.assert_array_equal(read_depth(said[DEPTH_TOPIC]), expected.depth)
        assert said[INFO_TOPIC].k[4] == FOCAL
        assert there.peer.set_parameter("depth.unknown_above_sigma", 1e-6).successful
        assert np.isnan(read_depth(there.ask()[DEPTH_TOPIC])).all()


def test_the_height_of_a_pose_and_of_a_parameter_scales_the_depth() -> None:
    """The shipped model on a rendered road: as offline, bit for bit."""
    world = render_sample(3, (320, 800), tasks=("depth",))
    height, width = world.image.shape[:2]
    info = camera(width, height)
    info.k[0] = info.k[4] = world.labels["depth"].focal_px
    info.k[2], info.k[5], info.d = (width - 1) / 2, (height - 1) / 2, [0.0] * 5
    lens = camera_model(info, (height, width))
    answer = Predictor(load_backend(DEFAULT_MODEL, "auto"))(world.image).answers["depth"]
    seen = answer.through(focal_of(lens), lens)
    pose = {"ground.source": "parameters", "ground.height_m": 2.1}
    with rig(DEFAULT_MODEL, **pose) as there:
        expected = at_height(seen, 2.1)
        assert expected.scaled_by != 1
        said = read_depth(there.ask(info, world.image)[DEPTH_TOPIC])
        np.testing.assert_array_equal(said, expected.depth)
        assert there.peer.spin_until(
            lambda: any(
                one.key == "camera height (m)" and one.value == "2.10"
                for one in there.status.values
            )
        )
        assert there.peer.set_parameter("depth.scale_by_height", False).successful
        np.testing.assert_array_equal(
            read_depth(there.ask(info, world.image)[DEPTH_TOPIC]), seen.depth
        )
    with rig(DEFAULT_MODEL, **{"depth.source_height_m": 1.4}) as there:
        said = read_depth(there.ask(info, world.image)[DEPTH_TOPIC])
        np.testing.assert_array_equal(said, at_height(seen, 1.4).depth)
