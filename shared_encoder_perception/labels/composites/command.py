# SPDX-License-Identifier: Apache-2.0
"""``dataset compose``: backgrounds and cut-outs become an index of as many pairs as one likes."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.drawing.pictures import tile, write_picture
from shared_encoder_perception.files.whole_file import check_outside
from shared_encoder_perception.labels.composites.fold import Composites
from shared_encoder_perception.labels.composites.index import (
    FILE_NAME,
    FOLDS,
    Index,
    write_index,
)
from shared_encoder_perception.labels.composites.make import make_index
from shared_encoder_perception.labels.progress import shown
from shared_encoder_perception.tasks.label_files import FILE_NAME as SET_NAME

HELP: Final = "put cut-outs into pictures of places: an index of pairs, made when they are needed"
ON_SHEET: Final = 24
SHEET_WIDTH_PX: Final = 960


def add_arguments(add: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``compose``."""
    add.add_argument(
        "--backgrounds",
        type=Path,
        required=True,
        metavar="FOLDER",
        help="pictures of places, of any kind; folders in it count",
    )
    add.add_argument(
        "--foregrounds",
        type=Path,
        required=True,
        metavar="FOLDER",
        help="cut-outs: PNGs with an alpha channel, transparent around the thing",
    )
    add.add_argument(
        "--out",
        type=Path,
        required=True,
        metavar="INDEX",
        help=f"the file to write (.json), or a folder for it ({FILE_NAME})",
    )
    add.add_argument("--places", type=int, default=20, help="of each thing in each background (20)")
    add.add_argument("--mirror", action="store_true", help="put things there mirrored, too")
    add.add_argument("--seed", type=int, default=0, help="of the dice (0)")
    add.add_argument(
        "--held-out",
        type=float,
        default=0.2,
        metavar="SHARE",
        help="of the backgrounds, and of the cut-outs, that training never sees; 0 for none (0.2)",
    )
    add.add_argument(
        "--empty",
        type=float,
        default=0.1,
        metavar="SHARE",
        help="of the pairs in which nothing is new (0.1)",
    )
    add.add_argument("--sheet", type=Path, metavar="PICTURE", help="draw some of the pairs")


def run(args: argparse.Namespace) -> int:
    """Write an index, say what it holds, draw some of it."""
    path: Path = args.out if args.out.suffix == ".json" else args.out / FILE_NAME
    if path.exists():
        raise FileExistsError(f"{path} exists already: remove it, or choose another --out")
    if (path.parent / SET_NAME).exists():
        raise ValueError(
            f"{path.parent} holds a native set ({SET_NAME}): choose another --out, so that a "
            "folder is one data set"
        )
    if args.sheet:
        for folder in (args.backgrounds, args.foregrounds):
            check_outside(args.sheet, folder, "--sheet")
    index = make_index(
        args.backgrounds,
        args.foregrounds,
        path,
        seed=args.seed,
        places=args.places,
        mirror=args.mirror,
        empty=args.empty,
        held_out=args.held_out,
        progress=lambda paths, what: shown(paths, what, unit="picture", leave=False),
    )
    size = write_index(path, index)
    print(f"index of {size / 1000:.0f} kB: {path}")
    for line in table(index):
        print(line)
    if args.sheet:
        write_picture(args.sheet, sheet(Composites(path)))
        print(f"sheet: {args.sheet}")
    return 0


def table(index: Index) -> Iterator[str]:
    """Say what is in each fold of an index."""
    sides = index.sides() * index.places
    yield f"{'fold':<20}{'backgrounds':>12}{'cut-outs':>10}{'composites':>12}"
    for fold in FOLDS if index.held_out else ("train",):
        places, things = (len(files) for files in index.of_fold(fold))
        yield f"{fold:<20}{places:>12}{things:>10}{places * things * sides:>12}"
    if index.empty:
        yield f"nothing is new in {index.empty:.0%} of them"


def sheet(composites: Composites) -> NDArray[np.uint8]:
    """Draw some composites: image, background and mask beside each other.

    Returns:
        (H, W, 3) uint8 BGR.
    """
    numbers = [composites.spread(at) for at in range(min(ON_SHEET, len(composites)))]
    rows = []
    for number in numbers:
        image, background, mask = composites.pair(number)
        rows.append(np.hstack([image, background, np.repeat(mask[:, :, None], 3, axis=2)]))
    return tile(rows, 2, SHEET_WIDTH_PX, [str(number) for number in numbers])
