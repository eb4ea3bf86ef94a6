"""Checkpoint -> ONNX artifact with its ModelSpec inside.

python -m shared_encoder_perception export --checkpoint runs/default/last.ckpt --out default.onnx
"""

from __future__ import annotations

import argparse
import math
import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import onnx
import torch
from tqdm import tqdm

from shared_encoder_perception.backends import load_backend
from shared_encoder_perception.evaluation.evaluate import score, synthetic_frames, table
from shared_encoder_perception.model.checkpoint import load_network
from shared_encoder_perception.model.network import DeployWrapper, PerceptionNetwork
from shared_encoder_perception.predictor import Predictor
from shared_encoder_perception.spec import (
    INPUT_IMAGE,
    METADATA_KEY,
    OUTPUT_LANES,
    OUTPUT_MASK,
    ModelSpec,
)
from shared_encoder_perception.training.calibrate import fit_lane_thresholds, learn_start_priors
from shared_encoder_perception.training.sample import Sample
from shared_encoder_perception.training.synthetic import render_sample

OPSET: Final = 18
CALIBRATION_SEED: Final = 900_000_000
"""Worlds from here on set priors and thresholds; trained on below, scored on above."""


def export_onnx(network: PerceptionNetwork, spec: ModelSpec, path: Path) -> None:
    """Write ``network`` as an ONNX file that keeps ``spec``'s promise.

    The batch axis is dynamic and weights are inside the file.

    Args:
        network: Trained network; put into inference mode.
        spec: Goes into the file's metadata.
        path: File to write; replaced if it exists.
    """
    wrapper = DeployWrapper(network.cpu())
    images = torch.zeros((2, *spec.input_size, 3), dtype=torch.uint8)
    program = torch.onnx.export(
        wrapper,
        (images,),
        input_names=[INPUT_IMAGE],
        output_names=[OUTPUT_LANES, OUTPUT_MASK],
        dynamic_shapes=({0: torch.export.Dim("N", min=1)},),
        opset_version=OPSET,
        dynamo=True,
        verbose=False,
    )
    if program is None:
        raise RuntimeError("torch.onnx.export returned no program")
    _save(program.model_proto, spec, path)


def replace_spec(path: Path, spec: ModelSpec) -> None:
    """Give the ONNX file ``path`` another spec."""
    _save(onnx.load(path), spec, path)


def _save(model: onnx.ModelProto, spec: ModelSpec, path: Path) -> None:
    """Check and write a model; it appears under its name only when it is complete."""
    del model.metadata_props[:]
    entry = model.metadata_props.add()
    entry.key, entry.value = METADATA_KEY, spec.to_json()
    onnx.checker.check_model(model, full_check=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    part.write_bytes(model.SerializeToString())
    os.replace(part, path)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--checkpoint", type=Path, required=True, help="network.pt of a run")
    parser.add_argument("--out", type=Path, required=True, help="the .onnx file to write")
    parser.add_argument("--name", default="default", help="model name in the spec")
    parser.add_argument("--version", default="0.1.0", help="model version in the spec")
    parser.add_argument("--training-data", default="synthetic worlds", help="one line for people")
    parser.add_argument("--git-commit", default="", help="commit of the code that trained it")
    parser.add_argument(
        "--worlds", type=int, default=400, help="worlds to calibrate and to score on"
    )


def run(args: argparse.Namespace) -> int:
    """Export, calibrate the decoder, score on unseen synthetic worlds; all goes into the spec."""
    network = load_network(args.checkpoint)
    spec = ModelSpec(
        args.name,
        args.version,
        training_data=args.training_data,
        git_commit=args.git_commit,
    )
    spec = replace(spec, start_priors=learn_start_priors(spec, _worlds(spec, args.worlds)))
    export_onnx(network, spec, args.out)
    predictor = Predictor(load_backend(args.out))
    thresholds = fit_lane_thresholds(predictor, _worlds(spec, args.worlds))
    spec = replace(spec, lane_thresholds=thresholds)
    replace_spec(args.out, spec)
    frames = synthetic_frames(args.worlds, spec.input_size)
    scores = score(Predictor(load_backend(args.out)), tqdm(frames, total=args.worlds))
    print(table(scores))
    replace_spec(args.out, replace(spec, scores=flatten(scores)))
    print(f"model: {args.out} ({args.out.stat().st_size / 1e6:.1f} MB)")
    return 0


def _worlds(spec: ModelSpec, count: int) -> Iterator[Sample]:
    """Render the worlds to calibrate on."""
    for index in tqdm(range(count), desc="calibrating", unit="image"):
        yield render_sample(CALIBRATION_SEED + index, spec.input_size)


def flatten(scores: Mapping[str, Any]) -> dict[str, float]:
    """Headline scores for the spec: ``source/lane_f1`` and ``source/mask_iou``."""
    flat = {}
    for source, values in scores.items():
        for lane, value in values["lanes"].items():
            for key in ("valid_row_accuracy", "f1"):
                flat[f"{source}/{lane}_{key}"] = round(value[key], 4)
        flat[f"{source}/mask_iou"] = round(values["mask"]["iou"], 4)
    return {key: value for key, value in flat.items() if math.isfinite(value)}
