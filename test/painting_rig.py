# SPDX-License-Identifier: Apache-2.0
"""A camera and a lidar beside a node that paints, and what the node says."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import ros_harness as ros
from diagnostic_msgs.msg import DiagnosticArray
from local_node import local_node
from painted_scene import (
    LIDAR,
    camera,
    certain,
    cloud_of,
    image_of,
    info_of,
    picture,
    sweep,
)
from rclpy.qos import QoSProfile
from sensor_msgs.msg import CameraInfo, PointCloud2

from shared_encoder_perception.node.diagnostics import TOPIC
from shared_encoder_perception.node.messages import new_message
from shared_encoder_perception.node.painting import PAINTED_TOPIC, POINTS_TOPIC
from shared_encoder_perception.tasks.cloud_msg import field_values, positions

KIND, POINTS = sweep()
LENS, YAW = "radial", 0.6
START = 1_000 * 10**9
MS = 10**6
NAME = "painting"
PATIENT = {"painting.max_wait_s": 10.0}
"""A busy machine takes its time until the image that belongs to a cloud is perceived."""


class Rig:
    """A camera and a lidar beside a node, and what the node says."""

    def __init__(self, peer: ros.Peer) -> None:
        """Publish and listen by a peer."""
        self.peer, self.status = peer, SimpleNamespace(level=b"", message="", values={})
        node = peer.node
        self.infos = node.create_publisher(CameraInfo, "camera_info", QoSProfile(depth=10))
        self.clouds = node.create_publisher(PointCloud2, POINTS_TOPIC, QoSProfile(depth=10))
        peer._subscribe(PAINTED_TOPIC, PointCloud2, QoSProfile(depth=10))
        node.create_subscription(DiagnosticArray, TOPIC, self._collect, 10)
        self.painted = peer.received[PAINTED_TOPIC]
        self.count, self.answer = 0, picture(camera(LENS), YAW)

    def _collect(self, array: DiagnosticArray) -> None:
        for status in array.status:
            if status.name.endswith(f"perception: {NAME}"):
                values = {item.key: item.value for item in status.values}
                self.status = SimpleNamespace(
                    level=status.level, message=status.message, values=values
                )

    def show(self, *, info: bool = True, skew: int = 20 * MS, change: Any = None) -> int:
        """Publish an image, its CameraInfo and a cloud that was taken before; return its stamp."""
        self.count += 1
        at = START + self.count * 100 * MS
        if info:
            self.infos.publish(info_of(LENS, at, new_message))
        cloud = cloud_of(POINTS, at, new_message)
        if change is not None:
            change(cloud)
        self.clouds.publish(cloud)
        self.peer.images.publish(image_of(self.answer, at + skew, new_message))
        self.peer.spin_for(0.1)
        return at

    def show_until(self, condition: Callable[[], Any], **how: Any) -> None:
        """Go on until ``condition`` holds."""

        def holds() -> bool:
            self.show(**how)
            return bool(condition())

        assert self.peer.spin_until(holds), (self.status, self.peer._process and "see its log")


@contextmanager
def rig(model: Path, **values: Any) -> Iterator[tuple[Rig, Any]]:
    """Yield a rig beside an active node in this process."""
    namespace = ros.new_namespace()
    values = {"painting.enabled": True, "diagnostics.period_s": 0.1, **PATIENT, **values}
    with local_node(model, namespace, **values) as local, ros.peer_in(namespace) as peer:
        assert local.node.start()
        with ros.served(local.node):
            yield Rig(peer), local


def assert_right(message: PointCloud2) -> None:
    """All fields are kept, and what was painted is what stands there."""
    assert message.header.frame_id == LIDAR
    np.testing.assert_array_equal(positions(message), POINTS.T.astype(np.float32))
    np.testing.assert_array_equal(field_values(message, "intensity")[0], np.arange(len(POINTS)))
    ids = field_values(message, "class")[0]
    sure = certain(ids, LENS, YAW, picture(camera(LENS), YAW), POINTS)
    np.testing.assert_array_equal(ids[sure], KIND[sure])
    probability = field_values(message, "probability")[0]
    np.testing.assert_allclose(probability[sure], 200 / 255)
    assert not probability[ids == 255].any()
