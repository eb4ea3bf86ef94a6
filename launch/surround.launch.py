# SPDX-License-Identifier: Apache-2.0
"""Start the rig's node: ``ros2 launch shared_encoder_perception surround.launch.py rig:=rig.yaml``.

One node for all cameras that the file names. The exit code is that of the process that failed, and
nothing stays behind: when the node has failed, or the bag cannot be played, the launch ends.
"""

from functools import partial

from launch import LaunchContext, LaunchDescription, LaunchDescriptionEntity
from launch_ros.actions import LifecycleNode

from shared_encoder_perception.node.launch_files import (
    ENGINE_ARGUMENTS,
    ENGINE_OVERRIDES,
    RUN_ARGUMENTS,
    check_arguments,
    describe,
    node_options,
    share,
    start_bag,
    value_of,
)
from shared_encoder_perception.node.launched import Outcome

ARGUMENTS = {
    "rig": ("", "The rig.yaml of the cameras; empty for the one params_file names."),
    "namespace": ("", "Namespace of the node and of topics that do not begin with a slash."),
    "params_file": (str(share() / "config" / "surround.yaml"), "YAML file with the parameters."),
    **ENGINE_ARGUMENTS,
    **RUN_ARGUMENTS,
}

# Parameters that an argument overrides when it is given.
OVERRIDES = {"rig": ("rig.file", str), **ENGINE_OVERRIDES}


def check(context: LaunchContext) -> list[LaunchDescriptionEntity]:
    """Refuse what cannot be started, before anything is.

    Raises:
        ValueError: An argument asks for what is not there; says what to do.
    """
    check_arguments(context, files=["rig"])
    return []


def start_node(outcome: Outcome, context: LaunchContext) -> list[LaunchDescriptionEntity]:
    """Return the node; an argument left empty leaves its parameter to the file."""
    options = node_options(context, OVERRIDES)
    node = LifecycleNode(
        executable="surround",
        name="surround",
        namespace=value_of(context, "namespace").strip("/"),
        **options,
    )
    return outcome.nodes([node], options["respawn"])


def generate_launch_description() -> LaunchDescription:
    """Return what ``ros2 launch`` runs."""
    outcome = Outcome()
    starts = (check, partial(start_node, outcome), partial(start_bag, outcome))
    return describe(__file__, ARGUMENTS, outcome, starts, with_profile=True)
