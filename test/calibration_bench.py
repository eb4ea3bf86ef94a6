# SPDX-License-Identifier: Apache-2.0
"""A node with a calibration and a camera beside it, for tests of the node's side of the ground."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Any

import numpy as np
import pytest
import ros_harness as ros
from ground_world import DEFAULTS, SIZE, camera_info

pytest.importorskip("rclpy", reason="ROS 2 is not installed")

import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.parameter import Parameter
from rclpy.qos import DurabilityPolicy, QoSProfile
from sensor_msgs.msg import CameraInfo, RegionOfInterest
from std_msgs.msg import Header

from shared_encoder_perception.ground.calibrated import CalibratedCamera
from shared_encoder_perception.node.calibration import Calibration

HEADER = Header(frame_id="camera_optical")
LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)


def message(lens: str = "plumb_bob", **changes: Any) -> CameraInfo:
    """Return a CameraInfo."""
    info = camera_info(lens, **changes)
    fields = {name: np.asarray(getattr(info, name), np.float64) for name in ("k", "r", "p")}
    return CameraInfo(
        width=info.width,
        height=info.height,
        distortion_model=info.distortion_model,
        d=[float(number) for number in info.d],
        roi=RegionOfInterest(),
        **fields,
    )


class Bench:
    """A node with a calibration, and a camera that publishes CameraInfo."""

    def __init__(self, context: Any, arguments: list[str], values: dict[str, Any]) -> None:
        """Create the node; ``values`` are parameters ``ground.*``."""
        overrides = {name: value for name, value in values.items() if name.startswith("qos")}
        values = {f"ground.{n}": v for n, v in values.items() if n not in overrides}
        self.values = {**DEFAULTS, **values}
        self.node = rclpy.create_node(
            "perception",
            context=context,
            namespace=ros.new_namespace(),
            cli_args=["--ros-args", *arguments],
            parameter_overrides=[Parameter(name, value=v) for name, v in overrides.items()],
        )
        self.executor = SingleThreadedExecutor(context=context)
        self.executor.add_node(self.node)
        self.calibration = Calibration(self.node, self.values.__getitem__)

    def topic(self, name: str) -> str:
        """Return a name in the node's namespace."""
        return f"{self.node.get_namespace()}/{name}"

    def publisher(self, topic: str = "camera_info", qos: QoSProfile | int = 10) -> Any:
        """Create a camera that has been discovered."""
        publisher = self.node.create_publisher(CameraInfo, self.topic(topic), qos)
        assert self.spin_until(publisher.get_subscription_count), "no subscriber"
        return publisher

    def spin_until(self, condition: Callable[[], Any]) -> bool:
        """Serve until ``condition`` holds; return whether it does."""
        deadline = monotonic() + ros.PATIENCE_S
        while not condition():
            if monotonic() > deadline:
                return False
            self.executor.spin_once(timeout_sec=0.02)
        return True

    def show(self, publisher: Any, info: CameraInfo) -> None:
        """Publish a CameraInfo and wait until it has been received."""
        before = self.calibration.camera_info
        publisher.publish(info)
        assert self.spin_until(lambda: self.calibration.camera_info is not before)

    def camera(self, size: tuple[int, int] = SIZE) -> CalibratedCamera | None:
        """Ask for an image's camera."""
        return self.calibration.camera(HEADER, size)

    def close(self) -> None:
        """Remove everything."""
        self.calibration.destroy()
        self.executor.shutdown()
        self.node.destroy_node()


@contextmanager
def bench(*arguments: str, **values: Any) -> Iterator[Bench]:
    """Open a bench in a context of its own, and close it in any case."""
    context = rclpy.Context()
    rclpy.init(context=context, domain_id=ros.DOMAIN_ID)
    try:
        opened = Bench(context, list(arguments), values)
        try:
            yield opened
        finally:
            opened.close()
    finally:
        rclpy.shutdown(context=context)
