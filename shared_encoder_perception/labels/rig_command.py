# SPDX-License-Identifier: Apache-2.0
"""Rigs of several cameras: look at one before anything else.

    rig check rig.yaml --input pictures/ --out check.png
                                            pictures/front.png, pictures/left.png, ...
    rig check rig.yaml --input drive/       a rosbag2
    rig check --input rigs.jsonl            a labelled set, which has its own calibration
    rig trials rig.yaml                     how often it finds a mistake in such a rig

Moments of the drive are looked at together, those that --moments says: what stands on the ground
contradicts here and there, a wrong pose always. Exit status 0: fine. 1: two cameras contradict each
other on the ground, or something else is wrong. 3: they do, but there are too few moments to be
sure. docs/rig.md shows how to read the picture.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import numpy as np
from tqdm import tqdm

from shared_encoder_perception.drawing.pictures import write_picture
from shared_encoder_perception.files.safe_text import printable
from shared_encoder_perception.labels import rig_trials
from shared_encoder_perception.labels.rig_input import read_moments
from shared_encoder_perception.rig.agreement import FEWEST_MOMENTS, Agreement
from shared_encoder_perception.rig.check import GRID, MOST_DISAGREEMENT, Check
from shared_encoder_perception.rig.check_picture import draw_check
from shared_encoder_perception.rig.grid import BevGrid
from shared_encoder_perception.rig.rig_entries import angles_deg
from shared_encoder_perception.rig.rig_file import read_rig

FAULTY: Final = 1
"""Exit status when something is wrong with a rig."""
DOUBTFUL: Final = 3
"""Exit status when cameras contradict each other in too few moments to be sure."""
MOMENTS: Final = 8
MOST_MOMENTS: Final = 32
"""Their pictures are in memory together."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the sub-commands."""
    commands = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    add = commands.add_parser(
        "check", help="put the pictures on the ground, and see whether the cameras agree"
    )
    add.add_argument("rig", type=Path, nargs="?", help="rig.yaml; a rigs.jsonl needs none")
    add.add_argument(
        "--input",
        type=Path,
        required=True,
        help="folder with a picture (or a folder of them) by each camera's name, a rosbag2, or a "
        "rigs.jsonl",
    )
    add.add_argument("--out", type=Path, default=Path("check.png"), help="the picture to write")
    add.add_argument(
        "--grid",
        type=float,
        nargs=5,
        metavar=("X_MIN", "Y_MIN", "X_MAX", "Y_MAX", "CELL"),
        default=[*GRID.extent_m, GRID.cell_m],
        help="part of the ground, metres, and the side of a cell",
    )
    add.add_argument(
        "--max-disagreement",
        type=float,
        default=MOST_DISAGREEMENT,
        metavar="G",
        help="grey levels by which two cameras may differ, on average, where both see the ground",
    )
    add.add_argument(
        "--moments",
        type=int,
        metavar="N",
        help=f"how many moments to look at, spread evenly over the input (default: {MOMENTS}, at "
        f"most {MOST_MOMENTS})",
    )
    add.add_argument(
        "--frame",
        metavar="NAME",
        help="one moment only: a line of a rigs.jsonl, or a picture of each camera's folder",
    )
    add.add_argument(
        "--at",
        type=float,
        default=0.0,
        metavar="S",
        help="where in a bag the moments begin: seconds from its start",
    )
    add.set_defaults(action_run=_check)
    rig_trials.add_arguments(
        commands.add_parser(
            "trials", help="make the usual mistakes in rendered worlds: how many does check find?"
        )
    )


def run(args: argparse.Namespace) -> int:
    """Run the sub-command."""
    status: int = args.action_run(args)
    return status


def _check(args: argparse.Namespace) -> int:
    """Check a rig; say what is wrong, and draw it."""
    if not args.max_disagreement > 0:
        raise ValueError(f"--max-disagreement is {args.max_disagreement:g}, expected above 0")
    grid = _grid(args.grid)
    rig = read_rig(args.rig) if args.rig is not None else None
    (first, *more), notes = read_moments(
        rig, args.input, _count(args), args.frame, args.at, _progress
    )
    check = Check(first, grid, args.max_disagreement, tuple(more), _progress)
    print("\n".join(map(printable, [*notes, *table(check)])))
    for fault in check.faults:
        kind = "fault" if fault.grave else "warning"
        print(f"{kind}: {printable(fault.text)}", file=sys.stderr)
    write_picture(args.out, draw_check(check))
    print(f"wrote {printable(args.out)}")
    if check.is_fine:
        return 0
    return DOUBTFUL if check.is_doubtful else FAULTY


def _count(args: argparse.Namespace) -> int:
    """Return how many moments are asked for."""
    if args.moments is None:
        return 1 if args.frame is not None else MOMENTS
    if not 1 <= args.moments <= MOST_MOMENTS:
        raise ValueError(f"--moments is {args.moments}, expected 1 to {MOST_MOMENTS}")
    if args.frame is not None and args.moments > 1:
        raise ValueError("--frame names one moment: leave it out, or --moments")
    count: int = args.moments
    return count


def _progress(things: Iterable[Any], what: str) -> Iterable[Any]:
    """Show how many have gone by, on a terminal."""
    return tqdm(things, desc=what, leave=False, disable=None)


def _grid(numbers: list[float]) -> BevGrid:
    """Build the grid of ``--grid``."""
    x_min, y_min, x_max, y_max, cell = numbers
    if not (np.isfinite(numbers).all() and cell > 0 and x_max > x_min and y_max > y_min):
        raise ValueError(
            f"--grid is {' '.join(f'{n:g}' for n in numbers)}, expected x_min y_min x_max y_max, "
            "each least one below its greatest one, and the side of a cell, all metres"
        )
    columns, rows = (max(round(side / cell), 1) for side in (x_max - x_min, y_max - y_min))
    return BevGrid(x_min, y_min, columns, rows, cell, heights_m=(0.0,))


def table(check: Check) -> list[str]:
    """Return what was measured, a line for each camera and for each two that overlap."""
    rig = check.frame.rig
    wide = max(6, *map(len, rig.names))
    lines = [f"{'camera':<{wide}}  picture      x, y, z m            yaw  pitch  roll   sees"]
    seen = {view.name: float(view.seen.mean()) for view in check.views}
    for camera in rig.cameras:
        height, width = camera.image_size
        x, y, z = camera.view.position
        roll, pitch, yaw = angles_deg(camera.view.extrinsics)
        share = f"{seen[camera.name]:6.1%}" if camera.name in seen else "  none"
        lines.append(
            f"{camera.name:<{wide}}  {f'{width}x{height}':<11}  {x:5.2f} {y:5.2f} {z:5.2f}   "
            f"{yaw:6.1f} {pitch:6.1f} {roll:5.1f} {share}"
        )
    views = check.mosaic.views
    lines.append(
        f"ground: {(views == 0).mean():.1%} seen by none, {(views == 1).mean():.1%} by one, "
        f"{(views > 1).mean():.1%} by more"
    )
    wide = max([8, *(len(" + ".join(pair.names)) for pair in check.overlaps)])
    lines.append(f"{'overlap':<{wide}}    m2  grey levels  correlation  brighter by  contradict in")
    for pair in check.overlaps:
        area = pair.cells * check.coarse.cell_m**2
        lines.append(
            f"{' + '.join(pair.names):<{wide}}  {area:4.0f}  {pair.disagreement:11.1f}  "
            f"{pair.correlation:11.2f}  {pair.gain:11.2f}  "
            f"{f'{pair.contradicting} of {len(pair.moments)}':>13}{_verdict(pair)}"
        )
    if not check.overlaps:
        lines.append("no two cameras see the same ground: nothing can be compared")
    return [*lines, check.looked_at]


def _verdict(pair: Agreement) -> str:
    """Say in a word whether two cameras show the same ground; nothing where they do."""
    if pair.is_apart:
        return "  apart"
    even = len(pair.telling) < FEWEST_MOMENTS <= len(pair.moments)
    return "  too even to tell" if even else ""
