# SPDX-License-Identifier: Apache-2.0
"""Drive through a town with several cameras: player -> node for rigs -> recorder, then the video.

Chosen by ``demo`` where its tasks, or its model, are of a rig as a whole.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from shared_encoder_perception.artifact.file import read_artifact
from shared_encoder_perception.demo.drive import played_out, stop_on_signals
from shared_encoder_perception.demo.node_arguments import ros_arguments
from shared_encoder_perception.demo.processes import Processes
from shared_encoder_perception.demo.results import INCOMPLETE, Results
from shared_encoder_perception.demo.rigs.clip import RIG_FILE
from shared_encoder_perception.demo.rigs.model import drawn_in_pictures, rig_model
from shared_encoder_perception.demo.rigs.picture import overlay_frames
from shared_encoder_perception.demo.rigs.summary import summarise
from shared_encoder_perception.demo.rigs.topics import QUEUED
from shared_encoder_perception.demo.rigs.town import MOMENTS, RATE_HZ, town_clip
from shared_encoder_perception.node.rig.parameters import FILE
from shared_encoder_perception.rig.rig_file import RigFile, read_rig

PERIOD_S: Final = 0.2
"""Between two messages of the node's diagnostics, which the video shows."""
ELSEWHERE: Final = {
    "video": "predict --rig rig.yaml --input FOLDER, with a folder of pictures for each camera",
    "images": "predict --rig rig.yaml --input FOLDER, with a folder of pictures for each camera",
    "bag": "predict --rig rig.yaml --input BAG",
    "topic": "a rig.yaml, which names the topic of each camera, with predict --rig",
    "focal_px": "a rig.yaml, which says how each camera sees, with predict --rig",
    "background": "a task of single images",
}
"""Options for one camera -> what to use instead."""


def check(args: argparse.Namespace) -> None:
    """Refuse what is for one camera, and choose the model and the rate (in place).

    Raises:
        ValueError: Such an option is given, or no model does.
    """
    for option, instead in ELSEWHERE.items():
        if getattr(args, option) is not None:
            raise ValueError(
                f"--{option.replace('_', '-')} is for one camera, and the demo of a rig drives "
                f"through a town of its own: leave it out, or use {instead}"
            )
    args.tasks = args.tasks or []
    args.model = rig_model(args.tasks, args.model)
    spec = read_artifact(args.model).spec
    args.drawn = drawn_in_pictures(args.tasks, spec)
    made = (
        "answers that itself" if spec.of_rigs() else f"puts {', '.join(args.drawn)} on the ground"
    )
    print(f"model {args.model.name} {made}")
    args.rate = args.rate or RATE_HZ


def drive(args: argparse.Namespace) -> int:
    """Play, record, summarise and draw, in an empty folder.

    Args:
        args: Of ``demo``, after ``check``.

    Returns:
        0 when every image is in a count of the node's, and every map came back.
    """
    results = Results(args.out)
    stop_on_signals()
    clip = town_clip(results.cache, min(args.limit or MOMENTS, MOMENTS))
    file = read_rig(clip / RIG_FILE)
    with results.recording() as bag:
        told = play(args, clip, file, results.log, bag)
    summary = summarise(results.bag, file, told["published"])
    shown = overlay_frames(results.bag, file, args.drawn)
    status = results.tell(summary, shown, args.rate, args.no_video, "no map came back")
    return status or (INCOMPLETE if told["left_out"] else 0)


def node_parameters(
    rig: Path, file: RigFile, model: Path, drawn: Sequence[str] = ()
) -> dict[str, Any]:
    """Return the node's parameters, by which every image reaches it, and is counted.

    With its own best effort and depth 1 the middleware may drop images before the node counts them.
    """
    found = {
        FILE: rig.resolve(),
        "model.path": model.resolve(),
        "rig.publish_cameras": bool(drawn),
        "diagnostics.period_s": PERIOD_S,
    }
    for entry in file.entries:
        topic = f"qos_overrides./{entry.image_topic}.subscription"
        found |= {f"{topic}.reliability": "reliable", f"{topic}.depth": QUEUED}
    return found


def play(
    args: argparse.Namespace, clip: Path, file: RigFile, log: Path, bag: Path
) -> dict[str, Any]:
    """Run the three processes until the player has published everything; return what it told.

    Raises:
        RuntimeError: One of them failed.
    """
    rig = clip / RIG_FILE
    parameters = node_parameters(rig, file, args.model, args.drawn)
    arguments = ["--folder", str(clip), "--rate", str(args.rate)]
    with Processes(log) as processes:
        print("starting recorder, node and player")
        processes.start("recorder", "demo.rigs.recorder", str(bag), str(rig), *args.drawn)
        processes.start("node", "node.rig", "--ros-args", *ros_arguments(parameters))
        processes.start("player", "demo.rigs.player", *arguments, visible=True)
        return played_out(processes, log)
