"""Start the perception node: ``ros2 launch shared_encoder_perception perception.launch.py``."""

import os
from pathlib import Path

from ament_index_python.packages import get_package_share_directory
from launch.actions import DeclareLaunchArgument, SetEnvironmentVariable
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import LifecycleNode
from launch_ros.parameter_descriptions import ParameterFile, ParameterValue

from launch import LaunchDescription

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
    "model": ("", "Model file; empty for the one shipped inside the package."),
    "autostart": ("true", "Configure and activate the node without waiting for a manager."),
    "use_sim_time": ("false", "Take the time from /clock."),
    "log_level": ("info", "debug, info, warn, error or fatal."),
}


def generate_launch_description() -> LaunchDescription:
    declared = [
        DeclareLaunchArgument(name, default_value=default, description=description)
        for name, (default, description) in ARGUMENTS.items()
    ]
    node = LifecycleNode(
        package="shared_encoder_perception",
        executable="perception_node",
        name="perception",
        namespace=LaunchConfiguration("namespace"),
        parameters=[
            ParameterFile(LaunchConfiguration("params_file"), allow_substs=True),
            {
                "model.path": ParameterValue(LaunchConfiguration("model"), value_type=str),
                "autostart": ParameterValue(LaunchConfiguration("autostart"), value_type=bool),
                "use_sim_time": ParameterValue(
                    LaunchConfiguration("use_sim_time"), value_type=bool
                ),
            },
        ],
        remappings=[("image", LaunchConfiguration("image"))],
        arguments=["--ros-args", "--log-level", LaunchConfiguration("log_level")],
        output="screen",
    )
    # Images do not fit Fast DDS's default shared memory. A profile of the user's own is kept.
    profile = SetEnvironmentVariable(PROFILE_VARIABLE, str(PROFILE))
    own = [] if PROFILE_VARIABLE in os.environ else [profile]
    return LaunchDescription([*own, *declared, node])
