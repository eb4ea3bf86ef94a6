"""Start the perception node: ``ros2 launch shared_encoder_perception perception.launch.py``.

One camera, or one node for each of several: ``cameras:=front,rear`` starts ``/front/perception``
and ``/rear/perception``, each with the topics of its own namespace.
"""

import os
from pathlib import Path

from ament_index_python.packages import get_package_share_directory
from launch import LaunchContext, LaunchDescription, LaunchDescriptionEntity
from launch.actions import (
    DeclareLaunchArgument,
    ExecuteProcess,
    OpaqueFunction,
    SetEnvironmentVariable,
)
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import LifecycleNode, Node
from launch_ros.parameter_descriptions import ParameterFile, ParameterValue

SHARE = Path(get_package_share_directory("shared_encoder_perception"))
PROFILE = SHARE / "config" / "fastdds_profile.xml"
PROFILE_VARIABLE = "FASTRTPS_DEFAULT_PROFILES_FILE"

ARGUMENTS = {
    "namespace": ("", "Namespace of the node and its topics, e.g. front_camera."),
    "cameras": (
        "",
        "Several cameras, one node for each: names separated by commas, e.g. front,rear. Each is a "
        "namespace below `namespace`; empty for one camera.",
    ),
    "params_file": (str(SHARE / "config" / "perception.yaml"), "YAML file with the parameters."),
    "image": (
        "image",
        "Camera image topic; with transport:=compressed, <image>/compressed is used.",
    ),
    "camera_info": ("camera_info", "CameraInfo topic, where the ground or the crop needs it."),
    "transport": ("", "raw or compressed; empty for what params_file says."),
    "model": ("", "Model file or URL; empty for the one params_file names."),
    "backend": ("", "auto, onnxruntime, openvino, tensorrt or torch; empty as above."),
    "device": ("", "auto, cpu, cuda, cuda:1, tensorrt; empty as above."),
    "precision": ("", "auto, fp32, fp16, bf16 or int8; empty as above."),
    "autostart": ("", "true: activate without a manager; empty for what params_file says."),
    "use_sim_time": ("false", "Take the time from /clock."),
    "rviz": ("false", "true: show overlay, lanes and points in RViz."),
    "bag": ("", "A bag to play beside the node, with /clock; give use_sim_time:=true too."),
    "log_level": ("info", "debug, info, warn, error or fatal."),
    "respawn": ("false", "true: start the node again when it dies."),
}

# Parameters that an argument overrides when it is given.
OVERRIDES = {
    "transport": ("input.transport", str),
    "model": ("model.path", str),
    "backend": ("backend.name", str),
    "device": ("backend.device", str),
    "precision": ("backend.precision", str),
    "autostart": ("autostart", bool),
    "use_sim_time": ("use_sim_time", bool),
}


def is_true(context: LaunchContext, name: str) -> bool:
    """Whether an argument says yes."""
    return LaunchConfiguration(name).perform(context).lower() in ("true", "1", "yes")


def start_nodes(context: LaunchContext) -> list[LaunchDescriptionEntity]:
    """Return a node for each camera; an argument left empty leaves its parameter to the file."""
    given = {
        parameter: ParameterValue(LaunchConfiguration(name), value_type=kind)
        for name, (parameter, kind) in OVERRIDES.items()
        if LaunchConfiguration(name).perform(context)
    }
    namespace = LaunchConfiguration("namespace").perform(context).strip("/")
    names = LaunchConfiguration("cameras").perform(context).split(",")
    cameras = [name.strip().strip("/") for name in names]
    return [
        LifecycleNode(
            package="shared_encoder_perception",
            executable="perception_node",
            name="perception",
            namespace="/".join(filter(None, (namespace, camera))),
            parameters=[
                ParameterFile(LaunchConfiguration("params_file"), allow_substs=True),
                given,
            ],
            remappings=[
                ("image", LaunchConfiguration("image")),
                ("camera_info", LaunchConfiguration("camera_info")),
            ],
            ros_arguments=["--log-level", LaunchConfiguration("log_level")],
            respawn=is_true(context, "respawn"),
            respawn_delay=2.0,
            output="screen",
        )
        for camera in cameras
    ]


def start_others(context: LaunchContext) -> list[LaunchDescriptionEntity]:
    """Return the viewer and the player, if they are asked for."""
    others: list[LaunchDescriptionEntity] = []
    if is_true(context, "rviz"):
        others.append(
            Node(
                package="rviz2",
                executable="rviz2",
                arguments=["-d", str(SHARE / "config" / "perception.rviz")],
                parameters=[{"use_sim_time": is_true(context, "use_sim_time")}],
            )
        )
    if bag := LaunchConfiguration("bag").perform(context):
        command = ["ros2", "bag", "play", bag, "--clock", "100"]
        others.append(ExecuteProcess(cmd=command, output="screen"))
    return others


def generate_launch_description() -> LaunchDescription:
    """Return what ``ros2 launch`` runs."""
    declared = [
        DeclareLaunchArgument(name, default_value=default, description=description)
        for name, (default, description) in ARGUMENTS.items()
    ]
    # Images do not fit Fast DDS's default shared memory. A profile of the user's own is kept.
    profile = SetEnvironmentVariable(PROFILE_VARIABLE, str(PROFILE))
    own = [] if PROFILE_VARIABLE in os.environ else [profile]
    functions = [OpaqueFunction(function=start) for start in (start_nodes, start_others)]
    return LaunchDescription([*own, *declared, *functions])
