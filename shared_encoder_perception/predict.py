"""Perceive images without ROS and write what was found.

    python -m shared_encoder_perception predict --input drive.mp4 --out result

`result/predictions.jsonl` gets one line per image:

    {"image": ..., "size": [h, w], "mask": "masks/....png", "stage_ms": {...},
     "lanes": {"ego": {"status", "confidence", "points": [[x, y], ...]} or null, ... all five}}

A lane that was not detected is null. Points run near to far in pixels of the source image. The mask
has the source's size: 255 drivable, 0 not, 0 outside the crop. Until the run has finished the file
is called `predictions.jsonl.part`. A finished result is replaced only with --force, and then its
masks and pictures go with it.
"""

from __future__ import annotations

import argparse
import json
import os
from array import array
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm
from tqdm.contrib.logging import logging_redirect_tqdm

from shared_encoder_perception.backends.options import add_engine_options, load_engine
from shared_encoder_perception.drawing.visualize import draw, tile, write_picture
from shared_encoder_perception.images.preprocess import Crop
from shared_encoder_perception.images.sources import Frame, Source, open_source
from shared_encoder_perception.predictor import STAGES, Predictor
from shared_encoder_perception.structures import Perception
from shared_encoder_perception.tasks.lanes.answer import LANE_NAMES, LaneLine

RESULT: Final = "predictions.jsonl"
SHEET: Final = "sheet.png"
SHEET_PICTURES: Final = 24


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "--input", type=Path, required=True, help="image folder, frames.jsonl, video or rosbag2"
    )
    parser.add_argument("--out", type=Path, required=True, help="folder for the results")
    add_engine_options(parser)
    parser.add_argument(
        "--crop", type=parse_crop, metavar="X,Y,W,H", help="unless the frames.jsonl has one"
    )
    parser.add_argument("--topic", help="image topic of a bag that has several")
    parser.add_argument("--limit", type=int, help="stop after so many images")
    parser.add_argument("--overlay", action="store_true", help="also write overlay pictures")
    parser.add_argument("--sheet", action="store_true", help="also write sheet.png")
    parser.add_argument("--force", action="store_true", help="replace an earlier result")


def parse_crop(text: str) -> Crop:
    """Parse ``x,y,width,height``."""
    try:
        x, y, width, height = (int(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not x,y,width,height in pixels") from None
    return Crop(x, y, width, height)


def run(args: argparse.Namespace) -> int:
    """Perceive all images of the source."""
    if args.limit is not None and args.limit < 1:
        raise ValueError(f"--limit is {args.limit}, expected at least 1")
    result = args.out / RESULT
    if result.exists() and not args.force:
        raise ValueError(f"{result} exists: choose another --out, or replace it with --force")
    source = open_source(args.input, args.topic)
    predictor = Predictor(load_engine(args))
    predictor.warm_up()
    args.out.mkdir(parents=True, exist_ok=True)
    remove_result(result)
    tally, sheet = write_predictions(predictor, source, args, result)
    if args.sheet:
        write_picture(args.out / SHEET, tile(sheet))
    print(tally)
    print(f"predictions: {result}")
    if args.sheet:
        print(f"sheet:       {args.out / SHEET}")
    return 0


class Tally:
    """What the summary needs of all images, in a few bytes each."""

    def __init__(self) -> None:
        """Start at nothing."""
        self.images = 0
        self._detected = dict.fromkeys(LANE_NAMES, 0)
        self._stage_ms = {stage: array("f") for stage in STAGES}

    def add(self, perception: Perception) -> None:
        """Count one image."""
        self.images += 1
        for line in perception.lanes:
            self._detected[line.lane_id.label] += line.detected
        for stage, values in self._stage_ms.items():
            values.append(perception.stage_ms[stage])

    def __str__(self) -> str:
        """Render one screen."""
        lines = [f"{self.images} images"]
        for name, count in self._detected.items():
            lines.append(f"  {name:<16} detected in {count / max(self.images, 1):6.1%}")
        for stage, values in self._stage_ms.items():
            median = float(np.median(values)) if values else float("nan")
            lines.append(f"  {stage:<16} {median:6.2f} ms (median)")
        return "\n".join(lines)


def remove_result(result: Path) -> None:
    """Remove an earlier result and what its lines name; other files of the folder stay."""
    folder = result.parent
    (folder / SHEET).unlink(missing_ok=True)
    if not result.exists():
        return
    # What cannot be read as our own lines names no files of ours.
    with result.open("rb") as lines, suppress(ValueError, KeyError, TypeError):
        for line in lines:
            mask = Path(json.loads(line)["mask"] or "")
            if mask.parts[:1] == ("masks",) and ".." not in mask.parts:
                (folder / mask).unlink(missing_ok=True)
                (folder / overlay_path(mask)).unlink(missing_ok=True)
    result.unlink()


def write_predictions(
    predictor: Predictor, source: Source, args: argparse.Namespace, result: Path
) -> tuple[Tally, list[NDArray[np.uint8]]]:
    """Perceive and write frame by frame.

    Returns:
        Numbers for the summary, and pictures for the sheet.
    """
    total = min(len(source), args.limit or len(source)) or None
    every = max((total or SHEET_PICTURES) // SHEET_PICTURES, 1)
    tally = Tally()
    sheet: list[NDArray[np.uint8]] = []
    part = result.with_name(result.name + ".part")
    with part.open("w") as lines, logging_redirect_tqdm():
        frames: Iterator[Frame] = islice(iter(source), args.limit)
        for index, frame in enumerate(tqdm(frames, total=total, unit="image")):
            try:
                perception = predictor(frame.image, frame.crop or args.crop)
            except ValueError as error:
                raise ValueError(f"{frame.name}: {error}") from None
            mask = mask_path(frame.name)
            if perception.mask is not None:
                write_picture(args.out / mask, perception.mask.binary())
            lines.write(json.dumps(to_record(frame.name, perception, mask)) + "\n")
            tally.add(perception)
            wanted = args.sheet and index % every == 0 and len(sheet) < SHEET_PICTURES
            if args.overlay or wanted:
                picture = draw(frame.image, perception)
                if args.overlay:
                    write_picture(args.out / overlay_path(mask), picture)
                if wanted:
                    sheet.append(picture)
    os.replace(part, result)
    return tally, sheet


def mask_path(name: str) -> Path:
    """Return the mask's path below the output folder: never outside it, never that of another."""
    # The suffix stays in the name: a.jpg and a.png of one folder must not share a mask.
    pieces = [piece.replace("%", "%25") for piece in Path(name).parts]
    safe = [{"/": "%2F", "..": "%2E%2E"}.get(piece, piece) for piece in pieces]
    return Path("masks", *safe[:-1], safe[-1] + ".png")


def overlay_path(mask: Path) -> Path:
    """Return the overlay's path below the output folder."""
    return Path("overlays", *mask.parts[1:])


def to_record(name: str, perception: Perception, mask: Path) -> dict[str, Any]:
    """Return one line of ``predictions.jsonl``."""
    return {
        "image": name,
        "size": list(perception.image_size),
        "lanes": {line.lane_id.label: _lane_record(line) for line in perception.lanes},
        "mask": mask.as_posix() if perception.mask is not None else None,
        "stage_ms": {stage: round(value, 3) for stage, value in perception.stage_ms.items()},
    }


def _lane_record(line: LaneLine) -> dict[str, Any] | None:
    """Return a lane as JSON; ``None`` when it was not detected."""
    if not line.detected:
        return None
    return {
        "status": line.status.name,
        "confidence": round(line.confidence, 4),
        "points": [[round(float(x), 2), round(float(y), 2)] for x, y in line.points_px],
    }
