# SPDX-License-Identifier: Apache-2.0
"""Perceive images without ROS and write what was found.

    python -m shared_encoder_perception predict --input drive.mp4 --out result
    python -m shared_encoder_perception predict --input drive.mp4 --video seen.mp4

`result/predictions.jsonl` gets one line per image:

    {"image": ..., "size": [h, w], "mask": "masks/....png", "crop": [...], "stage_ms": {...},
     "lanes": {"ego": {"status", "confidence", "points": [[x, y], ...]} or null, ... all five}}

A lane that was not detected is null. Points run near to far in pixels of the source image. The mask
has the source's size: 255 drivable, 0 not, --unseen-value (127) outside of "crop", [x, y, width,
height] of what the network saw, which is there unless that is all. Each task has keys of its own
(``record.py`` of its room). With --tta flip,scale:0.75 several pictures of each image are perceived
and made one; "tta" tells so. Until the run has finished it is called `predictions.jsonl.part`. A
finished result is replaced only with --force, masks and pictures with it. A video appears when it
is finished. Models that compare images with a background need --background, or a list with it.
With --rig rig.yaml several cameras are perceived together: see ``predict/rigs.py``.

Exit status: 0 all images of the source were perceived; 1 some could not be read, or have no
background of their size, and are told; 2 none was.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm
from tqdm.contrib.logging import logging_redirect_tqdm

from shared_encoder_perception.backends.options import (
    add_engine_options,
    add_tta_option,
    load_engine,
    tta_conditions,
)
from shared_encoder_perception.drawing.overlay import by_layer, draw_all
from shared_encoder_perception.drawing.pictures import tile, write_picture
from shared_encoder_perception.images.frames import CompanionError, SourceError
from shared_encoder_perception.images.sources import Frame, Source, open_source, parse_crop
from shared_encoder_perception.images.video import add_video_options, check_video_options
from shared_encoder_perception.predict import rigs
from shared_encoder_perception.predict.output import alone, check_free, end, write_all
from shared_encoder_perception.predict.results import (
    IMAGES,
    OVERLAYS,
    SHEET,
    to_record,
    write_overlay,
)
from shared_encoder_perception.predict.tally import ImageTally
from shared_encoder_perception.predictor import Predictor
from shared_encoder_perception.tasks.companions import Beside, add_companion_option, read_given
from shared_encoder_perception.tasks.options import add_answer_options, asked_options

SHEET_PICTURES: Final = 24


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "--input", type=Path, required=True, help="image folder, data set, video or rosbag2"
    )
    parser.add_argument("--out", type=Path, help="folder for the results")
    add_engine_options(parser)
    add_tta_option(parser)
    parser.add_argument(
        "--crop", type=parse_crop, metavar="X,Y,W,H", help="unless the frames.jsonl has one"
    )
    parser.add_argument("--topic", help="image topic of a bag that has several")
    parser.add_argument("--limit", type=int, help="stop after so many images")
    add_answer_options(parser)
    add_companion_option(parser)
    rigs.add_rig_options(parser)
    parser.add_argument("--overlay", action="store_true", help="also write overlay pictures")
    parser.add_argument("--sheet", action="store_true", help="also write sheet.png")
    add_video_options(parser)
    parser.add_argument("--force", action="store_true", help="replace an earlier result")


def run(args: argparse.Namespace) -> int:
    """Perceive all images of the source."""
    if args.limit is not None and args.limit < 1:
        raise ValueError(f"--limit is {args.limit}, expected at least 1")
    if rigs.is_of_rig(args):
        return rigs.run(args)
    check_free(args, IMAGES)
    source = open_source(args.input, args.topic)
    check_video_options(args)
    predictor = Predictor(load_engine(args), variants=args.tta)
    predictor.options = asked_options(predictor.spec, args)
    given = read_given(predictor.spec, args.background)
    beside = Beside(predictor.companions, given, source)
    for note in beside.notes():
        print(note)
    if args.video and not by_layer(predictor.spec.tasks):
        shown = ", ".join(predictor.spec.tasks)
        raise ValueError(f"--video: nothing of what the model answers can be drawn: {shown}")
    predictor.warm_up()
    return alone(args, IMAGES, lambda: _perceive(predictor, source, beside, args))


def _perceive(
    predictor: Predictor, source: Source, beside: Beside, args: argparse.Namespace
) -> int:
    """Write what is asked for; into a folder that no other run writes to."""
    tally = ImageTally(predictor.spec.tasks)
    sheet: dict[str, NDArray[np.uint8]] = {}
    write_all(write_predictions(predictor, source, beside, args, tally, sheet), source, args)
    if args.sheet:
        write_picture(args.out / SHEET, tile([*sheet.values()], captions=[*sheet]))
    written: dict[str, Path | str | None] = {
        "predictions": IMAGES.file,
        "overlays": OVERLAYS if args.overlay else None,
        "sheet": SHEET if args.sheet else None,
    }
    return end(source, args, tally, written)


def write_predictions(
    predictor: Predictor,
    source: Source,
    beside: Beside,
    args: argparse.Namespace,
    tally: ImageTally,
    sheet: dict[str, NDArray[np.uint8]],
) -> Iterator[NDArray[np.uint8]]:
    """Perceive and write frame by frame; yield the pictures of a video, where there is to be one.

    ``tally`` takes the numbers for the summary, ``sheet`` pictures by the names of their images.
    An image that its background does not fit is left out, and told as the source's problem.

    Raises:
        SourceError: None is left.
    """
    total = min(len(source), args.limit or len(source)) or None
    every = max((total or SHEET_PICTURES) // SHEET_PICTURES, 1)
    said = tta_conditions(args.tta)
    with (
        IMAGES.written(args.out, lambda *line: to_record(*line) | said) as write,
        logging_redirect_tqdm(),
    ):
        frames: Iterator[Frame] = islice(iter(source), args.limit)
        for index, frame in enumerate(tqdm(frames, total=total, unit="image")):
            try:
                predictor.options = asked_options(
                    predictor.spec, args, frame.focal_px, frame.camera_height_m
                )
                crop, others = frame.crop or args.crop, beside.of(frame)
                perception = predictor(frame.image, crop, companions=others)
            except CompanionError as error:
                source.problems.append(f"{frame.name}: {error}")
                continue
            except ValueError as error:
                raise ValueError(f"{frame.name}: {error}") from None
            write(frame.name, perception)
            tally.add(perception)
            wanted = args.sheet and index % every == 0 and len(sheet) < SHEET_PICTURES
            if not (args.overlay or args.video or wanted):
                continue
            picture = draw_all(frame.image, perception)
            if args.overlay:
                write_overlay(args.out, frame.name, picture)
            if wanted:
                sheet[frame.name] = picture
            if args.video:
                yield picture
        if not tally.images:
            raise SourceError(f"no image of {source.path} is of use: {source.problems[0]}")
