# SPDX-License-Identifier: Apache-2.0
r"""Compare networks in one table: parameters, work, latency, and what their runs reached.

    python -m shared_encoder_perception models runs/a runs/b
    python -m shared_encoder_perception models --encoder resnet18 repvgg_a0 --architecture baseline
    python -m shared_encoder_perception models --encoder resnext50_32x4d --architecture unet fpn \
        --tasks semantic --classes 8 --size 512 1024

Latencies are medians of ONNX Runtime, fp32, batch 1, taken in turns, so that whatever else the
machine does falls on all of them alike. On a busy machine, what the processor worked for one image
says more (``--threads 1``: several also wait for each other).
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from statistics import median
from time import perf_counter, process_time
from typing import Any

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode
from tqdm import tqdm

from shared_encoder_perception import tasks
from shared_encoder_perception.artifact.tensors import blank
from shared_encoder_perception.backends import Backend, BackendOptions, load_backend
from shared_encoder_perception.evaluation.deviations import shown_scores
from shared_encoder_perception.files.own_files import scratch_folder
from shared_encoder_perception.model.architectures import ARCHITECTURES
from shared_encoder_perception.model.checkpoint import load_network
from shared_encoder_perception.model.config import NetworkConfig
from shared_encoder_perception.model.network import DeployWrapper, PerceptionNetwork, plain_spec
from shared_encoder_perception.model.onnx_export import export_onnx
from shared_encoder_perception.spec import INPUT_IMAGE, INPUT_SIZE, ModelSpec
from shared_encoder_perception.structures import Size
from shared_encoder_perception.training.origin import read_course
from shared_encoder_perception.training.record import read_metrics

ROUNDS = 60
COLUMNS = (
    *("network", "encoder", "architecture", "parameters", "activations MB", "GMAC"),
    *("latency ms", "CPU ms"),
)
"""Of the table; then the scores of every task."""


@dataclass(frozen=True)
class Row:
    """One network.

    Attributes:
        name: Folder of its run, or its encoder.
        config: What it is built from.
        parameters: All of them.
        activations_mb: What training one image keeps: the outputs of all layers and their
            gradients, float32, 2^20 bytes; what is computed in place counts, too.
        gmac: Multiply-accumulates of one image, 10^9.
        latency_ms: Median.
        cpu_ms: Median of what all processors worked for it.
        scores: ``Scorer.summary`` of its best validation; empty for an untrained one.
    """

    name: str
    config: NetworkConfig
    parameters: int
    activations_mb: float
    gmac: float
    latency_ms: float
    cpu_ms: float
    scores: Mapping[str, float | None]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("runs", type=Path, nargs="*", help="folders of training runs")
    parser.add_argument("--encoder", nargs="*", default=[], help="untrained: timm's names, or ours")
    parser.add_argument("--architecture", nargs="*", default=list(ARCHITECTURES), help="of those")
    parser.add_argument("--tasks", nargs="+", default=list(tasks.DEFAULT), help="that they answer")
    parser.add_argument(
        "--classes",
        default=NetworkConfig.classes,
        help="that tasks tell apart: a table's name or file, or a number of them",
    )
    parser.add_argument("--residual", action="store_true", help="unet with residual blocks, too")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="inferences of each network")
    parser.add_argument("--threads", type=int, default=0, help="of one inference, 0 = all cores")
    parser.add_argument(
        "--size",
        type=int,
        nargs=2,
        metavar=("HEIGHT", "WIDTH"),
        help="of the pictures (default: that of the runs' last stages, where it is the same; else "
        f"{INPUT_SIZE[0]} {INPUT_SIZE[1]})",
    )


def run(args: argparse.Namespace) -> int:
    """Measure and print."""
    networks = {str(path): load_network(path / "network.pt") for path in args.runs}
    scores = {str(path): _best_scores(path) for path in args.runs}
    for config in _configs(args):
        name = f"{config.encoder}, {' + '.join(_parts(config))}"
        networks[name] = PerceptionNetwork(config).eval()
    if not networks or args.rounds < 1:
        raise ValueError("name at least one run or --encoder, and at least one round")
    size = (args.size[0], args.size[1]) if args.size else _size(args.runs)
    print(f"pictures of {size[0]}x{size[1]}\n")
    print(table(measure(networks, scores, size, args.rounds, args.threads)))
    return 0


def _size(runs: Sequence[Path]) -> Size:
    """Return the size that all runs ended with, or the default."""
    sizes = {read_course(path).size for path in runs}
    return next(iter(sizes)) or INPUT_SIZE if len(sizes) == 1 else INPUT_SIZE


def _configs(args: argparse.Namespace) -> Iterator[NetworkConfig]:
    """Return the untrained networks that are asked for."""
    plain = NetworkConfig(tasks=args.tasks, classes=args.classes)
    for encoder, architecture in product(args.encoder, args.architecture):
        yield replace(plain, encoder=encoder, architecture=architecture)
        if args.residual and architecture == "unet":
            yield replace(plain, encoder=encoder, architecture=architecture, decoder_residual=True)


def _parts(config: NetworkConfig) -> list[str]:
    """Return the architecture and what is added to it."""
    optional = {"attention": "attention", "aggregation": "aggregation"}
    optional |= {"decoder_residual": "residual"}
    added = [name for key, name in optional.items() if getattr(config, key)]
    return [config.architecture, *added]


def measure(
    networks: Mapping[str, PerceptionNetwork],
    scores: Mapping[str, Mapping[str, float | None]],
    size: Size,
    rounds: int,
    threads: int = 0,
) -> list[Row]:
    """Export every network and time them in turns."""
    with scratch_folder() as folder:
        backends = {}
        for index, (name, network) in enumerate(tqdm(networks.items(), "exporting")):
            path = Path(folder) / f"{index}.onnx"
            export_onnx(network, _spec(network, size), path)
            backends[name] = load_backend(path, options=BackendOptions(threads=threads))
        latencies = _latencies(backends, rounds)
    return [
        Row(
            name,
            network.config,
            sum(parameter.numel() for parameter in network.parameters()),
            activations_mb(network, size),
            gmac(network, size),
            *latencies[name],
            scores.get(name, {}),
        )
        for name, network in networks.items()
    ]


def gmac(network: PerceptionNetwork, size: Size) -> float:
    """Multiply-accumulates of one image through the deployed network, 10^9."""
    counter, spec = FlopCounterMode(display=False), _spec(network, size)
    inputs = [torch.from_numpy(array) for array in blank(spec.input_tensors()).values()]
    with counter, torch.inference_mode():
        DeployWrapper(network, spec.tasks)(*inputs)
    return counter.get_total_flops() / 2e9


def activations_mb(network: PerceptionNetwork, size: Size) -> float:
    """Return the outputs of all layers for one image, and their gradients; float32, 2^20 bytes."""
    values = 0

    def add(_module: Any, _inputs: Any, output: Any) -> None:
        nonlocal values
        values += output.numel() if isinstance(output, torch.Tensor) else 0

    layers = [one for one in network.modules() if not list(one.children())]
    hooks = [layer.register_forward_hook(add) for layer in layers]
    inputs = blank(_spec(network, size).input_tensors())
    named = {name: torch.from_numpy(array) for name, array in inputs.items()}
    image = named.pop(INPUT_IMAGE)
    try:
        with torch.inference_mode():
            network.eval()(image, size, named)
    finally:
        for hook in hooks:
            hook.remove()
    return 2 * 4 * values / 2**20


def _spec(network: PerceptionNetwork, size: Size) -> ModelSpec:
    """Return the spec of a network that is measured."""
    return plain_spec(network.config, "measured", size)


def _latencies(backends: Mapping[str, Backend], rounds: int) -> dict[str, tuple[float, float]]:
    """Median milliseconds of each, by the clock and worked; in turns after one to warm up."""
    inputs = {}
    for name, backend in backends.items():
        inputs[name] = blank(backend.spec.input_tensors())
        image = inputs[name][INPUT_IMAGE]
        image[:] = np.random.default_rng(0).integers(0, 256, image.shape, np.uint8)
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in backends}
    for _ in tqdm(range(rounds + 1), "timing"):
        for name, backend in backends.items():
            begin, worked = perf_counter(), process_time()
            backend.infer(inputs[name])
            took, worked = perf_counter() - begin, process_time() - worked
            times[name].append((took * 1e3, worked * 1e3))
    return {
        name: (median(took for took, _ in found[1:]), median(worked for _, worked in found[1:]))
        for name, found in times.items()
    }


def _best_scores(path: Path) -> dict[str, float | None]:
    """Scores of the network that a run kept."""
    rows = read_metrics(path, "val")
    last = max((row["stage"] for row in rows), default=0)
    rows = [row for row in rows if row["stage"] == last]
    return dict(max(rows, key=lambda row: row["score"] or -1.0)) if rows else {}


def table(rows: Sequence[Row]) -> str:
    """Render as Markdown, with the scores of every task that a network answers."""
    answered = {task for row in rows for task in row.config.tasks}
    shown = shown_scores([task for task in tasks.ROOMS if task in answered])
    titles = (*COLUMNS, *(score.title for score in shown.values()))
    lines = [f"| {' | '.join(titles)} |", "|---" * len(titles) + "|"]
    for row in rows:
        scores = (row.scores.get(key) for key in shown)
        cells = ["-" if value is None else f"{value:.3f}" for value in scores]
        lines.append(
            f"| {row.name} | {row.config.encoder} | {' + '.join(_parts(row.config))} "
            f"| {row.parameters} | {row.activations_mb:.0f} | {row.gmac:.2f} "
            f"| {row.latency_ms:.1f} | {row.cpu_ms:.1f} | {' | '.join(cells)} |"
        )
    return "\n".join(lines)
