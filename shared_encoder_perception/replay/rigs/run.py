# SPDX-License-Identifier: Apache-2.0
"""``replay --rig``: bags with several calibrated cameras, moment by moment, without ROS."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any, Final

from shared_encoder_perception.backends import Backend
from shared_encoder_perception.backends.options import load_engine
from shared_encoder_perception.files.whole_file import sole_writer, write_text
from shared_encoder_perception.images.bag_identity import bag_identity
from shared_encoder_perception.images.bags import bag_name
from shared_encoder_perception.predict.rigs import MAX_SKEW_S
from shared_encoder_perception.replay import checkpoint as checkpoints
from shared_encoder_perception.replay import folder as folders
from shared_encoder_perception.replay.conditions import FORMAT, model_conditions
from shared_encoder_perception.replay.recorder import TIMINGS
from shared_encoder_perception.replay.rigs.account import BagAccount
from shared_encoder_perception.replay.rigs.perceive import RigPass
from shared_encoder_perception.replay.rigs.summary import summarise, to_text, write_report
from shared_encoder_perception.replay.scale_bags import jobs_of, one_after_another
from shared_encoder_perception.replay.summary import read_timings, to_json
from shared_encoder_perception.rig.bag_moments import BagMoments
from shared_encoder_perception.rig.rig_file import RigFile, read_rig
from shared_encoder_perception.rig.table import sight_key
from shared_encoder_perception.rig_predictor import RigPredictor

OTHERWISE: Final = {
    "topic": "a rig.yaml has a topic for each camera",
    "labels": "evaluate --rigs scores labelled rigs",
    "crop": "a rig.yaml has a crop for each camera",
    "background": "models that compare pictures with others are not for rigs",
    "focal_px": "the calibration says it of each camera",
    "camera_height_m": "the calibration says it of each camera",
    "tracking": "lanes are followed in single images only",
    "live": "play the bag to the node `surround` (surround.launch.py)",
    "live_rate": "play the bag to the node `surround` (surround.launch.py)",
    "resume": "a killed replay of a rig starts anew",
    "checkpoint_every": "a killed replay of a rig starts anew",
    "ray": "bags of a rig are replayed one after another",
    "workers": "bags of a rig are replayed one after another",
    "retries": "bags of a rig are replayed one after another",
}
"""Options that are for single cameras, and what there is instead."""
UNASKED: Final = {"checkpoint_every": 600, "live_rate": 1.0, "retries": 2}
"""Values of those that always have one."""


def add_rig_options(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "--rig",
        type=Path,
        metavar="rig.yaml",
        help="several calibrated cameras: the bags' moments are replayed, not one topic's images",
    )
    parser.add_argument(
        "--max-skew-s",
        type=float,
        metavar="S",
        help=f"longest time between images of one moment (default: {MAX_SKEW_S})",
    )


def is_of_rig(args: argparse.Namespace) -> bool:
    """Whether moments of a rig are asked for.

    Raises:
        ValueError: An option is for the other kind of replay, or makes no sense.
    """
    skew_s = args.max_skew_s
    if args.rig is None:
        if skew_s is not None:
            raise ValueError("--max-skew-s is for --rig, which is not given")
        return False
    for name, instead in OTHERWISE.items():
        if getattr(args, name) not in (None, False, UNASKED.get(name)):
            raise ValueError(f"--{name.replace('_', '-')} is for single cameras: {instead}")
    if skew_s is not None and not 0 <= skew_s < float("inf"):
        raise ValueError(f"--max-skew-s is {skew_s:g}, expected 0 or more seconds")
    return True


def replay_rigs(outs: list[Path], args: argparse.Namespace) -> int:
    """Replay bags of a rig; return the worst exit status.

    Args:
        outs: Folder for the results of each bag.
        args: Of the command.

    Raises:
        ValueError: Nothing can be replayed, with the reason.
    """
    rig_file = read_rig(args.rig)
    if len(args.bags) == 1:  # what is wrong with it is told before the model is loaded
        BagMoments(args.bags[0], rig_file, 0.0)
    backend = load_engine(args, len(rig_file.entries))
    if len(args.bags) == 1:
        return replay_rig(rig_file, backend, args.bags[0], outs[0], args)
    jobs = jobs_of(args.bags, outs, [bag_name(bag) for bag in args.bags])
    outcomes = one_after_another(jobs, partial(replay_rig, rig_file, backend), args)
    return max(outcome.status for outcome in outcomes)


def replay_rig(
    rig_file: RigFile, backend: Backend, bag: Path, out: Path, args: argparse.Namespace
) -> int:
    """Replay one bag into one folder.

    Returns:
        Exit status: 0 all could be used, 1 something could not.

    Raises:
        ValueError: Nothing can be replayed, or a picture is of another size than its calibration.
    """
    skew_s = MAX_SKEW_S if args.max_skew_s is None else args.max_skew_s
    source = BagMoments(bag, rig_file, skew_s)
    for note in source.notes:
        print(note)
    predictor = RigPredictor(backend, source.rig)
    predictor.warm_up()
    conditions = _conditions(predictor, source, rig_file, args.limit)
    with sole_writer(out):
        # What a killed replay has left is of no use: none of these is gone on with.
        finished = (out / folders.SUMMARY, out / checkpoints.NAME)
        left = not any(path.exists() for path in finished)
        folders.prepare(out, bag, conditions, resume=False, force=args.force or left)
        try:
            return _replay(predictor, source, BagAccount(bag, rig_file), conditions, out, args)
        except BaseException:
            for name in (*folders.FINISHED, *folders.UNFINISHED, folders.MARKER):
                folders.remove(out / name)  # all of it this run's: nothing is half a result
            raise


def _replay(
    predictor: RigPredictor,
    source: BagMoments,
    account: BagAccount,
    conditions: dict[str, Any],
    out: Path,
    args: argparse.Namespace,
) -> int:
    """Replay into a folder that is ready for it."""
    ended, start_s = RigPass(predictor, source, account), perf_counter()
    ended.run(
        out,
        conditions,
        limit=args.limit,
        bag=not args.no_bag,
        video=not args.no_video,
        draw=not (args.no_video and args.no_report),
    )
    elapsed_s = perf_counter() - start_s
    stage_ms = read_timings(out / TIMINGS)
    summary = summarise(ended, conditions, stage_ms, source.problems, elapsed_s)
    if not args.no_report:
        write_report(out / folders.REPORT, summary, stage_ms, ended.pictures)
    write_text(out / folders.SUMMARY, to_json(summary))
    print(to_text(summary))
    print(f"results   {out}")
    for what, name in (("report", folders.REPORT), ("video", folders.VIDEO), ("bag", folders.BAG)):
        if (out / name).exists():
            print(f"{what:<9} {out / name}")
    return int(summary["status"])


def _conditions(
    predictor: RigPredictor, source: BagMoments, rig_file: RigFile, limit: int | None
) -> dict[str, Any]:
    """Return what the result depends on: no times, no folders."""
    spec, rig = predictor.spec, predictor.rig
    return {
        "format": FORMAT,
        **model_conditions(spec, predictor.backend.info),
        "options": {name: asdict(told) for name, told in predictor.options.items()},
        "bag": bag_name(source.path),
        "bag_content": bag_identity(source.path),
        "cameras": {entry.name: entry.image_topic for entry in rig_file.entries},
        "frame_id": rig.frame_id,
        "calibration": sight_key(rig, predictor.grid, spec.input_size).hex(),
        "max_skew_s": source.max_skew_s,
        "limit": limit,
    }
