# SPDX-License-Identifier: Apache-2.0
"""``rig trials``: how often does ``rig check`` find a mistake in such a rig, or call it wrong?

In rendered worlds, with nobody there and in dense traffic: the rig as it is, and with each usual
mistake made on purpose.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final, NamedTuple

import cv2
import numpy as np
from tqdm import tqdm

from shared_encoder_perception.files.whole_file import write_json
from shared_encoder_perception.labels.rigs.render import SIZE
from shared_encoder_perception.rig.check import Check
from shared_encoder_perception.rig.frame import RigFrame
from shared_encoder_perception.rig.rig import Rig
from shared_encoder_perception.rig.rig_file import read_rig
from shared_encoder_perception.rig.usual_mistakes import USUAL_MISTAKES

NONE: Final = "none: called wrong"
TRAFFIC: Final = {"nobody there": 0.0, "dense traffic": 1.0}
"""Chance of traffic, by what is said of it."""
WORLDS: Final = 40
FIRST_SEED: Final = 1_000_000_400
"""Worlds that no limit of `rig check` was chosen by."""
MOMENTS: Final = (1, 4, 8)
STEP_M: Final = 15.0
"""From moment to moment."""
DICE: Final = 43
Key = tuple[str, str, int]
"""What was made, the traffic, and the number of moments."""


class Trial(NamedTuple):
    """One world.

    Attributes:
        rig: The cameras; ``None`` for the usual four.
        seed: Of the world.
        moments: How many to look at, each of these.
    """

    rig: Rig | None
    seed: int
    moments: tuple[int, ...]


def add_arguments(add: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add.add_argument("rig", type=Path, nargs="?", help="rig.yaml (default: four rendered cameras)")
    add.add_argument("--worlds", type=int, default=WORLDS, metavar="N")
    add.add_argument("--seed", type=int, default=FIRST_SEED, help="of the first world")
    add.add_argument(
        "--moments",
        type=int,
        nargs="+",
        default=list(MOMENTS),
        metavar="N",
        help=f"how many to look at, {STEP_M:g} m apart; each in a column",
    )
    add.add_argument("--workers", type=int, default=1, metavar="N", help="processes")
    add.add_argument("--json", type=Path, metavar="FILE", help="write the counts")
    add.set_defaults(action_run=run)


def run(args: argparse.Namespace) -> int:
    """Try it, and print the table."""
    moments = tuple(args.moments)
    if min(moments) < 1 or len(set(moments)) < len(moments):
        raise ValueError(f"--moments is {moments}, expected numbers from 1 on, each once")
    for name in ("worlds", "workers"):
        if getattr(args, name) < 1:
            raise ValueError(f"--{name} is {getattr(args, name)}, expected 1 or more")
    if args.seed < 0:
        raise ValueError(f"--seed is {args.seed}, expected 0 or more")
    rig = read_rig(args.rig).rig() if args.rig is not None else None
    trials = [Trial(rig, args.seed + index, moments) for index in range(args.worlds)]
    found = count(trials, args.workers)
    print("\n".join(table(found, moments, args.worlds)))
    if args.json is not None:
        rows = [
            {"made": made, "traffic": traffic, "moments": many, "said": found[made, traffic, many]}
            for made, traffic, many in _keys(moments)
        ]
        asked = {"worlds": args.worlds, "seed": args.seed, "rig": str(args.rig or "four")}
        write_json(args.json, {**asked, "rows": rows})
    return 0


def count(trials: Sequence[Trial], workers: int = 1) -> Counter[Key]:
    """Return in how many worlds something is said to be wrong, by what was made."""
    found: Counter[Key] = Counter()
    with ExitStack() as stack:
        done: Iterable[list[Key]] = map(said_of, trials)
        if workers > 1:
            pool = ProcessPoolExecutor(workers, get_context("spawn"), cv2.setNumThreads, (1,))
            done = stack.enter_context(pool).map(said_of, trials)
        for said in tqdm(done, total=len(trials), unit="world"):
            found.update(said)
    return found


def said_of(trial: Trial) -> list[Key]:
    """Return where something is said to be wrong in one world."""
    said = []
    for traffic, chance in TRAFFIC.items():
        frames = _drive(trial, chance)
        for number, (made, mistake) in enumerate({NONE: None, **USUAL_MISTAKES}.items()):
            dice = np.random.default_rng((trial.seed, DICE, number))
            shown = frames if mistake is None else mistake(frames, dice)
            said += [
                (made, traffic, many)
                for many in trial.moments
                if _is_told(Check(shown[0], more=tuple(shown[1:many])))
            ]
    return said


def _drive(trial: Trial, traffic: float) -> list[RigFrame]:
    """Render the moments of a world, without labels."""
    from shared_encoder_perception.world.rigs.dice_rig import four_cameras
    from shared_encoder_perception.world.rigs.drive import RigDrive

    rig = four_cameras(SIZE) if trial.rig is None else trial.rig
    drive = RigDrive(trial.seed, rig, SIZE, traffic_probability=traffic)
    return [drive.render(STEP_M * index) for index in range(max(trial.moments))]


def _is_told(check: Check) -> bool:
    """Whether something is said to be wrong; why is not asked, which takes long."""
    return any(one.grave for one in check.stated) or any(one.is_apart for one in check.overlaps)


def table(found: Counter[Key], moments: Sequence[int], worlds: int) -> list[str]:
    """Return the lines of a table in Markdown."""
    columns = [(traffic, many) for traffic in TRAFFIC for many in moments]
    head = [f"{traffic}, {many} moment{'s' if many > 1 else ''}" for traffic, many in columns]
    rows: list[list[Any]] = [[f"found, of {worlds}", *head], ["---"] * (len(columns) + 1)]
    rows += [
        [made, *(found[made, traffic, many] for traffic, many in columns)]
        for made in (NONE, *USUAL_MISTAKES)
    ]
    return [f"| {' | '.join(map(str, row))} |" for row in rows]


def _keys(moments: Sequence[int]) -> list[Key]:
    """Return all that is counted."""
    return [
        (made, traffic, many)
        for made in (NONE, *USUAL_MISTAKES)
        for traffic in TRAFFIC
        for many in moments
    ]
