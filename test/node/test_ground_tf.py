# SPDX-License-Identifier: Apache-2.0
"""The camera's pose from TF: where tf2_ros is missing, and what it answers."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed")

from calibration_bench import bench, message
from geometry_msgs.msg import Transform

from shared_encoder_perception.tasks.status import Level


def test_without_tf2_the_message_names_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """No silent fall-back to other extrinsics."""
    monkeypatch.setitem(sys.modules, "tf2_ros", None)
    with pytest.raises(ValueError, match="needs the package tf2_ros"), bench(source="tf"):
        pass


def test_the_pose_comes_from_tf(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stand-in for the parts of tf2_ros that are used: newest transform, or its exception."""

    class TransformError(Exception):
        pass

    class Buffer:
        transform: Transform | None = None

        def lookup_transform(self, target: str, source: str, time: Any) -> Any:
            assert (target, source, time.nanoseconds) == ("base_link", "camera_optical", 0)
            if self.transform is None:
                raise TransformError("frame does not exist")
            return SimpleNamespace(transform=self.transform)

    class TransformListener:
        def __init__(self, buffer: Buffer, node: Any) -> None:
            self.buffer, listeners[:] = buffer, [self]

        def unregister(self) -> None:
            listeners.clear()

    listeners: list[Any] = []
    module = ModuleType("tf2_ros")
    vars(module).update(
        Buffer=Buffer, TransformListener=TransformListener, TransformException=TransformError
    )
    monkeypatch.setitem(sys.modules, "tf2_ros", module)
    with bench(source="tf") as b:
        b.show(b.publisher(), message())
        assert b.camera() is None
        problem = b.calibration.status()
        assert problem.level is Level.ERROR
        assert "no transform from camera_optical to base_link: frame does not" in problem.message
        transform = Transform()
        transform.translation.x, transform.translation.z = 1.5, 1.4
        half = 0.5  # optical axes to body axes
        transform.rotation.x, transform.rotation.y = -half, half
        transform.rotation.z, transform.rotation.w = -half, half
        listeners[0].buffer.transform = transform
        first = b.camera()
        assert first is not None and b.camera() is first
        np.testing.assert_allclose(first.view.position, (1.5, 0.0, 1.4))
        np.testing.assert_allclose(first.view.ahead, (1.0, 0.0, 0.0), atol=1e-12)
        listeners[0].buffer.transform = Transform()
        assert b.camera() is None  # a camera that lies on the road
        assert "above the road" in b.calibration.status().message
    assert not listeners


@pytest.mark.skipif(
    not pytest.importorskip("importlib.util").find_spec("tf2_ros"),
    reason="tf2_ros is not installed",
)
def test_the_pose_comes_from_a_real_tf() -> None:
    """A static transform on /tf_static."""
    from geometry_msgs.msg import TransformStamped
    from tf2_ros import StaticTransformBroadcaster

    with bench(source="tf") as b:
        stamped = TransformStamped(child_frame_id="camera_optical")
        stamped.header.frame_id = "base_link"
        stamped.transform.translation.z = 1.4
        StaticTransformBroadcaster(b.node).sendTransform(stamped)
        b.show(b.publisher(), message())
        assert b.spin_until(lambda: b.camera() is not None)
        assert b.camera().height_m == pytest.approx(1.4)
