# SPDX-License-Identifier: Apache-2.0
"""Hold version B of a model against version A: what got better, what got worse, and is it chance?

    python -m shared_encoder_perception diff A.onnx B.onnx --input DATA/val --out diff
    python -m shared_encoder_perception diff A.onnx B.onnx --input DRIVE --out diff --limits my.yaml
    python -m shared_encoder_perception diff before/ after/ --out diff

A and B are models, or the finished folders of two `evaluate` or two `replay` runs. Models perceive
the same images in turns: of a native data set, an image folder, a video or a bag, or rendered ones
(--synthetic). With labels both are scored as by `evaluate`; with or without, B is held against A.

Every change comes with its 95 % confidence interval: of the bootstrap over frames, paired, or over
blocks of consecutive frames (--block; 30 for videos and bags, else 1: set it for labelled drives).

--out DIR gets DIR/diff.json (the same bytes on every run) and DIR/report.html, with the frames that
changed most, side by side. The exit status is 1 when a limit is broken (--limits, a YAML file like
config/diff.yaml, which says what holds by default) or images could not be read, 2 when nothing
could be compared.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from tqdm import tqdm

from shared_encoder_perception import tasks
from shared_encoder_perception.artifact.file import CHECKPOINT
from shared_encoder_perception.backends import DEFAULT_MODEL, Backend
from shared_encoder_perception.backends.options import (
    add_engine_options,
    engine_conditions,
    load_engine,
)
from shared_encoder_perception.evaluation.diff.bootstrap import RESAMPLES, SEED
from shared_encoder_perception.evaluation.diff.changed import KINDS
from shared_encoder_perception.evaluation.diff.frames import open_input, rendered_input
from shared_encoder_perception.evaluation.diff.limits import (
    Limits,
    Verdict,
    default_limits,
    judge,
    read_limits,
)
from shared_encoder_perception.evaluation.diff.metrics import Change, scores_of
from shared_encoder_perception.evaluation.diff.pairs import Pairs, compare_frame
from shared_encoder_perception.evaluation.diff.report import to_text, write_report
from shared_encoder_perception.evaluation.diff.results import Outcome, compare_results, is_result
from shared_encoder_perception.evaluation.informed import perceive
from shared_encoder_perception.files.whole_file import sole_writer, write_json
from shared_encoder_perception.libraries import REPORT_LIBRARIES, can_write
from shared_encoder_perception.predictor import Predictor

DIFF, REPORT = "diff.json", "report.html"
BROKEN: Final = 1
"""Exit status."""
BETTER_WORDS: Final = {1: "higher", -1: "lower", 0: "neither"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "sides", nargs="*", metavar="A B", help="two models, or two folders of results"
    )
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--input", type=Path, help="data set, image folder, video or bag")
    source.add_argument("--synthetic", type=int, metavar="N", help="N rendered worlds")
    parser.add_argument("--topic", help="image topic of a bag that has several")
    parser.add_argument("--limit", type=int, default=0, metavar="N", help="most images; 0 for all")
    add_engine_options(parser)
    parser.set_defaults(backend=None)
    parser.add_argument("--out", type=Path, metavar="DIR", help=f"folder for {DIFF} and {REPORT}")
    parser.add_argument("--limits", type=Path, metavar="YAML", help="what B may lose")
    parser.add_argument("--resamples", type=int, default=RESAMPLES, help="of the bootstrap")
    parser.add_argument("--seed", type=int, default=SEED, help="of the bootstrap")
    parser.add_argument("--block", type=int, default=0, help="frames that are drawn together")
    parser.add_argument("--no-report", action="store_true", help=f"leave {REPORT} out")
    parser.add_argument("--metrics", action="store_true", help="list what limits can be set on")


def run(args: argparse.Namespace) -> int:
    """Compare, judge, print and write."""
    if args.metrics:
        scores = scores_of(tasks.ROOMS)
        width = max(len(one.name) for one in scores)
        for one in scores:
            print(f"{one.name:<{width}}  better: {BETTER_WORDS[one.better]}")
        return 0
    _check(args)
    limits = read_limits(args.limits) if args.limits else None
    folders = [Path(side) for side in args.sides if is_result(Path(side))]
    _check_sides(args, folders)
    with sole_writer(args.out):
        return _diff(args, folders, limits)


def _diff(args: argparse.Namespace, folders: Sequence[Path], limits: Limits | None) -> int:
    """Compare, judge, print and write."""
    outcome = (
        compare_results(folders[0], folders[1], args.block) if folders else compare_models(args)
    )
    pairs = outcome.pairs
    found = pairs.compute(resamples=args.resamples, seed=args.seed)
    limits = limits or default_limits(pairs.answered)
    verdicts = judge(found, limits, outcome.labelled, outcome.missing)
    conditions = {
        **outcome.conditions,
        "limits": args.limits.name if args.limits else "default",
        "intervals": f"{args.resamples} resamples of {pairs.units} {_units(pairs)}, seed "
        f"{args.seed}",
    }
    print(to_text(pairs, found, verdicts, outcome.notes))
    result = to_json(conditions, outcome, found, verdicts)
    write_json(args.out / DIFF, result)
    print(f"results: {args.out / DIFF}")
    if args.no_report:
        (args.out / REPORT).unlink(missing_ok=True)  # an older one would be of other results
    else:
        write_report(args.out / REPORT, conditions, outcome, found, verdicts)
        print(f"report:  {args.out / REPORT}")
    left_out = not folders and outcome.notes  # of results, what was not compared is no fault
    return BROKEN if left_out or any(one.broken for one in verdicts) else 0


def compare_models(args: argparse.Namespace) -> Outcome:
    """Perceive every image by both models, in turns.

    Raises:
        ValueError: A model or the input cannot be used.
    """
    backends = [_load(args, model) for model in args.sides]
    try:
        predictors = [Predictor(backend) for backend in backends]
        size = predictors[0].spec.input_size
        answered = _tasks(predictors)
        given = (
            open_input(args.input, args.topic, args.limit, answered)
            if args.input
            else rendered_input(args.synthetic, answered)
        )
        pairs = Pairs(args.block or given.block, answered)
        for predictor in predictors:
            predictor.warm_up()
        for frame in tqdm(given.read(), total=given.total or None, unit="image"):
            try:
                a, b = (perceive(predictor, frame.sample, frame.crop) for predictor in predictors)
            except ValueError as error:
                raise ValueError(f"{frame.name}: {error}") from None
            compare_frame(pairs, frame, (a, b), size, given.labelled)
    finally:
        for backend in backends:
            backend.close()
    conditions = {
        f"{side} {key}": value
        for side, backend in zip("AB", backends, strict=True)
        for key, value in engine_conditions(backend).items()
    }
    missing = "nothing of it is labelled" if given.labelled else "the input has no labels"
    return Outcome(
        pairs, {**conditions, **given.conditions}, given.labelled, missing, list(given.problems)
    )


def to_json(
    conditions: Mapping[str, str],
    outcome: Outcome,
    found: Mapping[str, Change],
    verdicts: Sequence[Verdict],
) -> dict[str, Any]:
    """Return everything as plain values; ``None`` for what is not known."""
    pairs = outcome.pairs
    return {
        "passed": not any(one.broken for one in verdicts),
        "broken": [one.broken for one in verdicts if one.broken],
        "conditions": dict(conditions),
        "notes": outcome.notes,
        "labelled": outcome.labelled,
        "frames": pairs.frames,
        "metrics": {
            name: {
                "a": _number(one.a),
                "b": _number(one.b),
                "change": _number(one.change),
                "low": _number(one.interval.low),
                "high": _number(one.interval.high),
                "better": BETTER_WORDS[one.better],
            }
            for name, one in found.items()
        },
        "limits": {
            one.metric: {
                "allowed": one.limit.loss,
                "significant": one.limit.significant,
                "loss": _number(one.loss),
                "broken": bool(one.broken),
                "note": one.broken or one.note,
            }
            for one in verdicts
        },
        "found": pairs.found,
        "changed": {
            kind: [
                {
                    "source": frame.source,
                    "frame": frame.name,
                    "amount": round(frame.amount, 4),
                    "a": frame.a[0],
                    "b": frame.b[0],
                }
                for frame in pairs.changed.most(kind)
            ]
            for kind in KINDS
        },
    }


def _check(args: argparse.Namespace) -> None:
    """Refuse what cannot end well, before the work and not after it."""
    if len(args.sides) != 2:
        raise ValueError(f"{len(args.sides)} models or folders are given, expected two: A and B")
    if args.model != str(DEFAULT_MODEL) or args.sha256:
        raise ValueError("diff takes its models as A and B, and has no --model and no --sha256")
    if args.out is None:
        raise ValueError(f"--out is missing: the folder for {DIFF} and {REPORT}")
    for name, least in (("limit", 0), ("resamples", 1), ("seed", 0), ("block", 0)):
        if getattr(args, name) < least:
            raise ValueError(f"--{name} is {getattr(args, name)}, expected {least} or more")
    if args.out.is_file():
        raise ValueError(f"--out {args.out} is a file, expected a folder")
    args.no_report = args.no_report or not can_write("the report", *REPORT_LIBRARIES)


def _check_sides(args: argparse.Namespace, folders: Sequence[Path]) -> None:
    """Refuse sides that do not fit one another, or the input."""
    for side in args.sides:
        if Path(side).is_dir() and not is_result(Path(side)):
            raise ValueError(
                f"{side} holds no finished result of evaluate (with --out) or replay; a model is "
                "given by its file"
            )
    given = args.input is not None or args.synthetic is not None
    if len(folders) == 1:
        raise ValueError(f"{folders[0]} is a result, the other one a model: give two of a kind")
    if folders and (given or args.topic or args.limit):
        raise ValueError("results bring their input along: leave the options of the input out")
    if folders and args.out.resolve() in [folder.resolve() for folder in folders]:
        raise ValueError(f"--out {args.out} is a result itself, whose report would be replaced")
    if not folders and not given:
        raise ValueError("give the images that both models are to perceive: --input or --synthetic")


def _load(args: argparse.Namespace, model: str) -> Backend:
    """Load one side's model: checkpoints by torch, others by ONNX Runtime, if nothing is said."""
    usual = "torch" if Path(model).suffix == CHECKPOINT else "onnxruntime"
    options = {**vars(args), "model": model, "backend": args.backend or usual}
    return load_engine(argparse.Namespace(**options))


def _tasks(predictors: Sequence[Predictor]) -> list[str]:
    """Return the tasks that one model or both answer.

    Raises:
        ValueError: None of them can be compared.
    """
    names = [name for name in tasks.ROOMS if any(name in one.spec.tasks for one in predictors)]
    if not tasks.parts("drift", names):
        raise ValueError(f"diff cannot compare answers of {', '.join(names)}: see tasks/contract")
    return names


def _units(pairs: Pairs) -> str:
    """Say what is drawn."""
    return "frames" if pairs.block == 1 else f"blocks of {pairs.block} frames"


def _number(value: float) -> float | None:
    """Round, so that no last bit of another library shows; nothing for NaN."""
    return None if math.isnan(value) else round(value, 6) + 0.0
