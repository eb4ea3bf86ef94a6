# SPDX-License-Identifier: Apache-2.0
"""Score a model on labelled images: a native data set (``frames.jsonl``), or synthetic worlds.

python -m shared_encoder_perception evaluate --labels DIR/frames.jsonl --out scores
python -m shared_encoder_perception evaluate --synthetic 200 --reliability diagram.png
python -m shared_encoder_perception evaluate --labels DIR/frames.jsonl --worst failures.jpg
python -m shared_encoder_perception evaluate --rigs DIR/rigs.jsonl --out scores

Beside the model two baselines are scored on the same images, which do not look at them: "constant"
says what is usual, such as each head's mean line, "empty" that there is nothing.

--tta flip,scale:0.75 perceives several pictures of each image and makes their answers one; the
scores then say so among their conditions. --sweep scores other crops instead: see ``sweep``.
--rigs and --synthetic-rigs score several cameras together: see ``rigs.command``.

--out DIR writes DIR/summary.json (every score of every source, baseline and slice; null where
nothing was counted), DIR/frames.csv (a line per image) and DIR/report.html (for people; one file,
no network needed). All but latencies is the same on every run: those are the last columns of
frames.csv, and in the report.
"""

from __future__ import annotations

import argparse
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any, Final

from tqdm import tqdm

from shared_encoder_perception.backends.options import (
    add_engine_options,
    add_tta_option,
    engine_conditions,
    load_engine,
    tta_conditions,
)
from shared_encoder_perception.drawing.pictures import write_picture
from shared_encoder_perception.evaluation import labelled_images, sweep
from shared_encoder_perception.evaluation.evaluation import Evaluation
from shared_encoder_perception.evaluation.evaluation_report import write_report
from shared_encoder_perception.evaluation.failures import WorstFrames
from shared_encoder_perception.evaluation.frame_record import FramesCsv
from shared_encoder_perception.evaluation.informed import perceive
from shared_encoder_perception.evaluation.labelled_images import (
    LabelledSet,
    open_set,
    render_worlds,
)
from shared_encoder_perception.evaluation.reliability import plot, require_statements
from shared_encoder_perception.evaluation.report_tables import terminal_table
from shared_encoder_perception.evaluation.rigs import command as rigs
from shared_encoder_perception.evaluation.scorer import Scorer
from shared_encoder_perception.files.whole_file import sole_writer, write_json
from shared_encoder_perception.images.preprocess import Crop
from shared_encoder_perception.labels import native
from shared_encoder_perception.labels.rigs.native import is_rig_set
from shared_encoder_perception.labels.sample import Sample
from shared_encoder_perception.libraries import REPORT_LIBRARIES, can_write
from shared_encoder_perception.predictor import Predictor
from shared_encoder_perception.world import choice
from shared_encoder_perception.world.synthetic import VALIDATION_SEED, render_sample

SYNTHETIC: Final = labelled_images.SYNTHETIC
"""Source name of rendered worlds."""
SUMMARY, FRAMES, REPORT = "summary.json", "frames.csv", "report.html"
SWEEP, SWEEP_PICTURE = "sweep.json", "sweep.png"
"""Files in the folder of ``--out``."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--labels", type=Path, help="a native data set, or its frames.jsonl")
    source.add_argument("--synthetic", type=int, metavar="N", help="score N rendered worlds")
    rigs.add_sources(source)
    parser.add_argument(
        "--traffic",
        type=float,
        metavar="P",
        help="worlds: chance that somebody is seen near by, else nobody (as the dice fall)",
    )
    choice.add_arguments(parser)
    parser.add_argument(
        "--worst", type=Path, metavar="PICTURE", help="draw the worst frames of each source"
    )
    add_engine_options(parser, "onnxruntime")  # the same on every machine
    add_tta_option(parser)
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help=f"folder for {SUMMARY}, {FRAMES} and {REPORT}"
    )
    parser.add_argument(
        "--sweep",
        action="store_true",
        help="score other crops: the horizon from 2 to 45 %% of the height, scales from 0.6 to 1.6",
    )
    parser.add_argument("--no-report", action="store_true", help=f"leave {REPORT} out")
    parser.add_argument(
        "--reliability", type=Path, metavar="PNG", help="draw stated against true confidence"
    )
    rigs.add_options(parser)


def run(args: argparse.Namespace) -> int:
    """Score, print a table, and write what was asked for."""
    if rigs.is_of_rigs(args):
        choice.refuse(args, "rigs")
        return rigs.run(args)
    _check(args)
    with sole_writer(args.out) if args.out else nullcontext():
        return _score(args)


def _score(args: argparse.Namespace) -> int:
    """Score with a checked command line."""
    predictor = Predictor(load_engine(args), variants=args.tta)
    size, names = predictor.spec.input_size, tuple(predictor.spec.tasks)
    path, count = args.labels, args.synthetic
    asked = choice.asked_by(args)
    labelled = open_set(path, names) if path else render_worlds(count, names, args.traffic, asked)
    _check_tasks(names, labelled)
    if args.sweep:
        return _sweep(args, predictor, labelled)
    if args.reliability:
        require_statements(names)
    worst = WorstFrames(size) if args.worst else None
    evaluation = Evaluation(labelled, size, names)
    evaluation.learn(tqdm(labelled.learn(), unit="image", desc="baselines", leave=False))
    predictor.warm_up()
    with FramesCsv(args.out / FRAMES, names) if args.out else nullcontext() as frames:
        for image in tqdm(labelled.read(), total=labelled.total, unit="image"):
            perception = perceive(predictor, image.sample, image.crop)
            record = evaluation.update(image, perception)
            if frames:
                frames.write(record)
            if worst:
                worst.update(image.source, perception, image.sample, image.crop, image.name)
    summary = evaluation.summary()
    print(terminal_table(summary["sources"], summary["baselines"]))
    if args.out:
        _write(args, summary, _conditions(args, predictor, labelled), evaluation)
    if worst:
        write_picture(args.worst, worst.sheet())
        print(f"worst frames: {args.worst}")
    if args.reliability:
        write_picture(args.reliability, plot(summary["sources"]))
        print(f"reliability diagram: {args.reliability}")
    return 0


def _sweep(args: argparse.Namespace, predictor: Predictor, labelled: LabelledSet) -> int:
    """Score from other viewpoints; print tables, and write and draw what was asked for."""
    names = tuple(predictor.spec.tasks)
    if args.labels:
        rows_px = sweep.horizons(labelled)
        for source in sorted(labelled.counts.keys() - rows_px.keys()):
            print(f"left out: {source}, whose labels do not tell where its horizon is")
        views, total = sweep.views_of_set(labelled, rows_px, predictor.spec.input_size), None
    else:
        views = sweep.views_of_worlds(args.synthetic, names)
        total = args.synthetic * len(sweep.VIEWPOINTS)
    predictor.warm_up()
    rows = sweep.sweep(predictor, views, total)
    shown = sweep.score_names(names, rows)
    for score_name in shown:
        print(sweep.table(rows, score_name))
    if args.out:
        conditions = _conditions(args, predictor, labelled)
        write_json(args.out / SWEEP, {"conditions": conditions, "viewpoints": rows})
        print(f"scores: {args.out / SWEEP}")
        if can_write("the picture of the sweep", "matplotlib"):
            write_picture(args.out / SWEEP_PICTURE, sweep.plot(rows, shown, conditions["model"]))
            print(f"picture: {args.out / SWEEP_PICTURE}")
    return 0


def _conditions(
    args: argparse.Namespace, predictor: Predictor, labelled: LabelledSet
) -> dict[str, str]:
    """Say what the scores depend on."""
    return {
        **engine_conditions(predictor.backend),
        **tta_conditions(args.tta),
        **labelled.conditions,
    }


def _write(
    args: argparse.Namespace,
    summary: Mapping[str, Any],
    conditions: Mapping[str, str],
    evaluation: Evaluation,
) -> None:
    """Write what stands beside the table of frames in the folder of ``--out``."""
    write_json(args.out / SUMMARY, {"conditions": conditions, **summary})
    print(f"scores: {args.out / SUMMARY}\nframes: {args.out / FRAMES}")
    if args.no_report:
        (args.out / REPORT).unlink(missing_ok=True)  # an older one would be of other scores
        return
    write_report(args.out / REPORT, f"Evaluation of {conditions['model']}", conditions, evaluation)
    print(f"report: {args.out / REPORT}")


def _check(args: argparse.Namespace) -> None:
    """Refuse what cannot end well, before the work and not after it."""
    if args.labels and is_rig_set(args.labels):
        raise ValueError(f"{args.labels} is a set of rigs: score it with --rigs {args.labels}")
    if args.traffic is not None and (args.labels or args.sweep):
        raise ValueError("--traffic is for --synthetic, without --sweep: leave it out")
    if choice.asked_by(args) and (args.labels or args.sweep):
        raise ValueError("--places, --weathers and --surfaces are for --synthetic, without --sweep")
    if args.sweep and (args.worst or args.reliability):
        raise ValueError("--sweep scores other crops: leave --worst and --reliability out")
    if args.reliability and not can_write("the reliability diagram", "matplotlib"):
        args.reliability = None
    if not args.out:
        return
    if args.out.suffix == ".json" or args.out.is_file():
        raise ValueError(
            f"--out is a folder, not a file: --out {args.out.with_suffix('')} writes the scores to "
            f"{args.out.with_suffix('') / SUMMARY}"
        )
    args.no_report = args.no_report or not can_write("the report", *REPORT_LIBRARIES)


def _check_tasks(tasks: Collection[str], labelled: LabelledSet) -> None:
    """Refuse a set whose labels are all of what the model does not answer."""
    if not any(labelled.labelled.get(task) for task in tasks):
        known = [task for task, count in labelled.labelled.items() if count]
        raise ValueError(
            f"the set labels {' and '.join(known) or 'nothing of it'}, the model answers "
            f"{' and '.join(tasks)}: there is nothing to score"
        )


Frame = tuple[str, Sample, Crop | None]
"""Source name, labelled image, crop to use."""


def synthetic_frames(count: int, names: Collection[str]) -> Iterator[Frame]:
    """Yield ``count`` validation worlds, the same pictures for every model, labelled for tasks."""
    for index in range(count):
        yield SYNTHETIC, render_sample(VALIDATION_SEED + index, tasks=names), None


def native_frames(path: Path) -> Iterator[Frame]:
    """Yield the frames of a native data set.

    Raises:
        ValueError: A line or a file that cannot be read, with file and line.
    """
    for frame in native.read(path):
        yield frame.source, frame.to_score().load(), frame.crop


def score(
    predictor: Predictor, frames: Iterable[Frame], worst: WorstFrames | None = None
) -> dict[str, dict[str, Any]]:
    """Run the predictor over frames; see ``Scorer.compute`` for what comes out.

    Args:
        predictor: The model.
        frames: What to score it on.
        worst: Gets to see every frame too.
    """
    scorer = Scorer(predictor.spec.input_size)
    for source, sample, crop in frames:
        perception = perceive(predictor, sample, crop)
        scorer.update(source, perception, sample, crop)
        if worst:
            worst.update(source, perception, sample, crop)
    return scorer.compute()
