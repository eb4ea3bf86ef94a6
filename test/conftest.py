# SPDX-License-Identifier: Apache-2.0
"""Before any test module imports a message: rclpy then checks the type of every field we set."""

import os
import signal
import sys
from functools import cache, partial
from pathlib import Path

import abandoned_segments
import pytest

os.environ["ROS_PYTHON_CHECK_FIELDS"] = "1"
# OpenMP's threads wait for each other in a loop. On cores that are busy with something else that
# takes ten times as long as the work itself; asleep, they take what the work takes.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
if "PYTEST_XDIST_WORKER" in os.environ:  # as many processes as cores; small networks gain no time
    os.environ.setdefault("OMP_NUM_THREADS", "1")
# Started by nohup, or by `&` in a script, the suite would hand on that these are ignored, and many
# tests are of what they do.
for number, handler in (
    (signal.SIGINT, signal.default_int_handler),
    (signal.SIGHUP, signal.SIG_DFL),
):
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, handler)

if "AUTO_ENGINE" in os.environ:  # see chosen_engine/sitecustomize.py
    chosen = str(Path(__file__).parent / "chosen_engine")
    os.environ["PYTHONPATH"] = os.pathsep.join([chosen, os.environ.get("PYTHONPATH", "")])
    sys.path.insert(0, chosen)
    sys.modules.pop("sitecustomize", None)
    __import__("sitecustomize")


def pytest_sessionstart(session):
    """Begin with shared memory as a fresh machine has it, once for all processes."""
    if "PYTEST_XDIST_WORKER" not in os.environ:
        abandoned_segments.remove()


@pytest.fixture(scope="session")
def exports(tmp_path_factory):
    """Return the folder of artifacts that all processes of this run share."""
    mine = tmp_path_factory.getbasetemp()
    return mine.parent if "PYTEST_XDIST_WORKER" in os.environ else mine


@pytest.fixture(scope="session")
def one_task_model(exports):
    """Return the smallest model of a task, by the task's name."""
    from one_task import export_once

    return partial(export_once, exports)


@pytest.fixture(scope="session")
def rig_model(exports):
    """Return a model that answers rigs, by the names of the tasks that it answers beside."""
    from rig_network import export_once

    return partial(export_once, exports)


ROS_MODULES = ("ros_harness", "local_node", "watched_node", "fault_bench", "loss_probe", "rclpy")
NEEDS_ROS = 'importorskip("rclpy"'
LONG = ("test_train", "test_training_commands", "test_model", "test_replay_scale")


def pytest_collection_modifyitems(items):
    """Let one of two processes (``pytest -n 2``) begin with ROS, the other with what is long."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        items.sort(key=lambda item: order(item.path))  # stable


@pytest.hookimpl(optionalhook=True)  # colcon test may be without xdist
def pytest_xdist_make_scheduler(config, log):
    """Give all tests with ROS processes to one process, and each other file to one.

    ROS tests wait most of the time, but not for each other's load; the fixtures of a file stay
    together. xdist's own groups, by marks, are without effect with pytest 9.
    """
    from xdist.scheduler import LoadScopeScheduling

    class ByFile(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            file = nodeid.split("::", 1)[0]
            return "ros" if talks_by_ros(config.rootpath / file) else file

    return ByFile(config, log)


def order(path: Path) -> int:
    """Return when a file's turn comes: 0 first."""
    if talks_by_ros(path):
        return 0
    return 1 if path.stem in LONG else 2


@cache
def talks_by_ros(path: Path) -> bool:
    """Whether a test file starts nodes."""
    source = path.read_text(encoding="utf-8")
    return NEEDS_ROS in source or any(
        f"import {name}" in source or f"from {name}" in source for name in ROS_MODULES
    )
