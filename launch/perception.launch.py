# SPDX-License-Identifier: Apache-2.0
"""Start the perception node: ``ros2 launch shared_encoder_perception perception.launch.py``.

One camera, or one node for each of several: ``cameras:=front,rear`` starts ``/front/perception``
and ``/rear/perception``, each with the topics of its own namespace.

The exit code is that of the process that failed, and nothing stays behind: with one camera, or when
all of them have failed, or the bag cannot be played, the launch ends.
"""

from functools import partial

from launch import LaunchContext, LaunchDescription, LaunchDescriptionEntity
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import LifecycleNode, Node

from shared_encoder_perception.node.launch_files import (
    ENGINE_ARGUMENTS,
    ENGINE_OVERRIDES,
    RUN_ARGUMENTS,
    check_arguments,
    describe,
    how_to_install,
    is_ros_package,
    node_options,
    says_yes,
    share,
    start_bag,
    value_of,
)
from shared_encoder_perception.node.launched import Outcome

ARGUMENTS = {
    "namespace": ("", "Namespace of the node and its topics, e.g. front_camera."),
    "cameras": (
        "",
        "Several cameras, one node for each: names separated by commas, e.g. front,rear. Each is a "
        "namespace below `namespace`; empty for one camera.",
    ),
    "params_file": (str(share() / "config" / "perception.yaml"), "YAML file with the parameters."),
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
    **ENGINE_ARGUMENTS,
    "rviz": ("false", "true: show overlay, lanes and points in RViz."),
    **RUN_ARGUMENTS,
}

# Parameters that an argument overrides when it is given.
OVERRIDES = {"transport": ("input.transport", str), **ENGINE_OVERRIDES}
REMAPPED = ("image", "camera_info", "points", "background")


def check(context: LaunchContext) -> list[LaunchDescriptionEntity]:
    """Refuse what cannot be started, before anything is.

    Raises:
        ValueError: An argument asks for what is not there; says what to do.
    """
    check_arguments(context, switches=["rviz"])
    if says_yes(context, "rviz") and not is_ros_package("rviz2"):
        raise ValueError(f"rviz:=true needs RViz: {how_to_install('rviz2')}, or leave rviz out")
    return []


def start_nodes(outcome: Outcome, context: LaunchContext) -> list[LaunchDescriptionEntity]:
    """Return a node for each camera; an argument left empty leaves its parameter to the file."""
    namespace = value_of(context, "namespace").strip("/")
    names = value_of(context, "cameras").split(",")
    cameras = [name.strip().strip("/") for name in names]
    nodes = [
        LifecycleNode(
            executable="perception_node",
            name="perception",
            namespace="/".join(filter(None, (namespace, camera))),
            remappings=[(name, LaunchConfiguration(name)) for name in REMAPPED],
            **node_options(context, OVERRIDES),
        )
        for camera in cameras
    ]
    return outcome.nodes(nodes, says_yes(context, "respawn"))


def start_viewer(outcome: Outcome, context: LaunchContext) -> list[LaunchDescriptionEntity]:
    """Return the viewer, if it is asked for."""
    if not says_yes(context, "rviz"):
        return []
    viewer = Node(
        package="rviz2",
        executable="rviz2",
        arguments=["-d", str(share() / "config" / "perception.rviz")],
        parameters=[{"use_sim_time": says_yes(context, "use_sim_time")}],
    )
    return [outcome.other(viewer)]


def generate_launch_description() -> LaunchDescription:
    """Return what ``ros2 launch`` runs."""
    outcome = Outcome()
    starts = (start_nodes, start_viewer, start_bag)
    begun = (partial(start, outcome) for start in starts)
    return describe(__file__, ARGUMENTS, outcome, (check, *begun), with_profile=True)
