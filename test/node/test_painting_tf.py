# SPDX-License-Identifier: Apache-2.0
"""Where the lidar is, by TF: a stand-in for tf2_ros, and the real one where it is installed."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed: make setup")

from painted_scene import CAMERA, LIDAR, transform_of, write_scene_model
from painting_rig import MS, YAW, assert_right, rig

from shared_encoder_perception.node.messages import new_message


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Says of each pixel the class that its blue is."""
    return write_scene_model(tmp_path_factory.mktemp("model") / "blue.onnx")


@pytest.fixture
def tf(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A stand-in for the parts of tf2_ros that are used; ``known`` is what it knows."""
    known = SimpleNamespace(transform=None, asked=[])

    class TransformError(Exception):
        pass

    class Buffer:
        def lookup_transform(self, target: str, source: str, time: Any) -> Any:
            return self._found(target, source, time.nanoseconds)

        def lookup_transform_full(
            self, target: str, at: Any, source: str, then: Any, fixed: str, timeout: Any
        ) -> Any:
            assert timeout.nanoseconds > 0
            return self._found(target, source, at.nanoseconds, then.nanoseconds, fixed)

        def _found(self, *asked: Any) -> Any:
            known.asked.append(asked)
            if known.transform is None:
                raise TransformError("frame does not exist")
            return known.transform

    class TransformListener:
        def __init__(self, buffer: Buffer, node: Any) -> None:
            pass

        def unregister(self) -> None:
            pass

    module = ModuleType("tf2_ros")
    vars(module).update(
        Buffer=Buffer, TransformListener=TransformListener, TransformException=TransformError
    )
    monkeypatch.setitem(sys.modules, "tf2_ros", module)
    return known


@pytest.mark.parametrize("fixed", ["", "odom"])
def test_the_transform_comes_from_tf(fixed: str, model: Path, tf: SimpleNamespace) -> None:
    """From the newest, or from cloud to image by a frame that stands still; none is told."""
    with rig(model, **{"painting.fixed_frame": fixed}) as (there, _):
        there.show_until(lambda: int(there.status.values.get("no_transform", 0)))
        problem = f"no transform from {LIDAR} to {CAMERA}: frame does not exist"
        assert problem in there.status.values["last_problem"]
        tf.transform = transform_of(YAW, new_message)
        there.show_until(lambda: there.painted)
        assert_right(there.painted[-1])
    target, source, *times = tf.asked[-1]
    assert (target, source) == (CAMERA, LIDAR)
    if fixed:
        assert times[2] == fixed
        ways = {at - then for _, _, at, then, _ in tf.asked}
        assert 20 * MS in ways, "from the time of the cloud to that of the image"
    else:
        assert times == [0]


@pytest.mark.skipif(
    importlib.util.find_spec("tf2_ros") is None,
    reason="tf2_ros is not installed",
)
def test_the_transform_comes_from_a_real_tf(model: Path) -> None:
    """A static transform on /tf_static."""
    from tf2_ros import StaticTransformBroadcaster

    with rig(model) as (there, local):
        StaticTransformBroadcaster(local.node).sendTransform(transform_of(YAW, new_message))
        there.show_until(lambda: there.painted)
        assert_right(there.painted[-1])
