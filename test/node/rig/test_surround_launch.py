# SPDX-License-Identifier: Apache-2.0
"""The launch file of the rig's node starts what is installed, with parameters that exist."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from shared_encoder_perception.node.rig.parameters import rig_parameters

ROOT = Path(__file__).resolve().parents[3]
TREE = ast.parse((ROOT / "launch" / "surround.launch.py").read_text())


def table(name: str) -> dict[str, Any]:
    """Return a table of the launch file by its keys, without importing ROS; values as text."""
    for node in TREE.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == name:
            assert isinstance(node.value, ast.Dict)
            pairs = zip(node.value.keys, node.value.values, strict=True)
            return {ast.literal_eval(key): ast.unparse(one) for key, one in pairs if key}
    raise AssertionError(f"there is no {name}")


def test_arguments_are_of_parameters_that_exist() -> None:
    parameters = {name: text.split("'")[1] for name, text in table("OVERRIDES").items()}
    assert parameters["rig"] == "rig.file"
    assert set(parameters.values()) - {"use_sim_time"} <= set(rig_parameters())
    assert set(parameters) <= set(table("ARGUMENTS"))


def test_the_executable_is_installed_and_runs() -> None:
    """It says what it can do, without a rig."""
    assert "executable='surround'" in ast.unparse(TREE)
    program = ROOT / "scripts" / "surround"
    assert os.access(program, os.X_OK)
    assert "scripts/surround DESTINATION lib/" in (ROOT / "CMakeLists.txt").read_text()
    pytest.importorskip("rclpy", reason="ROS 2 is not installed")
    pytest.importorskip("shared_encoder_perception.msg", reason="our ROS messages are not built")
    found = subprocess.run(
        [sys.executable, program, "--help"], capture_output=True, text=True, cwd=ROOT
    )
    assert found.returncode == 0 and "--ros-args" in found.stdout, found.stderr


def test_ros_takes_the_launch_file() -> None:
    pytest.importorskip("launch_ros", reason="needs a full ROS 2")
    from importlib.util import module_from_spec, spec_from_file_location

    spec = spec_from_file_location("surround_launch", ROOT / "launch" / "surround.launch.py")
    assert spec is not None and spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    arguments = module.generate_launch_description().get_launch_arguments()
    assert {argument.name for argument in arguments} == set(module.ARGUMENTS)
    assert all(argument.description for argument in arguments)
