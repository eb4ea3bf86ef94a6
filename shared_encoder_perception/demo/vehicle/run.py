# SPDX-License-Identifier: Apache-2.0
"""Drive with four cameras: player -> two nodes -> recorder, then one video of all that was said.

Chosen by ``demo`` where nothing else is asked for.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path
from typing import Any, Final

from shared_encoder_perception import tasks
from shared_encoder_perception.demo.diagnosed import DIAGNOSTICS
from shared_encoder_perception.demo.drive import played_out, stop_on_signals
from shared_encoder_perception.demo.node_arguments import IMAGE, QUEUED, ros_arguments
from shared_encoder_perception.demo.processes import Processes
from shared_encoder_perception.demo.results import INCOMPLETE, Results
from shared_encoder_perception.demo.rigs.clip import RIG_FILE
from shared_encoder_perception.demo.rigs.model import rig_model
from shared_encoder_perception.demo.rigs.run import node_parameters
from shared_encoder_perception.demo.vehicle.clip import SHOWN_HZ, vehicle_clip
from shared_encoder_perception.demo.vehicle.model import camera_model
from shared_encoder_perception.demo.vehicle.mosaic import mosaic_frames
from shared_encoder_perception.demo.vehicle.summary import summarise
from shared_encoder_perception.demo.vehicle.topics import CAMERA_INFO, NAMESPACE, info_topic
from shared_encoder_perception.node.rig.parameters import TIMING
from shared_encoder_perception.rig.rig_file import RigFile, read_rig
from shared_encoder_perception.tasks.options import HEIGHT

RATE_HZ: Final = 5.0
"""Moments a second for two nodes on two cores; the video shows twice as many, as they were
driven."""
PATIENCE: Final = 5.0
"""Moments without a camera's image before the others stop waiting for it."""


def drive(args: argparse.Namespace) -> int:
    """Play, record, summarise and draw, in an empty folder.

    Args:
        args: Of ``demo``: ``rate``, ``limit`` and ``out`` are asked.

    Returns:
        0 when both nodes account for every image, and every map came back.
    """
    rate = args.rate or RATE_HZ
    results = Results(args.out)
    stop_on_signals()
    clip = vehicle_clip(results.cache, args.limit)
    file = read_rig(clip / RIG_FILE)
    with results.recording() as bag:
        told = play(clip, file, rate, results.log, bag)
    shutil.copy(clip / RIG_FILE, results.bag.parent)  # replay --rig asks for it
    summary = summarise(results.bag, file, told["published"])
    status = results.tell(summary, mosaic_frames(results.bag, file), SHOWN_HZ, args.no_video)
    return status or (INCOMPLETE if told["left_out"] else 0)


def camera_node_arguments(file: RigFile, model: Path) -> list[str]:
    """Return ROS arguments of the node for the first camera: it hears its images, one and all."""
    ahead = file.entries[0]
    image = f"/{ahead.image_topic}"
    topic = f"qos_overrides.{image}.subscription"
    parameters = {
        "model.path": model.resolve(),
        f"{topic}.reliability": "reliable",
        f"{topic}.depth": QUEUED,
    }
    if ahead.pose is not None:
        parameters[HEIGHT] = float(ahead.pose.position[2])
    renamed = {
        "__ns": NAMESPACE,
        IMAGE: image,
        CAMERA_INFO: info_topic(ahead),
        DIAGNOSTICS: f"{NAMESPACE}{DIAGNOSTICS}",
    }
    rules = [part for old, new in renamed.items() for part in ("-r", f"{old}:={new}")]
    return [*rules, *ros_arguments(parameters)]


def play(clip: Path, file: RigFile, rate: float, log: Path, bag: Path) -> dict[str, Any]:
    """Run the four processes until the player has published everything; return what it told.

    Raises:
        RuntimeError: One of them failed.
    """
    rig, around, ahead = clip / RIG_FILE, rig_model(tuple(tasks.RIG_ROOMS)), camera_model()
    print(f"models {ahead.name} for the first camera, {around.name} for all of them")
    # However slowly it is played, no camera is dead between two moments.
    patience = {"rig.dead_s": max(TIMING.dead_s, PATIENCE / rate)}
    of_rig = ros_arguments({**node_parameters(rig, file, around), **patience})
    with Processes(log) as processes:
        print("starting recorder, two nodes and player")
        processes.start("recorder", "demo.vehicle.recorder", str(bag), str(rig))
        processes.start("rig_node", "node.rig", "--ros-args", *of_rig)
        processes.start("camera_node", "node", "--ros-args", *camera_node_arguments(file, ahead))
        options = ("--folder", str(clip), "--rate", str(rate))
        processes.start("player", "demo.vehicle.player", *options, visible=True)
        return played_out(processes, log)
