# SPDX-License-Identifier: Apache-2.0
"""Replay a bag: ``ros2 launch shared_encoder_perception replay.launch.py bag:=DRIVE out:=result``.

Every image offline first, then the same bag in real time: player, node and recorder, whose answers
are held against the offline ones. The folder gets both reports, unless ``report:=false``.

The exit code is the replay's: 0 all well, 1 something is wrong with images or answers, 2 nothing
was replayed.
"""

import os
import sys
from functools import partial
from pathlib import Path

from launch import LaunchContext, LaunchDescription, LaunchDescriptionEntity
from launch.actions import ExecuteProcess

from shared_encoder_perception.node.launch_files import describe, says_yes, value_of
from shared_encoder_perception.node.launched import Outcome

ARGUMENTS = {
    "bag": (None, "rosbag2 with camera images."),
    "out": ("replay_output", "Folder for results, recorded bag, video and reports."),
    "topic": ("", "Image topic of a bag that has several."),
    "labels": ("", "frames.jsonl or a LaneLine topic of the bag with the truth; empty for none."),
    "background": ("", "Picture that images are compared with; empty for the bag's, if any."),
    "rate": ("1.0", "Pace of the live part; 1 = as recorded."),
    "model": ("", "Model file or URL; empty for the shipped one."),
    "backend": ("", "auto, onnxruntime, openvino, tensorrt or torch; empty for auto."),
    "device": ("", "auto, cpu, cuda, cuda:1, tensorrt; empty for auto."),
    "precision": ("", "auto, fp32, fp16, bf16 or int8; empty for auto."),
    "limit": ("", "Stop after so many images; empty for all."),
    "report": ("true", "false: no reports."),
    "force": ("false", "true: replace an earlier result in `out`."),
}

# Options that are left out where the argument is empty.
OPTIONAL = ("topic", "labels", "background", "model", "backend", "device", "precision", "limit")


def python() -> str:
    """Return the interpreter of the active virtual environment: ``ros2`` runs by the system's."""
    active = os.environ.get("VIRTUAL_ENV", "")
    found = Path(active, "bin", "python3")
    return str(found) if active and found.exists() else sys.executable


def start_replay(outcome: Outcome, context: LaunchContext) -> list[LaunchDescriptionEntity]:
    """Return the command; it starts and ends the node itself, so that every image is counted."""
    value = {name: value_of(context, name) for name in ARGUMENTS}
    command = [python(), "-m", "shared_encoder_perception", "replay", value["bag"]]
    command += ["--out", value["out"], "--live", "--live-rate", value["rate"]]
    for name in OPTIONAL:
        if value[name]:
            command += [f"--{name}", value[name]]
    if not says_yes(context, "report"):
        command.append("--no-report")
    if says_yes(context, "force"):
        command.append("--force")
    return [outcome.vital(ExecuteProcess(cmd=command, output="screen"))]


def generate_launch_description() -> LaunchDescription:
    """Return what ``ros2 launch`` runs."""
    outcome = Outcome()
    return describe(__file__, ARGUMENTS, outcome, [partial(start_replay, outcome)])
