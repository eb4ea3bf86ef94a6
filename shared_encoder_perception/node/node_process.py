# SPDX-License-Identifier: Apache-2.0
"""A process around the node: starts it, serves it until a signal comes, ends it in order."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from typing import Any, Final

import rclpy
from rclpy.exceptions import ParameterException
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.signals import SignalHandlerOptions
from rclpy.utilities import remove_ros_args

from shared_encoder_perception.node.ending import asked_to_end, on_signals
from shared_encoder_perception.node.loading import LOAD_THREAD
from shared_encoder_perception.node.services import RELOAD_THREAD
from shared_encoder_perception.node.worker import INFERENCE_THREAD

SIGNAL_PERIOD_S: Final = 0.2
"""Longest time until SIGINT or SIGTERM is noticed."""
SWITCH_INTERVAL_S: Final = 1e-4
"""Longest time that a thread keeps the interpreter while another one waits for it. The executor,
which lists all its entities after each message, otherwise keeps an image waiting for 0.4 ms."""
HANGING: Final = (LOAD_THREAD, RELOAD_THREAD, INFERENCE_THREAD)
"""Threads that may be left behind in native code, which may not survive the interpreter's end."""


def run(make: Callable[[], Any], name: str, arguments: Sequence[str] | None = None) -> int:
    """Run a node until it is told to stop.

    Args:
        make: Creates it; it has ``start``, ``stop`` and ``builds_only`` as ``PerceptionNode`` has.
        name: Of the node, for what goes wrong before there is one.
        arguments: Of the process, its name included; those of ``sys.argv`` by default.

    Returns:
        0 after SIGINT or SIGTERM, 1 when it cannot start. With a thread left behind that hangs, the
        process ends here, with that status.
    """
    status = _run(make, name, arguments)
    if any(thread.name in HANGING for thread in threading.enumerate()):
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        os._exit(status)
    return status


def _run(make: Callable[[], Any], name: str, arguments: Sequence[str] | None) -> int:
    """Run a node as ``run`` does."""
    command_line = list(sys.argv if arguments is None else arguments)
    # Not rclpy's handlers: they shut the middleware down before the node could finish its image
    # and say goodbye.
    asked_to_end.clear()

    def interrupt(*_: object) -> None:
        # Kept as well as raised: an exception is lost in some callbacks of Python's own.
        asked_to_end.set()
        raise KeyboardInterrupt

    on_signals(interrupt)
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    node = None
    try:
        # It has no arguments of its own: a forgotten --ros-args must not pass in silence.
        parser = argparse.ArgumentParser(f"{name}_node", epilog="ROS's follow --ros-args.")
        parser.parse_args(remove_ros_args(command_line)[1:])
        rclpy.init(args=command_line, signal_handler_options=SignalHandlerOptions.NO)
        node = make()
        if not node.start():
            return 1
        if node.builds_only:
            node.get_logger().info("the engine is built; ending, as backend.build_only asks")
            return 0
        return _spin(node)
    except (KeyboardInterrupt, ExternalShutdownException):
        return 0
    except (ParameterException, RuntimeError, ValueError) as error:
        rclpy.logging.get_logger(name).fatal(one_line(error))
        return 1
    finally:
        # Ctrl-C under `ros2 launch` arrives twice, from the terminal and from launch.
        on_signals(signal.SIG_IGN)
        if node is not None:
            node.stop()
            node.destroy_node()
        rclpy.try_shutdown()


def one_line(error: Exception | str) -> str:
    """Return an error's text without line breaks."""
    return " ".join(str(error).split())


def _spin(node: Any) -> int:
    """Serve the node until a signal asks it to end, or its context ends."""
    # rclpy's experimental EventsExecutor would save more, but deadlocks with another thread that
    # publishes to a subscription of the same process.
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    # No exception from here on: one that is raised while rclpy makes a Python object of a message
    # comes out as a RuntimeError.
    on_signals(lambda *_: asked_to_end.set())
    try:
        while rclpy.ok() and not asked_to_end.is_set():
            # Python runs signal handlers only between waits.
            executor.spin_once(timeout_sec=SIGNAL_PERIOD_S)
    finally:
        # Left to the garbage collector it may be taken apart in the wrong order, with a traceback.
        executor.shutdown()
    return 0
