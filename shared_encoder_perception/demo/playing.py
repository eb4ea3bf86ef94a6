# SPDX-License-Identifier: Apache-2.0
"""The process of a player, from its start to what it tells at its end."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Callable, Mapping
from typing import Any, Final

import rclpy
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node

INTERRUPTED: Final = 130
"""Exit status after Ctrl-C."""


def interrupt_on_signals() -> None:
    """Let both signals that ask a process to end raise KeyboardInterrupt."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)


def run_player(play: Callable[[list[Node]], Mapping[str, Any]]) -> int:
    """Play with ROS, print what was played as a line of JSON, and return the exit status.

    Args:
        play: Puts its node into the list, which is destroyed at the end, and plays.
    """
    interrupt_on_signals()
    nodes: list[Node] = []
    try:
        rclpy.init()
        print(json.dumps(play(nodes)), flush=True)
    except (KeyboardInterrupt, ExternalShutdownException):
        return INTERRUPTED
    except (ValueError, RuntimeError, OSError) as error:
        if not rclpy.ok():  # told to stop: what fails after that is no news
            return INTERRUPTED
        print(f"error: {error}", file=sys.stderr)
        return 2
    finally:
        for node in nodes:
            node.destroy_node()
        rclpy.try_shutdown()
    return 0
