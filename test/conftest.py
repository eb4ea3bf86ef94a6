"""Before any test module imports a message: rclpy then checks the type of every field we set."""

import os
from functools import cache
from pathlib import Path

import pytest

os.environ["ROS_PYTHON_CHECK_FIELDS"] = "1"

ROS_MODULES = ("ros_harness", "local_node", "watched_node", "fault_bench", "loss_probe", "rclpy")
NEEDS_ROS = 'importorskip("rclpy"'


@pytest.hookimpl(tryfirst=True)  # xdist reads the groups in the same hook
def pytest_collection_modifyitems(config, items):
    """Of two processes (``pytest -n 2``), one takes all tests with ROS processes, and them first.

    They wait most of the time, but not for each other's load. The fixtures of a file stay together.
    """
    if config.pluginmanager.hasplugin("xdist"):
        items.sort(key=lambda item: not talks_by_ros(item.path))  # stable
        for item in items:
            group = "ros" if talks_by_ros(item.path) else item.path.stem
            item.add_marker(pytest.mark.xdist_group(group))


@cache
def talks_by_ros(path: Path) -> bool:
    """Whether a test file starts nodes."""
    source = path.read_text(encoding="utf-8")
    return NEEDS_ROS in source or any(
        f"import {name}" in source or f"from {name}" in source for name in ROS_MODULES
    )
