# SPDX-License-Identifier: Apache-2.0
"""Replay rosbag2 recordings through the model in this process: every image, without ROS.

    python -m shared_encoder_perception replay DRIVE --out result
    python -m shared_encoder_perception replay DRIVE --out result --labels frames.jsonl

The folder gets `results.jsonl` (conditions, then one line per image; equal bytes on every run),
`timings.jsonl`, `summary.json`, `report.html`, `overlay.mp4`, and `bag`: the node's topics, each
message with the header and at the time of its image. Several bags get a folder each below --out,
and a `summary.json` beside them, in which their counts (each folder's `counts.pickle`) are pooled.

Labels are a native data set, whose lines name images by stamp or number, or LaneLine topics of the
bag, named or by what they begin with. A replay that was killed goes on with --resume.

A model that compares images with a background takes the newest on the bag's topic `background`, or
--background FILE; of images before the first nothing is known that needs one.

With --rig, moments of several calibrated cameras are replayed: one line each, and the topics of the
node `surround`. Every image of every camera is accounted for in `summary.json`.

With --live the bag is then played to a node of its own, in real time and through DDS, into the
folder `live`: latency, drops, and whether every image that came back is as the offline replay says.

With --ray, bags are replayed beside one another by Ray, each in a process of its own: on this
machine, or on the cluster whose address is given, all of whose machines must see the bags, the
model and --out under the same paths. A bag that fails, or whose process dies, is tried again. The
results are those of one process with the same --threads.

Exit status: 0 all images were perceived; 1 some could not be, or none had a background of use, or
the bag is damaged, or its stamps are not in order, or a live answer differs: what could be read was
replayed, and what is wrong is told; 2 nothing was.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from functools import partial
from importlib import import_module
from pathlib import Path
from time import perf_counter
from typing import Final

from shared_encoder_perception.backends.options import add_engine_options, load_engine
from shared_encoder_perception.files.safe_text import printable
from shared_encoder_perception.files.whole_file import sole_writer, write_text
from shared_encoder_perception.images.bags import bag_name, is_bag
from shared_encoder_perception.images.sources import parse_crop
from shared_encoder_perception.images.video import rate_hz
from shared_encoder_perception.libraries import REPORT_LIBRARIES, can_write
from shared_encoder_perception.predictor import Predictor
from shared_encoder_perception.replay import camera_infos
from shared_encoder_perception.replay import folder as folders
from shared_encoder_perception.replay.companions import Companions
from shared_encoder_perception.replay.conditions import conditions_of
from shared_encoder_perception.replay.drive import Drive
from shared_encoder_perception.replay.perceive import FirstPass
from shared_encoder_perception.replay.pictures import write_pictures
from shared_encoder_perception.replay.reading import BagImages
from shared_encoder_perception.replay.recorder import ANSWERS, TIMINGS, Recorder
from shared_encoder_perception.replay.report import write_report
from shared_encoder_perception.replay.rigs.run import add_rig_options, is_of_rig, replay_rigs
from shared_encoder_perception.replay.scale_bags import (
    LOCAL,
    Job,
    claim,
    jobs_of,
    one_after_another,
)
from shared_encoder_perception.replay.scale_summary import to_text as to_merged_text
from shared_encoder_perception.replay.scale_summary import write_merged
from shared_encoder_perception.replay.summary import read_timings, summarise, to_json, to_text
from shared_encoder_perception.replay.truth import FindTruth, LabelFile, from_topics
from shared_encoder_perception.tasks.companions import add_companion_option

CHECKPOINT_IMAGES: Final = 600


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("bags", nargs="+", type=Path, metavar="BAG", help="rosbag2")
    parser.add_argument("--out", type=Path, required=True, help="folder for the results")
    add_engine_options(parser)
    add_rig_options(parser)
    parser.add_argument("--topic", help="image topic of a bag that has several")
    parser.add_argument("--labels", help="frames.jsonl, or a LaneLine topic of the bag")
    parser.add_argument("--crop", type=parse_crop, metavar="X,Y,W,H", help="part of the images")
    add_companion_option(parser)
    camera_infos.add_camera_options(parser)
    parser.add_argument("--tracking", action="store_true", help="follow lanes, as the node can")
    parser.add_argument("--limit", type=int, help="stop after so many images of each bag")
    parser.add_argument("--no-bag", action="store_true", help="do not write the bag")
    parser.add_argument("--no-video", action="store_true", help="do not write the video")
    parser.add_argument("--no-report", action="store_true", help="do not write the report")
    parser.add_argument(
        "--live", action="store_true", help="then play the bag to a real node and compare"
    )
    parser.add_argument(
        "--live-rate", type=float, default=1.0, metavar="X", help="its pace; 1 = as recorded"
    )
    parser.add_argument("--resume", action="store_true", help="go on with an unfinished replay")
    parser.add_argument("--force", action="store_true", help="replace an earlier result")
    parser.add_argument(
        "--checkpoint-every",
        type=int,
        default=CHECKPOINT_IMAGES,
        metavar="N",
        help="images that a killed replay has to do again at most",
    )
    parser.add_argument(
        "--ray",
        nargs="?",
        const=LOCAL,
        metavar="ADDRESS",
        help="one task per bag, on a cluster; without an address, on one started on this machine",
    )
    parser.add_argument("--workers", type=int, metavar="N", help="bags at a time with --ray")
    parser.add_argument(
        "--retries", type=int, default=2, metavar="N", help="of a bag that failed with --ray"
    )


def run(args: argparse.Namespace) -> int:
    """Replay the bags; the exit status is the worst of theirs."""
    for name in ("limit", "checkpoint_every"):
        value = getattr(args, name)
        if value is not None and value < 1:
            raise ValueError(f"--{name.replace('_', '-')} is {value}, expected at least 1")
    of_rig = is_of_rig(args)
    args.no_report = args.no_report or not can_write("the report", *REPORT_LIBRARIES)
    args.no_video = args.no_video or not can_write("the video", "av")
    if of_rig:
        return replay_rigs(out_folders(args.bags, args.out), args)
    if args.live:
        live = import_module("shared_encoder_perception.replay.live")  # needs ROS
        live.check(args)
    if len(args.bags) > 1 or args.ray is not None:
        return replay_several(args)
    BagImages.of(args.bags[0], args.topic, None)  # what is wrong is told before the model is loaded
    predictor = Predictor(load_engine(args))
    predictor.warm_up()
    status = replay_bag(predictor, args.bags[0], args.out, args)
    if args.live:
        with sole_writer(args.out):
            status = max(status, live.play_live(args.bags[0], args.out, args))
    return status


def replay_several(args: argparse.Namespace) -> int:
    """Replay bags into a folder each, here or by Ray, and pool what they show."""
    places = out_folders(args.bags, args.out)
    jobs = jobs_of(args.bags, places, [bag_name(bag) for bag in args.bags])
    if args.ray is not None:
        scale = import_module("shared_encoder_perception.replay.scale")  # may need Ray
        scale.check(args)
    with sole_writer(args.out) if len(jobs) > 1 else nullcontext():
        return _replay_jobs(jobs, args)


def _replay_jobs(jobs: Sequence[Job], args: argparse.Namespace) -> int:
    """Replay bags that have a folder each."""
    several = len(jobs) > 1
    if several:
        claim(args.out, resume=args.resume, force=args.force)
    if args.ray is not None:
        scale = import_module("shared_encoder_perception.replay.scale")
        outcomes, input_size = scale.replay_by_ray(jobs, replay_bag, args)
    else:
        predictor = Predictor(load_engine(args))
        predictor.warm_up()
        input_size = predictor.spec.input_size
        outcomes = one_after_another(jobs, partial(replay_bag, predictor), args)
    if not several:
        print(f"results   {args.out}")
        return outcomes[0].status
    summary = write_merged(outcomes, args.out, input_size)
    print(f"\n{to_merged_text(summary)}\nresults   {args.out}")
    return int(summary["status"])


def out_folders(bags: list[Path], out: Path) -> list[Path]:
    """Return where each bag's results go.

    Raises:
        ValueError: Two bags have the same name.
    """
    if len(bags) == 1:
        return [out]
    names = [bag_name(bag) for bag in bags]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"{names.count(name)} bags are called {name}: replay them one by one")
    return [out / name for name in names]


def replay_bag(predictor: Predictor, bag: Path, out: Path, args: argparse.Namespace) -> int:
    """Replay one bag into one folder.

    Args:
        predictor: The model; warmed up.
        bag: The rosbag2.
        out: For the results.
        args: As ``add_arguments`` declares them.

    Returns:
        Exit status.

    Raises:
        ValueError: Nothing can be replayed, with the reason.
    """
    with sole_writer(out):
        return _replay_bag(predictor, bag, out, args)


def _replay_bag(predictor: Predictor, bag: Path, out: Path, args: argparse.Namespace) -> int:
    """Replay into a folder that no other run writes to."""
    truth, topic, labels = find_truth(args.labels)
    companions = Companions(predictor.spec, args.background)
    images = BagImages.of(bag, args.topic, topic, companions.wanted)
    companions.found(images.beside)
    infos, problems = camera_infos.read_infos(bag, images.topic)
    images.problems += [one for one in problems if one not in images.problems]
    camera = args.focal_px, args.camera_height_m
    drive = Drive(predictor, args.crop, args.tracking, infos, companions, *camera)
    conditions = conditions_of(
        predictor,
        bag,
        images.topic,
        labels,
        crop=args.crop,
        tracking=args.tracking,
        limit=args.limit,
        companions=companions.conditions(),
    )
    if args.resume and (status := folders.finished_status(out, conditions)) is not None:
        print(f"{out} is finished already")
        return status
    at = folders.prepare(out, bag, conditions, resume=args.resume, force=args.force)
    for problem in images.problems:
        print(f"warning: {printable(problem)}", file=sys.stderr)
    if at is None or not at.done:
        keep = not (args.no_bag and args.no_video)
        with Recorder(out, predictor.spec, truth, args.crop, keep) as recorder:
            first = FirstPass(
                out, images, drive, recorder, conditions, args.limit, args.checkpoint_every
            )
            at = first.run(at)
    drive.restore(at.drive)
    folders.name_results(out)
    pictures, drawing_s = [], 0.0
    if (out / ANSWERS).exists():
        start_s = perf_counter()
        pictures = write_pictures(
            images,
            out / ANSWERS,
            predictor.spec,
            predictor.backend.info,
            bag=None if args.no_bag else out / folders.BAG,
            video=None if args.no_video else out / folders.VIDEO,
            rate=rate_hz(at.tallies.perceived, at.tallies.first_ns, at.tallies.last_ns),
            total=at.tallies.perceived,
            crop=args.crop,
        )
        drawing_s = perf_counter() - start_s
    stage_ms = read_timings(out / TIMINGS)
    notes = camera_infos.unknown_for_want_of_a_lens(drive.unsure, images.topic)
    summary = summarise(at, drive.stamps, stage_ms, drawing_s, companions.faults(), notes)
    if not args.no_report:
        names = predictor.spec.tasks
        write_report(out / folders.REPORT, out, names, summary, stage_ms, pictures)
    write_text(out / folders.SUMMARY, to_json(summary))
    folders.finish(out)
    print(to_text(summary))
    print(f"results   {out}")
    for what, name in (("report", folders.REPORT), ("video", folders.VIDEO), ("bag", folders.BAG)):
        if (out / name).exists():
            print(f"{what:<9} {out / name}")
    for warning in companions.warnings():
        print(f"warning: {printable(warning)}", file=sys.stderr)
    return int(summary["status"])


def find_truth(labels: str | None) -> tuple[FindTruth | None, str | None, str]:
    """Return what finds labels, the topic they are on if it is one, and what to call them.

    Raises:
        ValueError: They cannot be used.
    """
    if labels is None:
        return None, None, ""
    path = Path(labels)
    if path.suffix == ".jsonl" or (path.is_dir() and not is_bag(path)):
        file = LabelFile(path)
        return file, None, f"sha256 {file.sha256}"
    if path.exists():
        raise ValueError(f"--labels {path} is no frames.jsonl, nor a topic")
    return from_topics, labels, labels
