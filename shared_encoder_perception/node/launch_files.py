# SPDX-License-Identifier: Apache-2.0
"""What our launch files have in common: arguments, what they override, a bag to play beside.

For our launch files alone: it needs ROS 2's ``launch``.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

from ament_index_python.packages import (
    PackageNotFoundError,
    get_package_prefix,
    get_package_share_directory,
)
from launch import LaunchContext, LaunchDescription, LaunchDescriptionEntity
from launch.actions import (
    DeclareLaunchArgument,
    ExecuteProcess,
    OpaqueFunction,
    SetEnvironmentVariable,
)
from launch.substitutions import LaunchConfiguration
from launch_ros.parameter_descriptions import ParameterFile, ParameterValue

from shared_encoder_perception.node.launched import Outcome, is_true, warn_of_unknown
from shared_encoder_perception.node.middleware import PROFILE, PROFILE_VARIABLE

ENGINE_ARGUMENTS: Final = {
    "model": ("", "Model file, URL or shipped:NAME; empty for the one params_file names."),
    "backend": ("", "auto, onnxruntime, openvino, tensorrt or torch; empty as above."),
    "device": ("", "auto, cpu, cuda, cuda:1, tensorrt; empty as above."),
    "precision": ("", "auto, fp32, fp16, bf16 or int8; empty as above."),
    "autostart": ("", "true: activate without a manager; empty for what params_file says."),
    "use_sim_time": ("false", "Take the time from /clock."),
}
"""Arguments of every node: name -> default and description."""
RUN_ARGUMENTS: Final = {
    "bag": ("", "A bag to play beside the node, with /clock; give use_sim_time:=true too."),
    "log_level": ("info", "debug, info, warn, error or fatal."),
    "respawn": ("false", "true: start the node again when it dies."),
}
"""Likewise, about how it runs."""
ENGINE_OVERRIDES: Final = {
    "model": ("model.path", str),
    "backend": ("backend.name", str),
    "device": ("backend.device", str),
    "precision": ("backend.precision", str),
    "autostart": ("autostart", bool),
    "use_sim_time": ("use_sim_time", bool),
}
"""Parameters that an argument overrides when it is given, and their types."""

Start = Callable[[LaunchContext], "list[LaunchDescriptionEntity]"]


def share() -> Path:
    """Return the folder where the package's configs are installed."""
    return Path(get_package_share_directory("shared_encoder_perception"))


def value_of(context: LaunchContext, name: str) -> str:
    """Return what an argument says."""
    value: str = LaunchConfiguration(name).perform(context)
    return value


def says_yes(context: LaunchContext, name: str) -> bool:
    """Whether an argument says yes.

    Raises:
        ValueError: It says neither yes nor no.
    """
    return is_true(name, value_of(context, name))


def check_arguments(
    context: LaunchContext, switches: Sequence[str] = (), files: Sequence[str] = ()
) -> None:
    """Refuse what a node cannot be started with, before anything is.

    Args:
        context: Has the arguments.
        switches: Names of those that say yes or no, beside those of every node.
        files: Names of those that are files, which may be empty, beside ``params_file``.

    Raises:
        ValueError: An argument asks for what is not there; says what to do.
    """
    for name in (*switches, "respawn", "use_sim_time"):
        says_yes(context, name)
    if value_of(context, "autostart"):
        says_yes(context, "autostart")
    for name in ("params_file", *files):
        value = value_of(context, name)
        if (value or name == "params_file") and not Path(value).expanduser().is_file():
            raise ValueError(f"{name}:={value}: there is no such file")
    if bag := value_of(context, "bag"):
        if not Path(bag).exists():
            raise ValueError(f"bag:={bag}: there is no such bag")
        if not is_ros_package("ros2bag") or shutil.which("ros2") is None:
            raise ValueError(f"bag:= needs `ros2 bag`: {how_to_install('ros2bag')}")


def is_ros_package(name: str) -> bool:
    """Whether ROS knows a package."""
    try:
        get_package_prefix(name)
    except PackageNotFoundError:
        return False
    return True


def how_to_install(package: str) -> str:
    """Return the command."""
    distribution = os.environ.get("ROS_DISTRO", "jazzy")
    return f"sudo apt-get install ros-{distribution}-{package}"


def node_options(
    context: LaunchContext, overrides: Mapping[str, tuple[str, type]]
) -> dict[str, Any]:
    """Return parameters, logging and end of a node, as ``LifecycleNode`` takes them.

    Args:
        context: Has the arguments; one that is empty leaves its parameter to the file.
        overrides: Argument -> parameter and its type.
    """
    given = {
        parameter: ParameterValue(LaunchConfiguration(name), value_type=kind)
        for name, (parameter, kind) in overrides.items()
        if value_of(context, name)
    }
    return {
        "package": "shared_encoder_perception",
        "parameters": [ParameterFile(LaunchConfiguration("params_file"), allow_substs=True), given],
        "ros_arguments": ["--log-level", LaunchConfiguration("log_level")],
        "respawn": says_yes(context, "respawn"),
        "respawn_delay": 2.0,
        "output": "screen",
    }


def start_bag(outcome: Outcome, context: LaunchContext) -> list[LaunchDescriptionEntity]:
    """Return the player, if it is asked for."""
    if bag := value_of(context, "bag"):
        command = ["ros2", "bag", "play", bag, "--clock", "100"]
        return [outcome.vital(ExecuteProcess(cmd=command, output="screen"))]
    return []


def describe(
    file: str,
    arguments: Mapping[str, tuple[str | None, str]],
    outcome: Outcome,
    starts: Sequence[Start],
    *,
    with_profile: bool = False,
) -> LaunchDescription:
    """Return what ``ros2 launch`` runs.

    Args:
        file: Path of the launch file.
        arguments: Name -> default, ``None`` for one that must be given, and description.
        outcome: Of its processes.
        starts: Check and start, one after the other.
        with_profile: Set Fast DDS's profile, as images do not fit its default shared memory. A
            profile of the user's own is kept.
    """
    declared = [
        DeclareLaunchArgument(name, default_value=default, description=description)
        for name, (default, description) in arguments.items()
    ]
    profile = SetEnvironmentVariable(PROFILE_VARIABLE, str(share() / PROFILE))
    own = [profile] if with_profile and PROFILE_VARIABLE not in os.environ else []
    functions = [
        OpaqueFunction(function=start)
        for start in (partial(warn_of_unknown, file, arguments), *starts)
    ]
    return LaunchDescription([*own, *declared, *outcome.handlers(), *functions])
