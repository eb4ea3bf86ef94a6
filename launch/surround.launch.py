"""Start the rig's node: ``ros2 launch shared_encoder_perception surround.launch.py rig:=rig.yaml``.

One node for all cameras that the file names. The exit code is that of the process that failed, and
nothing stays behind: when the node has failed, or the bag cannot be played, the launch ends.
"""

import os
import shutil
from functools import partial
from pathlib import Path

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
from launch_ros.actions import LifecycleNode
from launch_ros.parameter_descriptions import ParameterFile, ParameterValue

from shared_encoder_perception.node import launched

SHARE = Path(get_package_share_directory("shared_encoder_perception"))
PROFILE = SHARE / "config" / "fastdds_profile.xml"
PROFILE_VARIABLE = "FASTRTPS_DEFAULT_PROFILES_FILE"

ARGUMENTS = {
    "rig": ("", "The rig.yaml of the cameras; empty for the one params_file names."),
    "namespace": ("", "Namespace of the node and of topics that do not begin with a slash."),
    "params_file": (str(SHARE / "config" / "surround.yaml"), "YAML file with the parameters."),
    "model": ("", "Model file, URL or shipped:NAME; empty for the one params_file names."),
    "backend": ("", "auto, onnxruntime, openvino, tensorrt or torch; empty as above."),
    "device": ("", "auto, cpu, cuda, cuda:1, tensorrt; empty as above."),
    "precision": ("", "auto, fp32, fp16, bf16 or int8; empty as above."),
    "autostart": ("", "true: activate without a manager; empty for what params_file says."),
    "use_sim_time": ("false", "Take the time from /clock."),
    "bag": ("", "A bag to play beside the node, with /clock; give use_sim_time:=true too."),
    "log_level": ("info", "debug, info, warn, error or fatal."),
    "respawn": ("false", "true: start the node again when it dies."),
}

# Parameters that an argument overrides when it is given.
OVERRIDES = {
    "rig": ("rig.file", str),
    "model": ("model.path", str),
    "backend": ("backend.name", str),
    "device": ("backend.device", str),
    "precision": ("backend.precision", str),
    "autostart": ("autostart", bool),
    "use_sim_time": ("use_sim_time", bool),
}


def is_true(context: LaunchContext, name: str) -> bool:
    """Whether an argument says yes."""
    return launched.is_true(name, LaunchConfiguration(name).perform(context))


def check(context: LaunchContext) -> list[LaunchDescriptionEntity]:
    """Refuse what cannot be started, before anything is.

    Raises:
        ValueError: An argument asks for what is not there; says what to do.
    """
    for name in ("respawn", "use_sim_time"):
        is_true(context, name)
    value = {name: LaunchConfiguration(name).perform(context) for name in ARGUMENTS}
    if value["autostart"]:
        is_true(context, "autostart")
    for name in ("rig", "params_file"):
        if value[name] and not Path(value[name]).expanduser().is_file():
            raise ValueError(f"{name}:={value[name]}: there is no such file")
    if value["bag"]:
        if not Path(value["bag"]).exists():
            raise ValueError(f"bag:={value['bag']}: there is no such bag")
        if not _has_ros2bag() or shutil.which("ros2") is None:
            distribution = os.environ.get("ROS_DISTRO", "jazzy")
            raise ValueError(
                f"bag:= needs `ros2 bag`: sudo apt-get install ros-{distribution}-ros2bag"
            )
    return []


def _has_ros2bag() -> bool:
    """Whether ROS knows the package that plays bags."""
    try:
        get_package_prefix("ros2bag")
    except PackageNotFoundError:
        return False
    return True


def start_node(outcome: launched.Outcome, context: LaunchContext) -> list[LaunchDescriptionEntity]:
    """Return the node; an argument left empty leaves its parameter to the file."""
    given = {
        parameter: ParameterValue(LaunchConfiguration(name), value_type=kind)
        for name, (parameter, kind) in OVERRIDES.items()
        if LaunchConfiguration(name).perform(context)
    }
    respawn = is_true(context, "respawn")
    node = LifecycleNode(
        package="shared_encoder_perception",
        executable="surround",
        name="surround",
        namespace=LaunchConfiguration("namespace").perform(context).strip("/"),
        parameters=[ParameterFile(LaunchConfiguration("params_file"), allow_substs=True), given],
        ros_arguments=["--log-level", LaunchConfiguration("log_level")],
        respawn=respawn,
        respawn_delay=2.0,
        output="screen",
    )
    return outcome.nodes([node], respawn)


def start_bag(outcome: launched.Outcome, context: LaunchContext) -> list[LaunchDescriptionEntity]:
    """Return the player, if it is asked for."""
    if bag := LaunchConfiguration("bag").perform(context):
        command = ["ros2", "bag", "play", bag, "--clock", "100"]
        return [outcome.vital(ExecuteProcess(cmd=command, output="screen"))]
    return []


def generate_launch_description() -> LaunchDescription:
    """Return what ``ros2 launch`` runs."""
    declared = [
        DeclareLaunchArgument(name, default_value=default, description=description)
        for name, (default, description) in ARGUMENTS.items()
    ]
    # Images do not fit Fast DDS's default shared memory. A profile of the user's own is kept.
    profile = SetEnvironmentVariable(PROFILE_VARIABLE, str(PROFILE))
    own = [] if PROFILE_VARIABLE in os.environ else [profile]
    outcome = launched.Outcome()
    unknown = partial(launched.warn_of_unknown, __file__, ARGUMENTS)
    starts = (unknown, check, partial(start_node, outcome), partial(start_bag, outcome))
    functions = [OpaqueFunction(function=start) for start in starts]
    return LaunchDescription([*own, *declared, *outcome.handlers(), *functions])
