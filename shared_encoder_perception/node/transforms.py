# SPDX-License-Identifier: Apache-2.0
"""How frames lie to each other, as TF knows it."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any, Final

from rclpy.duration import Duration
from rclpy.time import Time

WAIT_S: Final = 0.1
"""Longest wait for TF at a time; it comes later than what it is of, and in another thread."""


class Transforms:
    """TF, if it is installed."""

    def __init__(self, node: Any, who: str, instead: str) -> None:
        """Listen to TF.

        Args:
            node: The node.
            who: What needs it, for the message.
            instead: What would do without it.

        Raises:
            ValueError: tf2_ros is not installed.
        """
        try:
            tf2_ros = import_module("tf2_ros")
        except ImportError as error:
            raise ValueError(
                f"{who}, which needs the package tf2_ros ({error}): install "
                f"ros-$ROS_DISTRO-tf2-ros-py or {instead}"
            ) from error
        self._error = tf2_ros.TransformException
        self._buffer = tf2_ros.Buffer()
        self._listener = tf2_ros.TransformListener(self._buffer, node)

    def find(self, target: str, source: str) -> Any:
        """Return the newest ``geometry_msgs/Transform`` of frame ``source`` in ``target``.

        Raises:
            ValueError: There is none.
        """
        # The newest, not the image's: a camera hardly moves on its vehicle between the two, and TF
        # is often later than the image.
        return self._look_up(target, source, self._buffer.lookup_transform, target, source, Time())

    def find_over(
        self, target: str, target_at: Any, source: str, source_at: Any, fixed: str
    ) -> Any:
        """Return that of ``source`` at one time in ``target`` at another.

        Args:
            target: Frame.
            target_at: Its stamp, a ``builtin_interfaces/Time``.
            source: Frame.
            source_at: Its stamp.
            fixed: Frame that stands still meanwhile.

        Raises:
            ValueError: There is none, or not in time.
        """
        times = Time.from_msg(target_at), Time.from_msg(source_at)
        ways = target, times[0], source, times[1], fixed, Duration(seconds=WAIT_S)
        return self._look_up(target, source, self._buffer.lookup_transform_full, *ways)

    def _look_up(self, target: str, source: str, look: Callable[..., Any], *ways: Any) -> Any:
        """Ask the buffer."""
        if not (source and target):
            raise ValueError(
                f"no transform from {source!r} to {target!r}: a header names no frame_id"
            )
        try:
            return look(*ways).transform
        except self._error as error:
            raise ValueError(f"no transform from {source} to {target}: {error}") from error

    def destroy(self) -> None:
        """Stop listening."""
        self._listener.unregister()
