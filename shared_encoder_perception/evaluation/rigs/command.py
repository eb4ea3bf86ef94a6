# SPDX-License-Identifier: Apache-2.0
"""``evaluate --rigs``: score a model on labelled moments of rigs, beside what does not need it."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any, Final

from tqdm import tqdm

from shared_encoder_perception import tasks
from shared_encoder_perception.backends import DEFAULT_MODEL, Backend
from shared_encoder_perception.backends.options import (
    engine_conditions,
    load_engine,
    tta_conditions,
)
from shared_encoder_perception.evaluation.rigs.answers import Asked, Swap
from shared_encoder_perception.evaluation.rigs.counts import MomentRecord
from shared_encoder_perception.evaluation.rigs.labelled_rigs import (
    KINDS,
    LabelledRigs,
    open_rigs,
    render_rigs,
    source_of,
)
from shared_encoder_perception.evaluation.rigs.moments_csv import write_moments
from shared_encoder_perception.evaluation.rigs.picked_moments import (
    as_jpeg,
    draw_moment_beside_label,
    pick,
)
from shared_encoder_perception.evaluation.rigs.rig_evaluation import ON_GROUND, RigEvaluation
from shared_encoder_perception.evaluation.rigs.rig_tables import terminal_text
from shared_encoder_perception.files.whole_file import sole_writer, write_json
from shared_encoder_perception.libraries import REPORT_LIBRARIES, can_write
from shared_encoder_perception.rig_predictor import RigPredictor
from shared_encoder_perception.tasks.contract.reports import CONSTANT

SCORES, MOMENTS, REPORT = "scores.json", "moments.csv", "report.html"
"""Files in the folder of ``--out``."""
ELSEWHERE: Final = {
    "worst": "the report shows the worst moments",
    "reliability": "the report has the diagram",
    "sweep": "other crops are of single pictures",
}
"""Options of ``evaluate`` that are for single pictures, and what there is instead."""


def add_sources(source: Any) -> None:
    """Declare what is scored; to a group of options of which one is needed."""
    source.add_argument("--rigs", type=Path, help="a set of labelled rigs, or its rigs.jsonl")
    source.add_argument(
        "--synthetic-rigs", type=int, metavar="N", help="score N rendered moments of rigs"
    )


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare the options that are for rigs."""
    parser.add_argument(
        "--rig",
        metavar="RIG",
        help=f"--synthetic-rigs: {', '.join(KINDS)} ({KINDS[0]}), or a rig.yaml",
    )
    parser.add_argument(
        "--swap",
        nargs="*",
        metavar="CAMERA",
        help="rigs: score with the calibrations of two cameras swapped, too, to show that they "
        "matter; without names, of the two that look most apart",
    )


def is_of_rigs(args: argparse.Namespace) -> bool:
    """Whether the command is asked to score moments of rigs.

    Raises:
        ValueError: It is not, and an option says otherwise.
    """
    if args.rigs is not None or args.synthetic_rigs is not None:
        return True
    for name in ("rig", "swap"):
        if getattr(args, name) is not None:
            raise ValueError(f"--{name} is for --rigs and --synthetic-rigs, which are not given")
    return False


def run(args: argparse.Namespace) -> int:
    """Score, print tables, and write what was asked for."""
    swap = _check(args)
    with _labelled(args) as labelled, sole_writer(args.out) if args.out else nullcontext():
        return _score(args, labelled, swap)


def _check(args: argparse.Namespace) -> Swap | None:
    """Refuse what cannot end well, before the work; return what is to be swapped."""
    for name, instead in ELSEWHERE.items():
        if getattr(args, name):
            raise ValueError(f"--{name} is for single pictures: {instead}")
    if args.rigs is not None and (args.traffic is not None or args.rig is not None):
        raise ValueError("--traffic and --rig are for --synthetic-rigs: leave them out")
    if args.out:
        if args.out.suffix == ".json" or args.out.is_file():
            raise ValueError(
                f"--out is a folder, not a file: it gets {SCORES}, {MOMENTS}, {REPORT}"
            )
        args.no_report = args.no_report or not can_write("the report", *REPORT_LIBRARIES)
    if args.swap is None:
        return None
    if len(args.swap) not in (0, 2):
        raise ValueError(f"--swap names {len(args.swap)} cameras, expected two, or none")
    return Swap((args.swap[0], args.swap[1]) if args.swap else None)


@contextmanager
def _labelled(args: argparse.Namespace) -> Iterator[LabelledRigs]:
    """Open or render what is scored; rendered moments are gone afterwards."""
    if args.rigs is not None:
        yield open_rigs(args.rigs)
        return
    with tempfile.TemporaryDirectory(prefix="rigs_") as folder:
        kind = KINDS[0] if args.rig is None else args.rig
        yield render_rigs(args.synthetic_rigs, Path(folder) / "set", kind, args.traffic)


def _score(args: argparse.Namespace, labelled: LabelledRigs, swap: Swap | None) -> int:
    """Score with a checked command line."""
    if swap is not None and swap.names is not None:
        for name in swap.names:
            if name not in labelled.cameras:
                raise ValueError(
                    f"--swap: no rig of the set has a camera {name!r}, they have "
                    f"{', '.join(labelled.cameras)}"
                )
    predictor = RigPredictor(load_engine(args), labelled.first, variants=args.tta)
    _check_labels(predictor, labelled)
    asked = Asked(predictor, lambda: _masks(args), swap)
    evaluation = RigEvaluation(predictor.task, predictor.grid)
    records = labelled.records
    labels = (record.label() for record in records)
    evaluation.learn(tqdm(labels, total=len(records), unit="moment", desc="baseline", leave=False))
    predictor.warm_up()
    for index, record in enumerate(tqdm(records, unit="moment")):
        frame = record.frame()
        assert frame.label is not None
        answers = asked.ask(frame, record.where)
        evaluation.update(index, record.name, source_of(record), frame.label, answers)
    if not any(one.scores.scored for one in evaluation.records):
        raise ValueError(
            f"{records.path}: of what the model answers nothing is labelled on cells that it sees: "
            "there is nothing to score"
        )
    print(terminal_text(evaluation))
    if args.out:
        _write(args, evaluation, asked, labelled, _conditions(args, asked, labelled, swap))
    return 0


def _masks(args: argparse.Namespace) -> Backend:
    """Load the shipped model, whose masks are put on the ground where a model has none."""
    other = {**vars(args), "model": str(DEFAULT_MODEL), "sha256": ""}
    return load_engine(argparse.Namespace(**other))


def _check_labels(predictor: RigPredictor, labelled: LabelledRigs) -> None:
    """Refuse a set that labels nothing of what single masks on the ground can say."""
    if any(tasks.is_rig(name) for name in predictor.spec.tasks):
        return
    maps = [room.MAP for room in tasks.parts("on_ground", predictor.spec.tasks).values()]
    if not any(labelled.labelled.get(name) for name in maps):
        known = [name for name, count in labelled.labelled.items() if count]
        raise ValueError(
            f"the set labels {' and '.join(known)}, the model answers {' and '.join(maps)}: there "
            "is nothing to score"
        )


def _conditions(
    args: argparse.Namespace, asked: Asked, labelled: LabelledRigs, swap: Swap | None
) -> dict[str, str]:
    """Say what the scores depend on."""
    grid = asked.predictor.grid
    x_min, y_min, x_max, y_max = grid.extent_m
    cells = f"x {x_min:g} to {x_max:g} m, y {y_min:g} to {y_max:g} m, {grid.cell_m:g} m each"
    conditions = {
        **engine_conditions(asked.predictor.backend),
        **tta_conditions(args.tta),
        **labelled.conditions,
        "cells": cells,
        f"{CONSTANT} baseline": "learned from the labels of the very same moments",
    }
    if asked.masks_title:
        conditions[ON_GROUND] = asked.masks_title
    if swap is not None:
        conditions["swapped"] = f"calibrations of {swap}"
    return conditions


def _write(
    args: argparse.Namespace,
    evaluation: RigEvaluation,
    asked: Asked,
    labelled: LabelledRigs,
    conditions: Mapping[str, str],
) -> None:
    """Write scores, moments and report."""
    write_json(args.out / SCORES, {"conditions": conditions, **evaluation.summary()})
    write_moments(args.out / MOMENTS, evaluation.task, evaluation.records)
    print(f"scores: {args.out / SCORES}\nmoments: {args.out / MOMENTS}")
    if args.no_report:
        (args.out / REPORT).unlink(missing_ok=True)  # an older one would be of other scores
        return
    from shared_encoder_perception.evaluation.rigs.rig_report import write_report

    def picture(moment: MomentRecord) -> bytes:
        record = labelled.records[moment.index]
        frame = record.frame()
        assert frame.label is not None
        answers = asked.ask(frame, record.where)
        return as_jpeg(draw_moment_beside_label(frame, frame.label, answers))

    title = f"Evaluation of {conditions['model']} on rigs"
    shown = pick(evaluation.records)
    write_report(args.out / REPORT, title, conditions, evaluation, shown, picture)
    print(f"report: {args.out / REPORT}")
