"""Where the camera sits on the vehicle, as TF knows it."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from rclpy.time import Time

from shared_encoder_perception.node.parameter_groups.ground import TF


class Transforms:
    """TF, if it is installed."""

    def __init__(self, node: Any) -> None:
        """Listen to TF.

        Raises:
            ValueError: tf2_ros is not installed.
        """
        try:
            tf2_ros = import_module("tf2_ros")
        except ImportError as error:
            raise ValueError(
                f"ground.source is {TF}, which needs the package tf2_ros ({error}): install "
                "ros-$ROS_DISTRO-tf2-ros-py or choose another ground.source"
            ) from error
        self._error = tf2_ros.TransformException
        self._buffer = tf2_ros.Buffer()
        self._listener = tf2_ros.TransformListener(self._buffer, node)

    def find(self, target: str, source: str) -> Any:
        """Return the newest ``geometry_msgs/Transform`` of frame ``source`` in ``target``.

        Raises:
            ValueError: There is none.
        """
        if not source:
            raise ValueError("the image's header names no frame_id, TF cannot find the camera")
        try:
            # The newest, not the image's: a camera hardly moves on its vehicle between the two, and
            # TF is often later than the image.
            return self._buffer.lookup_transform(target, source, Time()).transform
        except self._error as error:
            raise ValueError(f"no transform from {source} to {target}: {error}") from error

    def destroy(self) -> None:
        """Stop listening."""
        self._listener.unregister()
