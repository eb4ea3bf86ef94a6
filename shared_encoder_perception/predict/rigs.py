# SPDX-License-Identifier: Apache-2.0
"""``predict --rig``: moments of several cameras -> maps of the ground, and what each camera saw.

`OUT/surround.jsonl` gets one line per moment:

    {"moment": ..., "missing": [cameras without a picture], "surround_grid": {...},
     "surround_drivable": "surround_drivable/....png" or null, "surround_vehicle": likewise,
     "surround_objects": [...], "stage_ms": {...}}

with the maps as one byte a cell (``record.py`` of the room), and `OUT/cameras/NAME` what `predict`
writes of that camera's pictures alone.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm
from tqdm.contrib.logging import logging_redirect_tqdm

from shared_encoder_perception import tasks
from shared_encoder_perception.backends.options import load_engine, tta_conditions
from shared_encoder_perception.drawing.moment import draw_moment
from shared_encoder_perception.images.bags import is_bag
from shared_encoder_perception.images.frames import SourceError
from shared_encoder_perception.images.video import check_video_options
from shared_encoder_perception.labels.rigs.moments import SetMoments
from shared_encoder_perception.labels.rigs.native import is_rig_set
from shared_encoder_perception.predict.output import alone, check_free, end, write_all
from shared_encoder_perception.predict.results import (
    IMAGES,
    MOMENTS,
    OVERLAYS,
    Write,
    folder_path,
    picture_path,
    stage_record,
    to_record,
    write_overlay,
)
from shared_encoder_perception.predict.tally import MomentTally
from shared_encoder_perception.rig.bag_moments import BagMoments
from shared_encoder_perception.rig.moments import FolderMoments, RigSource
from shared_encoder_perception.rig.rig import Rig
from shared_encoder_perception.rig.rig_file import read_rig
from shared_encoder_perception.rig_predictor import RigPerception, RigPredictor
from shared_encoder_perception.tasks.options import asked_options

CAMERAS: Final = Path("cameras")
"""Folder of what each camera saw."""
MAX_SKEW_S: Final = 0.05
OTHERWISE: Final = {
    "crop": "a rig.yaml has a crop for each camera",
    "topic": "a rig.yaml has a topic for each camera",
    "focal_px": "the calibration says it of each camera",
    "camera_height_m": "the calibration says it of each camera",
    "background": "models that compare pictures with others are not for rigs",
    "sheet": "--overlay writes a picture of each moment",
}
"""Options that are for single cameras, and what there is instead."""


def add_rig_options(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "--rig",
        type=Path,
        metavar="rig.yaml",
        help="several calibrated cameras: --input is a folder with one for each camera, a "
        "rigs.jsonl (which needs no --rig), or a bag",
    )
    parser.add_argument(
        "--max-skew-s",
        type=float,
        metavar="S",
        help=f"longest time between images of one moment of a bag (default: {MAX_SKEW_S})",
    )


def is_of_rig(args: argparse.Namespace) -> bool:
    """Whether the command is asked for moments of a rig.

    Raises:
        ValueError: It is not, and an option says otherwise.
    """
    if args.rig is not None or is_rig_set(args.input):
        return True
    if args.max_skew_s is not None:
        raise ValueError("--max-skew-s is for --rig, which is not given")
    return False


def run(args: argparse.Namespace) -> int:
    """Perceive all moments of the source."""
    _check(args)
    source = _open(args)
    check_video_options(args)
    predictor = RigPredictor(
        load_engine(args, len(source.rig.cameras)), source.rig, variants=args.tta
    )
    predictor.options = asked_options(predictor.spec, args)
    for note in source.notes:
        print(note)
    predictor.warm_up()
    return alone(args, MOMENTS, lambda: _perceive(predictor, source, args))


def _check(args: argparse.Namespace) -> None:
    """Refuse what a rig is not asked, to write nothing, or to replace a finished result."""
    for name, instead in OTHERWISE.items():
        if getattr(args, name):
            raise ValueError(f"--{name.replace('_', '-')} is for single cameras: {instead}")
    if args.max_skew_s is not None and not 0 <= args.max_skew_s < float("inf"):
        raise ValueError(f"--max-skew-s is {args.max_skew_s:g}, expected 0 or more seconds")
    check_free(args, MOMENTS)


def _open(args: argparse.Namespace) -> RigSource:
    """Choose the source of moments by what is there.

    Raises:
        ValueError: Nothing of use is there, or the rig is not of it; the message names the camera.
    """
    rig_file = None if args.rig is None else read_rig(args.rig)
    path: Path = args.input
    if not path.exists():
        raise SourceError(f"there is no {path}: give a folder, a rigs.jsonl or a rosbag2")
    if args.max_skew_s is not None and not is_bag(path):
        raise ValueError(f"--max-skew-s is for bags, and {path} is none")
    if is_rig_set(path):
        return SetMoments(path, rig_file)
    assert rig_file is not None  # is_of_rig
    if is_bag(path):
        skew_s = MAX_SKEW_S if args.max_skew_s is None else args.max_skew_s
        return BagMoments(path, rig_file, skew_s)
    if not path.is_dir():
        raise SourceError(
            f"{path} is no source of several cameras: give a folder with one for each camera "
            f"({', '.join(rig_file.names)}), a rigs.jsonl or a rosbag2"
        )
    return FolderMoments(path, rig_file)


def _perceive(predictor: RigPredictor, source: RigSource, args: argparse.Namespace) -> int:
    """Write what is asked for; into a folder that no other run writes to."""
    tally = MomentTally()
    write_all(_write(predictor, source, args, tally), source, args)
    written: dict[str, Path | str | None] = {
        "moments": MOMENTS.file,
        "cameras": CAMERAS,
        "overlays": OVERLAYS if args.overlay else None,
    }
    return end(source, args, tally, written)


def _write(
    predictor: RigPredictor, source: RigSource, args: argparse.Namespace, tally: MomentTally
) -> Iterator[NDArray[np.uint8]]:
    """Perceive and write moment by moment; yield the pictures of a video, where there is one."""
    total = min(len(source), args.limit or len(source)) or None
    said, out = tta_conditions(args.tta), args.out
    with ExitStack() as stack:
        stack.enter_context(logging_redirect_tqdm())
        write = stack.enter_context(
            MOMENTS.written(out, lambda name, found, out: moment_record(name, found, out) | said)
        )
        cameras: dict[str, Write] = {}
        if out is not None:
            _remove_others(out / CAMERAS, source.rig)
        for moment in tqdm(islice(source, args.limit), total=total, unit="moment"):
            frame = moment.frame
            if frame.rig is not predictor.rig:
                predictor.set_rig(frame.rig)
            found = predictor.predict(frame.images)
            write(frame.name, found)
            for camera, perception in found.cameras.items():
                if camera not in cameras:
                    folder = out and out / CAMERAS / folder_path(camera)
                    cameras[camera] = stack.enter_context(
                        IMAGES.written(folder, lambda *line: to_record(*line) | said)
                    )
                cameras[camera](moment.pictures[camera], perception)
            tally.add(found)
            if args.overlay or args.video:
                picture = draw_moment(
                    frame.rig, frame.images, found.cameras, found.task, found.surround
                )
                if args.overlay:
                    write_overlay(out, frame.name, picture)
                if args.video:
                    yield picture


def _remove_others(cameras: Path, rig: Rig) -> None:
    """Remove what an earlier run wrote of cameras that this rig does not have."""
    ours = {folder_path(name) for name in rig.names}
    for folder in sorted(cameras.glob("*")):
        if folder.is_dir() and not folder.is_symlink() and Path(folder.name) not in ours:
            IMAGES.remove(folder)


def moment_record(name: str, found: RigPerception, out: Path) -> dict[str, Any]:
    """Return one line of ``surround.jsonl``; write the maps that it names below ``out``."""
    room = tasks.part(found.task, "record")
    line = {"moment": name, "missing": list(found.missing)}
    line |= room.prediction(found.surround, out, picture_path(name))
    return line | stage_record(found.stage_ms)
