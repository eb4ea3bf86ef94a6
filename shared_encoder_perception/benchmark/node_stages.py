# SPDX-License-Identifier: Apache-2.0
"""What a frame costs in the node: a player publishes the images over DDS to a node in this process.

The node's overhead is the time from the image's receipt to the last output published, minus
inference.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from time import monotonic
from typing import Any, Final

from shared_encoder_perception.benchmark.combinations import Combination

GRACE_S: Final = 60.0
"""For the player to start, find the node and end."""


def measure(
    combination: Combination, clip: Path, images: int, rate: float, log: Path
) -> list[dict[str, float]]:
    """Return milliseconds by stage (``worker.NODE_STAGES``) of each image that a node perceived.

    Args:
        combination: What the node runs.
        clip: What ``sources.open_source`` opens.
        images: How many of them.
        rate: Images a second.
        log: Folder for ROS's own logs.

    Raises:
        RuntimeError: ROS 2 is not there, or the node or the player failed.
    """
    from shared_encoder_perception.demo.processes import ros_environment
    from shared_encoder_perception.files.installed import PACKAGE

    os.environ.update(ros_environment(log))
    os.environ.pop("RMW_IMPLEMENTATION", None)
    try:
        import rclpy
        from rclpy.parameter import Parameter

        from shared_encoder_perception.node.perception_node import PerceptionNode
    except ImportError as error:
        raise RuntimeError(f"the node needs ROS 2 ({error}): `make setup`, or --no-node") from None
    rclpy.init(args=["--ros-args", "--log-level", "warn"])
    values = {
        "model.path": combination.model,
        "backend.name": combination.engine,
        "backend.device": combination.device,
        "backend.precision": combination.precision,
        "backend.threads": combination.threads,
    }
    overrides = [Parameter(name, value=value) for name, value in values.items()]
    node = PerceptionNode(parameter_overrides=overrides)
    command = [sys.executable, "-m", f"{PACKAGE}.demo.player", "--source", str(clip)]
    command += ["--limit", str(images), "--rate", str(rate), "--listeners", "1"]
    try:
        if not node.start():
            raise RuntimeError("the node did not start, see its message above")
        with subprocess.Popen(command, stdout=subprocess.DEVNULL) as player:
            _spin_until_ended(rclpy, node, player, images / rate + GRACE_S)
        return list(node.stage_times())
    finally:
        node.stop()
        node.destroy_node()
        rclpy.try_shutdown()


def _spin_until_ended(rclpy: Any, node: Any, player: Any, timeout_s: float) -> None:
    """Serve the node while the player plays."""
    deadline = monotonic() + timeout_s
    while player.poll() is None:
        rclpy.spin_once(node, timeout_sec=0.1)
        if monotonic() > deadline:
            player.kill()
            raise RuntimeError(f"the player did not end within {timeout_s:.0f} s")
    if player.returncode != 0:
        raise RuntimeError(f"the player failed with exit status {player.returncode}")
