"""Start the perception node: ``ros2 launch shared_encoder_perception perception.launch.py``."""

import os
from pathlib import Path

from ament_index_python.packages import get_package_share_directory
from launch import LaunchContext, LaunchDescription
from launch.actions import DeclareLaunchArgument, OpaqueFunction, SetEnvironmentVariable
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import LifecycleNode
from launch_ros.parameter_descriptions import ParameterFile, ParameterValue

SHARE = Path(get_package_share_directory("shared_encoder_perception"))
PROFILE = SHARE / "config" / "fastdds_profile.xml"
PROFILE_VARIABLE = "FASTRTPS_DEFAULT_PROFILES_FILE"

ARGUMENTS = {
    "namespace": ("", "Namespace of the node and its topics, e.g. front_camera."),
    "params_file": (str(SHARE / "config" / "perception.yaml"), "YAML file with the parameters."),
    "image": (
        "image",
        "Camera image topic; with input.transport: compressed, <image>/compressed is used.",
    ),
    "model": ("", "Model file; empty for the one params_file names."),
    "autostart": ("", "true: activate without a manager; empty for what params_file says."),
    "use_sim_time": ("false", "Take the time from /clock."),
    "log_level": ("info", "debug, info, warn, error or fatal."),
}

# Parameters that an argument overrides when it is given.
OVERRIDES = {
    "model": ("model.path", str),
    "autostart": ("autostart", bool),
    "use_sim_time": ("use_sim_time", bool),
}


def start_node(context: LaunchContext) -> list[LifecycleNode]:
    """Return the node; an argument left empty leaves its parameter to the parameters file."""
    given = {
        parameter: ParameterValue(LaunchConfiguration(name), value_type=kind)
        for name, (parameter, kind) in OVERRIDES.items()
        if LaunchConfiguration(name).perform(context)
    }
    node = LifecycleNode(
        package="shared_encoder_perception",
        executable="perception_node",
        name="perception",
        namespace=LaunchConfiguration("namespace"),
        parameters=[ParameterFile(LaunchConfiguration("params_file"), allow_substs=True), given],
        remappings=[("image", LaunchConfiguration("image"))],
        ros_arguments=["--log-level", LaunchConfiguration("log_level")],
        output="screen",
    )
    return [node]


def generate_launch_description() -> LaunchDescription:
    """Return what ``ros2 launch`` runs."""
    declared = [
        DeclareLaunchArgument(name, default_value=default, description=description)
        for name, (default, description) in ARGUMENTS.items()
    ]
    # Images do not fit Fast DDS's default shared memory. A profile of the user's own is kept.
    profile = SetEnvironmentVariable(PROFILE_VARIABLE, str(PROFILE))
    own = [] if PROFILE_VARIABLE in os.environ else [profile]
    return LaunchDescription([*own, *declared, OpaqueFunction(function=start_node)])
