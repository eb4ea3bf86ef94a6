# SPDX-License-Identifier: Apache-2.0
"""Drive through a real node: player -> node -> recorder, then video and summary.

python -m shared_encoder_perception demo                       every question, of a rendered drive
python -m shared_encoder_perception demo --video drive.mp4     lanes and mask, of your own
python -m shared_encoder_perception demo --tasks semantic      by a model that answers that

Without a source, a task or a model, four cameras drive through rendered worlds; one node answers
for the first of them, and one for all. Tasks of a single camera get a rendered drive of one, tasks
of a rig as a whole four cameras in a synthetic town.

A model that compares images with a background gets a fixed camera beside a synthetic road; of your
own pictures --background, or a frames.jsonl that names one for each.

The results of an earlier drive in the same --out are replaced.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Final

from shared_encoder_perception import tasks
from shared_encoder_perception.artifact.file import ArtifactError, read_artifact
from shared_encoder_perception.artifact.remote import local_path
from shared_encoder_perception.artifact.shipped import model_for
from shared_encoder_perception.backends import DEFAULT_MODEL
from shared_encoder_perception.demo.clip import synthetic_clip
from shared_encoder_perception.demo.drive import Played, drive, stop_on_signals
from shared_encoder_perception.demo.overlay import overlay_frames
from shared_encoder_perception.demo.parked_clip import parked_clip
from shared_encoder_perception.demo.results import INCOMPLETE, Results, clear
from shared_encoder_perception.demo.rigs import run as rigs
from shared_encoder_perception.demo.rigs.model import asks_a_rig
from shared_encoder_perception.demo.rigs.town import RATE_HZ as RIG_RATE_HZ
from shared_encoder_perception.demo.summary import summarise
from shared_encoder_perception.demo.vehicle import run as vehicle
from shared_encoder_perception.files.whole_file import sole_writer
from shared_encoder_perception.images.sources import open_source
from shared_encoder_perception.libraries import can_write
from shared_encoder_perception.spec import ModelSpec, SpecError
from shared_encoder_perception.tasks.companions import Beside, add_companion_option, read_given

RATE_HZ: Final = 15.0
OF_ONE_CAMERA: Final = (
    *("video", "images", "bag", "topic", "focal_px", "background", "tasks", "model"),
)
"""Options with none of which all questions are answered, of a drive of our own."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--video", type=Path, help="video file")
    source.add_argument("--images", type=Path, help="folder of images, or a frames.jsonl")
    source.add_argument("--bag", type=Path, help="rosbag2")
    parser.add_argument("--topic", help="image topic of a bag that has several")
    parser.add_argument(
        "--rate",
        type=float,
        help=f"images a second (default: {RATE_HZ:g}; of a rig's cameras {RIG_RATE_HZ:g}; with "
        f"neither source, tasks nor model {vehicle.RATE_HZ:g})",
    )
    parser.add_argument("--limit", type=int, help="stop after so many images")
    parser.add_argument(
        "--focal-px",
        type=float,
        metavar="F",
        help="focal length of the camera in pixels of the source's images, for depth in metres",
    )
    add_companion_option(parser)
    parser.add_argument("--model", type=Path, help="ONNX artifact (default: the shipped one)")
    parser.add_argument(
        "--tasks",
        nargs="+",
        metavar="TASK",
        help="draw just these, by a shipped model that answers them (default: of your own pictures "
        "lanes and drivable_surface, else all of the model's)",
    )
    parser.add_argument("--out", type=Path, default=Path("demo_output"))


def run(args: argparse.Namespace) -> int:
    """Drive; 0 when every image could be read, and came back whole or was counted as dropped."""
    if args.rate is not None and not 0 < args.rate <= 1000:
        raise ValueError(f"--rate is {args.rate}, expected more than 0 and at most 1000")
    if args.limit is not None and args.limit < 1:
        raise ValueError(f"--limit is {args.limit}, expected at least 1")
    if args.focal_px is not None and not 0 < args.focal_px < float("inf"):
        raise ValueError(f"--focal-px is {args.focal_px:g}, expected more than 0 pixels")
    source = args.video or args.images or args.bag
    if args.model is not None:
        args.model = local_path(str(args.model))
    args.no_video = "" if can_write("the video", "av") else "the library is missing"
    if all(getattr(args, option) is None for option in OF_ONE_CAMERA):
        with sole_writer(args.out):
            clear(args.out, None)
            return vehicle.drive(args)
    if asks_a_rig(args.tasks or (), args.model and _spec_of(args.model)):
        rigs.check(args)
        with sole_writer(args.out):
            clear(args.out, None)
            return rigs.drive(args)
    args.rate = args.rate or RATE_HZ
    if source is not None and not args.tasks and not args.model and args.focal_px is None:
        args.tasks = list(tasks.DEFAULT)  # of somebody's own pictures: the main job
    if args.tasks:
        args.model = model_for(args.tasks, args.model)
    spec = _spec_of(args.model or DEFAULT_MODEL)
    # A mistake here must not cost the start of three processes.
    given = {} if spec is None else read_given(spec, args.background)
    args.beside = [] if spec is None else spec.companions()
    if source is not None:
        for note in Beside(args.beside, given, open_source(source, args.topic)).notes():
            print(note)
    with sole_writer(args.out, args.images):
        return _drive(args, source)


def _spec_of(model: Path) -> ModelSpec | None:
    """Return what a model says of itself; ``None`` where the node will say what is wrong."""
    try:
        return read_artifact(model).spec
    except (ArtifactError, SpecError):
        return None


def _drive(args: argparse.Namespace, source: Path | None) -> int:
    """Play, record, summarise and draw."""
    clear(args.out, source)
    results = Results(args.out)
    if source is None:
        cache, beside = results.cache, args.beside
        source = parked_clip(cache, beside) if beside else synthetic_clip(cache)
    stop_on_signals()
    with results.recording() as bag:
        played = play(args, source, results.log, bag)
    summary = summarise(results.bag, played.published)
    shown = overlay_frames(results.bag, args.tasks, args.beside)
    status = results.tell(summary, shown, args.rate, args.no_video)
    return status or (INCOMPLETE if played.left_out else 0)


def play(args: argparse.Namespace, source: Path, log: Path, bag: Path) -> Played:
    """Run the three processes; see ``drive``."""
    parameters = {} if args.model is None else {"model.path": args.model.resolve()}
    arguments = ["--source", str(source), "--rate", str(args.rate)]
    if args.topic:
        arguments += ["--topic", args.topic]
    if args.limit:
        arguments += ["--limit", str(args.limit)]
    if args.focal_px is not None:
        arguments += ["--focal-px", str(args.focal_px)]
    if args.beside:
        arguments += ["--beside", *args.beside]
    if args.background is not None:
        arguments += ["--background", str(args.background)]
    return drive(log, bag, parameters, "demo.player", arguments, beside=args.beside)
