"""Checkpoint -> ONNX artifact with its ModelSpec inside.

python -m shared_encoder_perception export --checkpoint runs/default/last.ckpt --out default.onnx
"""

from __future__ import annotations

import argparse
import math
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
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
    StartPrior,
)
from shared_encoder_perception.structures import LaneId
from shared_encoder_perception.training.synthetic import render_sample

OPSET: Final = 18
MIN_STARTS: Final = 20
"""Fewer observations of a lane's start are no statistics."""
MIN_SIGMA: Final = 3.0
"""Cells: a prior narrower than this would claim more than a few hundred worlds can show."""


def export_onnx(network: PerceptionNetwork, spec: ModelSpec, path: Path) -> None:
    """Write ``network`` as an ONNX file that keeps ``spec``'s promise.

    The batch axis is dynamic, weights are inside the file, and it appears under its name only when
    it is complete and has passed the ONNX checker.

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
    model = program.model_proto
    entry = model.metadata_props.add()
    entry.key, entry.value = METADATA_KEY, spec.to_json()
    onnx.checker.check_model(model, full_check=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    part.write_bytes(model.SerializeToString())
    os.replace(part, path)


def learn_start_priors(spec: ModelSpec, worlds: int, seed: int) -> tuple[StartPrior, ...]:
    """Measure where each lane starts in rendered training worlds, in cells of the lane maps."""
    starts: dict[LaneId, list[np.ndarray]] = {lane: [] for lane in LaneId}
    for index in range(worlds):
        sample = render_sample(seed + index, spec.input_size)
        for lane, points in sample.lanes.items():
            if points is not None:
                starts[lane].append(points[0] / spec.stride)
    priors = []
    for lane in LaneId:
        if len(starts[lane]) < MIN_STARTS:
            raise ValueError(
                f"only {len(starts[lane])} of {worlds} worlds show {lane.label}, "
                f"expected at least {MIN_STARTS}: render more"
            )
        points = np.array(starts[lane])
        median = np.median(points, axis=0)
        spread = np.maximum(1.4826 * np.median(np.abs(points - median), axis=0), MIN_SIGMA)
        priors.append(StartPrior(*(round(float(value), 2) for value in (*median, *spread))))
    return tuple(priors)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--checkpoint", type=Path, required=True, help="network.pt of a run")
    parser.add_argument("--out", type=Path, required=True, help="the .onnx file to write")
    parser.add_argument("--name", default="default", help="model name in the spec")
    parser.add_argument("--version", default="0.1.0", help="model version in the spec")
    parser.add_argument("--training-data", default="synthetic worlds", help="one line for people")
    parser.add_argument("--git-commit", default="", help="commit of the code that trained it")
    parser.add_argument("--worlds", type=int, default=400, help="worlds to score and learn from")


def run(args: argparse.Namespace) -> int:
    """Export, score the artifact on unseen synthetic worlds, and store the scores in it."""
    network = load_network(args.checkpoint)
    spec = ModelSpec(
        args.name,
        args.version,
        training_data=args.training_data,
        git_commit=args.git_commit,
    )
    spec = replace(spec, start_priors=learn_start_priors(spec, args.worlds, seed=0))
    export_onnx(network, spec, args.out)
    frames = synthetic_frames(args.worlds, spec.input_size)
    scores = score(Predictor(load_backend(args.out)), tqdm(frames, total=args.worlds))
    print(table(scores))
    export_onnx(network, replace(spec, scores=flatten(scores)), args.out)
    print(f"model: {args.out} ({args.out.stat().st_size / 1e6:.1f} MB)")
    return 0


def flatten(scores: Mapping[str, Any]) -> dict[str, float]:
    """Headline scores for the spec: ``source/lane_f1`` and ``source/mask_iou``."""
    flat = {}
    for source, values in scores.items():
        for lane, value in values["lanes"].items():
            for key in ("valid_row_accuracy", "f1"):
                flat[f"{source}/{lane}_{key}"] = round(value[key], 4)
        flat[f"{source}/mask_iou"] = round(values["mask"]["iou"], 4)
    return {key: value for key, value in flat.items() if math.isfinite(value)}
