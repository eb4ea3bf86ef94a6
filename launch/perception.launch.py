"""Start the perception node: ``ros2 launch shared_encoder_perception perception.launch.py``.

One camera, or one node for each of several: ``cameras:=front,rear`` starts ``/front/perception``
and ``/rear/perception``, each with the topics of its own namespace.

The exit code is that of the process that failed, and nothing stays behind: with one camera, or when
all of them have failed, or the bag cannot be played, the launch ends.
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
from launch_ros.actions import LifecycleNode, Node
from launch_ros.parameter_descriptions import ParameterFile, ParameterValue

from shared_encoder_perception.node import launched

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
    "points": ("points", "Topic of a lidar's clouds, where painting.enabled is set."),
    "background": (
        "background",
        "Topic of the picture of the empty place, latched, for models that compare images with it.",
    ),
    "transport": ("", "raw or compressed; empty for what params_file says."),
    "model": ("", "Model file, URL or shipped:NAME; empty for the one params_file names."),
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
    return launched.is_true(name, LaunchConfiguration(name).perform(context))


def check(context: LaunchContext) -> list[LaunchDescriptionEntity]:
    """Refuse what cannot be started, before anything is.

    Raises:
        ValueError: An argument asks for what is not there; says what to do.
    """
    for name in ("rviz", "respawn", "use_sim_time"):
        is_true(context, name)
    value = {name: LaunchConfiguration(name).perform(context) for name in ARGUMENTS}
    if value["autostart"]:
        is_true(context, "autostart")
    if not Path(value["params_file"]).is_file():
        raise ValueError(f"params_file:={value['params_file']}: there is no such file")
    if value["bag"]:
        if not Path(value["bag"]).exists():
            raise ValueError(f"bag:={value['bag']}: there is no such bag")
        if not _is_installed("ros2bag") or shutil.which("ros2") is None:
            raise ValueError(f"bag:= needs `ros2 bag`: {_how_to_install('ros2bag')}")
    if is_true(context, "rviz") and not _is_installed("rviz2"):
        raise ValueError(f"rviz:=true needs RViz: {_how_to_install('rviz2')}, or leave rviz out")
    return []


def _is_installed(package: str) -> bool:
    """Whether ROS knows a package."""
    try:
        get_package_prefix(package)
    except PackageNotFoundError:
        return False
    return True


def _how_to_install(package: str) -> str:
    """Return the command."""
    distribution = os.environ.get("ROS_DISTRO", "jazzy")
    return f"sudo apt-get install ros-{distribution}-{package}"


def start_nodes(outcome: launched.Outcome, context: LaunchContext) -> list[LaunchDescriptionEntity]:
    """Return a node for each camera; an argument left empty leaves its parameter to the file."""
    given = {
        parameter: ParameterValue(LaunchConfiguration(name), value_type=kind)
        for name, (parameter, kind) in OVERRIDES.items()
        if LaunchConfiguration(name).perform(context)
    }
    namespace = LaunchConfiguration("namespace").perform(context).strip("/")
    names = LaunchConfiguration("cameras").perform(context).split(",")
    cameras = [name.strip().strip("/") for name in names]
    respawn = is_true(context, "respawn")
    nodes = [
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
                ("points", LaunchConfiguration("points")),
                ("background", LaunchConfiguration("background")),
            ],
            ros_arguments=["--log-level", LaunchConfiguration("log_level")],
            respawn=respawn,
            respawn_delay=2.0,
            output="screen",
        )
        for camera in cameras
    ]
    return outcome.nodes(nodes, respawn)


def start_others(
    outcome: launched.Outcome, context: LaunchContext
) -> list[LaunchDescriptionEntity]:
    """Return the viewer and the player, if they are asked for."""
    others: list[LaunchDescriptionEntity] = []
    if is_true(context, "rviz"):
        viewer = Node(
            package="rviz2",
            executable="rviz2",
            arguments=["-d", str(SHARE / "config" / "perception.rviz")],
            parameters=[{"use_sim_time": is_true(context, "use_sim_time")}],
        )
        others.append(outcome.other(viewer))
    if bag := LaunchConfiguration("bag").perform(context):
        command = ["ros2", "bag", "play", bag, "--clock", "100"]
        others.append(outcome.vital(ExecuteProcess(cmd=command, output="screen")))
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
    outcome = launched.Outcome()
    unknown = partial(launched.warn_of_unknown, __file__, ARGUMENTS)
    starts = (unknown, check, partial(start_nodes, outcome), partial(start_others, outcome))
    functions = [OpaqueFunction(function=start) for start in starts]
    return LaunchDescription([*own, *declared, *outcome.handlers(), *functions])
