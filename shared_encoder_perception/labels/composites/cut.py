# SPDX-License-Identifier: Apache-2.0
"""``dataset cut``: cut what is new out of the pictures of a set: things for ``dataset compose``."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception import tasks as table
from shared_encoder_perception.drawing.pictures import as_png
from shared_encoder_perception.files.data_paths import write_new
from shared_encoder_perception.labels import native
from shared_encoder_perception.labels.composites.pictures import THING_PX
from shared_encoder_perception.labels.progress import shown

HELP: Final = "cut what is new out of the pictures of a set: things for compose"
LEAST_PX: Final = 60
"""Rows below which a thing is too coarse to be shown larger."""
DARKEST: Final = 25.0
"""Mean grey level below which a thing cannot be told from the night around it."""
RIM_PX: Final = 2
"""Of what is around a thing, that its soft edge needs; things nearer to the edge of the picture go
on beyond it, and are left out."""
SOFT_PX: Final = 0.6
"""Deviation of the edge's blur."""


def add_arguments(add: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``cut``."""
    add.add_argument("path", type=Path, metavar="SET", help="a native set with things labelled")
    add.add_argument("--out", type=Path, required=True, help="folder for the cut-outs")
    add.add_argument(
        "--least",
        type=int,
        default=LEAST_PX,
        metavar="PIXELS",
        help=f"height of the smallest thing ({LEAST_PX})",
    )


def run(args: argparse.Namespace) -> int:
    """Write a PNG with an alpha channel for each thing."""
    if args.least < 1:
        raise ValueError(f"--least is {args.least}, expected 1 or more")
    count = 0
    for frame in shown(native.read(args.path), unit="image"):
        sample = frame.load()
        for number, thing in enumerate(things_of(sample.image, sample.labels, args.least)):
            name = Path(frame.name).with_suffix("")
            write_new(args.out, name.with_name(f"{name.name}_{number}.png"), as_png(thing))
            count += 1
    if not count:
        raise ValueError(
            f"{args.path} has nothing that is new and whole, {args.least} rows high or more: "
            "expected labels with foreground, such as those of dataset render --traffic 1"
        )
    print(f"{count} cut-outs: {args.out}")
    return 0


def things_of(
    image: NDArray[np.uint8], labels: Mapping[str, Any], least: int = LEAST_PX
) -> Iterator[NDArray[np.uint8]]:
    """Yield what is new in a picture and shown whole, (h, w, 4) BGRA with a soft edge.

    Args:
        image: (H, W, 3) uint8 BGR.
        labels: Of it, by the name of the task.
        least: Rows of the smallest thing. Things that touch are one.
    """
    for task, room in table.parts("labels", labels).items():
        if hasattr(room, "shows_new"):
            yield from _cut(image, room.shows_new(labels[task]), least)


def _cut(
    image: NDArray[np.uint8], new: NDArray[np.bool_], least: int
) -> Iterator[NDArray[np.uint8]]:
    """Yield the connected parts of a mask (H, W) as cut-outs."""
    height, width = new.shape
    _, parts, boxes, _ = cv2.connectedComponentsWithStats(new.view(np.uint8))
    for number, (x, y, wide, high, _) in enumerate(boxes[1:].tolist(), start=1):
        right, bottom = x + wide + RIM_PX, y + high + RIM_PX
        inside = min(x, y) >= RIM_PX and right <= width and bottom <= height
        if high < least or min(wide, high) < THING_PX or not inside:
            continue
        if image[parts == number].mean() < DARKEST:
            continue
        window = np.s_[y - RIM_PX : bottom, x - RIM_PX : right]
        alpha = np.where(parts[window] == number, np.uint8(255), np.uint8(0))
        soft = cv2.GaussianBlur(alpha, (0, 0), SOFT_PX)
        yield np.dstack([image[window], soft])
