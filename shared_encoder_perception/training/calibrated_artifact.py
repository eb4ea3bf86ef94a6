# SPDX-License-Identifier: Apache-2.0
"""Fit an artifact's confidence and thresholds again; its weights stay as they are, byte for byte.

calibrate a.onnx --out b.onnx --version 1.1 --worlds 6000
calibrate a.onnx --out b.onnx --version 1.1 --held-out DATA/mine --all-frames
"""

from __future__ import annotations

import argparse
import math
import os
import shutil
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import chain
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import onnx
from tqdm import tqdm

from shared_encoder_perception import tasks
from shared_encoder_perception.artifact.file import kept_metadata, read_artifact, write_artifact
from shared_encoder_perception.artifact.store import fetch
from shared_encoder_perception.backends import load_backend
from shared_encoder_perception.evaluation.evaluate import SYNTHETIC, Frame, score, synthetic_frames
from shared_encoder_perception.evaluation.report_tables import terminal_table
from shared_encoder_perception.files.own_files import scratch_folder
from shared_encoder_perception.labels.sample import Sample
from shared_encoder_perception.predictor import Predictor
from shared_encoder_perception.spec import ModelSpec
from shared_encoder_perception.tasks.contract.scores import CALIBRATION
from shared_encoder_perception.tasks.contract.training import Events
from shared_encoder_perception.training.calibrate import calibrated, collect_events, uncalibrated
from shared_encoder_perception.training.held_out import held_out_frames
from shared_encoder_perception.training.rig_export import score_rigs
from shared_encoder_perception.world.synthetic import CALIBRATION_SEED, render_sample

WORLDS: Final = 400
"""With 6000, F1 of the shipped model's splits is 0.01 higher on others, that of lanes as it was."""


def add_calibration_options(parser: argparse.ArgumentParser) -> None:
    """Declare what is calibrated on."""
    parser.add_argument(
        "--worlds", type=int, default=WORLDS, help="worlds to calibrate and to score on"
    )
    parser.add_argument(
        "--held-out",
        type=Path,
        nargs="+",
        default=[],
        metavar="SET",
        help="native sets whose held-out folds help to calibrate: their folders or frames.jsonl, "
        "trained on with `fold: train` (default: worlds only)",
    )
    parser.add_argument(
        "--sources", nargs="+", default=[], help="use only these sources of --held-out"
    )


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("model", help="the .onnx artifact: a path, or s3://, gs://, https://")
    parser.add_argument("--out", type=Path, required=True, help="the .onnx file to write")
    parser.add_argument("--version", required=True, help="model version in the new spec")
    add_calibration_options(parser)
    parser.add_argument(
        "--all-frames",
        action="store_true",
        help="no frame of --held-out was trained on: use all, not only its held-out fold",
    )


def run(args: argparse.Namespace) -> int:
    """Calibrate a copy; what was at ``--out`` is replaced when all is done, or stays."""
    if args.worlds < 1:
        raise ValueError(f"--worlds is {args.worlds}, expected at least 1")
    if args.all_frames and not args.held_out:
        raise ValueError("--all-frames are those of --held-out, which is not given")
    model = fetch(args.model)
    if args.out.suffix != ".onnx" or args.out.resolve() == model.resolve():
        raise ValueError(f"--out is {args.out}, expected another .onnx file than the model")
    spec = replace(uncalibrated(read_artifact(model).spec), version=args.version)
    fold = "" if args.all_frames else "held_out"
    held_out = held_out_frames(args.held_out, args.sources, spec.input_size, fold)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    with scratch_folder(args.out.parent) as folder:
        part = Path(shutil.copy(model, folder))
        replace_spec(part, spec)
        calibrate_artifact(part, spec, held_out, args.worlds)
        os.replace(part, args.out)
    print(f"model: {args.out}")
    return 0


def calibrate_artifact(
    path: Path,
    spec: ModelSpec,
    held_out: Iterable[Frame],
    worlds: int,
    kept: Mapping[str, Any] = MappingProxyType({}),
) -> ModelSpec:
    """Calibrate the artifact at ``path`` in place, score it, and say what came of it.

    Args:
        path: An ``.onnx`` file with ``spec``.
        spec: Not calibrated.
        held_out: Real frames that took no part in training.
        worlds: Worlds to calibrate on; as many others to score on.
        kept: Spec blocks of tasks that are not fitted, since they were in another artifact.

    Returns:
        The spec that the artifact has now.
    """
    new = [name for name in spec.tasks if name not in kept]
    rendered = ((SYNTHETIC, sample, None) for sample in calibration_worlds(worlds, new))
    events = collect_events(load_backend(path), chain(held_out, rendered), new)
    if events:
        spec = calibrated(spec, events)
        print(calibration_table(spec, events))
    spec = replace(spec, tasks={**spec.tasks, **kept})
    replace_spec(path, spec)
    spec = replace(spec, scores=_scores(path, spec, worlds))
    replace_spec(path, spec)
    return spec


def _scores(path: Path, spec: ModelSpec, worlds: int) -> dict[str, float]:
    """Score an artifact on worlds; of a model that answers rigs, what it says of them alone."""
    if spec.of_rigs():
        scores = score_rigs(load_backend(path), worlds)
        flat = flatten(scores, filter(tasks.is_rig, spec.tasks))
        print("\n".join(f"{name}: {value:.3f}" for name, value in flat.items()))
        return flat
    frames = synthetic_frames(worlds, spec.tasks)
    scores = score(
        Predictor(load_backend(path)), tqdm(frames, total=worlds, desc="scoring", unit="image")
    )
    print(terminal_table(scores))
    return flatten(scores, spec.tasks)


def calibration_worlds(count: int, names: Collection[str]) -> Iterator[Sample]:
    """Render the worlds to calibrate tasks on."""
    for index in tqdm(range(count), desc="calibrating", unit="image"):
        yield render_sample(CALIBRATION_SEED + index, tasks=names)


def replace_spec(path: Path, spec: ModelSpec) -> None:
    """Give the ONNX file ``path`` another spec."""
    model = onnx.load(path)
    write_artifact(model, spec, path, kept_metadata(model))


def calibration_table(spec: ModelSpec, events: Mapping[str, Events]) -> str:
    """Say what was learned from what, for a terminal."""
    return "\n".join(line for name, one in events.items() for line in one.lines(spec.tasks[name]))


def flatten(scores: Mapping[str, Any], names: Iterable[str]) -> dict[str, float]:
    """Headline scores of tasks for the spec: ``set/ego_f1``, ``set/mask_iou``, ``set/lanes_ece``.

    Args:
        scores: By source, as ``evaluation.evaluate.score`` returns them.
        names: Of the tasks.
    """
    rooms = [tasks.part(name, "metric") for name in names]
    flat: dict[str, float] = {}
    for source, values in scores.items():
        for room in rooms:
            shipped = room.shipped_scores(values)
            flat |= {f"{source}/{key}": round(value, 4) for key, value in shipped.items()}
        for section, reliability in values.get(CALIBRATION, {}).items():
            flat[f"{source}/{section}_ece"] = round(reliability["ece"], 4)
    return {key: value for key, value in flat.items() if math.isfinite(value)}
