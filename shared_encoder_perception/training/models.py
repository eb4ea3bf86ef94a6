"""Compare networks in one table: parameters, work, latency, and what their runs reached.

    python -m shared_encoder_perception models runs/a runs/b
    python -m shared_encoder_perception models --encoder resnet18 repvgg_a0 --architecture baseline

Latencies are medians of ONNX Runtime, fp32, batch 1, taken in turns, so that whatever else the
machine does falls on all of them alike.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import perf_counter

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode
from tqdm import tqdm

from shared_encoder_perception.backends import Backend, BackendOptions, load_backend
from shared_encoder_perception.model.architectures import ARCHITECTURES
from shared_encoder_perception.model.checkpoint import load_network
from shared_encoder_perception.model.network import DeployWrapper, NetworkConfig, PerceptionNetwork
from shared_encoder_perception.spec import ModelSpec
from shared_encoder_perception.structures import Size
from shared_encoder_perception.training.export import export_onnx
from shared_encoder_perception.training.record import read_metrics

ROUNDS = 60


@dataclass(frozen=True)
class Row:
    """One network.

    Attributes:
        name: Folder of its run, or its encoder.
        config: What it is built from.
        parameters: Millions.
        gmac: Multiply-accumulates of one image, 10^9.
        latency_ms: Median.
        scores: ``Scorer.summary`` of its best validation; empty for an untrained one.
    """

    name: str
    config: NetworkConfig
    parameters: float
    gmac: float
    latency_ms: float
    scores: Mapping[str, float | None]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("runs", type=Path, nargs="*", help="folders of training runs")
    parser.add_argument("--encoder", nargs="*", default=[], help="untrained, by timm's names")
    parser.add_argument("--architecture", nargs="*", default=list(ARCHITECTURES), help="of those")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="inferences of each network")
    parser.add_argument("--threads", type=int, default=0, help="of one inference, 0 = all cores")
    parser.add_argument(
        "--size", type=int, nargs=2, metavar=("HEIGHT", "WIDTH"), default=(320, 800)
    )


def run(args: argparse.Namespace) -> int:
    """Measure and print."""
    networks = {str(path): load_network(path / "network.pt") for path in args.runs}
    scores = {str(path): _best_scores(path) for path in args.runs}
    for encoder in args.encoder:
        for architecture in args.architecture:
            config = NetworkConfig(encoder=encoder, architecture=architecture)
            networks[f"{encoder}, {architecture}"] = PerceptionNetwork(config).eval()
    if not networks or args.rounds < 1:
        raise ValueError("name at least one run or --encoder, and at least one round")
    print(table(measure(networks, scores, tuple(args.size), args.rounds, args.threads)))
    return 0


def measure(
    networks: Mapping[str, PerceptionNetwork],
    scores: Mapping[str, Mapping[str, float | None]],
    size: Size,
    rounds: int,
    threads: int = 0,
) -> list[Row]:
    """Export every network and time them in turns."""
    with tempfile.TemporaryDirectory() as folder:
        backends = {}
        for index, (name, network) in enumerate(tqdm(networks.items(), "exporting")):
            path = Path(folder) / f"{index}.onnx"
            export_onnx(network, ModelSpec(f"model {index}", "0", input_size=size), path)
            backends[name] = load_backend(path, options=BackendOptions(threads=threads))
        latencies = _latencies(backends, size, rounds)
    return [
        Row(
            name,
            network.config,
            sum(parameter.numel() for parameter in network.parameters()) / 1e6,
            gmac(network, size),
            latencies[name],
            scores.get(name, {}),
        )
        for name, network in networks.items()
    ]


def gmac(network: PerceptionNetwork, size: Size) -> float:
    """Multiply-accumulates of one image through the deployed network, 10^9."""
    counter = FlopCounterMode(display=False)
    with counter, torch.inference_mode():
        DeployWrapper(network)(torch.zeros(1, *size, 3, dtype=torch.uint8))
    return counter.get_total_flops() / 2e9


def _latencies(backends: Mapping[str, Backend], size: Size, rounds: int) -> dict[str, float]:
    """Median milliseconds of each, taken in turns after one round to warm up."""
    image = np.random.default_rng(0).integers(0, 256, (1, *size, 3), np.uint8)
    times: dict[str, list[float]] = {name: [] for name in backends}
    for _ in tqdm(range(rounds + 1), "timing"):
        for name, backend in backends.items():
            begin = perf_counter()
            backend.infer(image)
            times[name].append((perf_counter() - begin) * 1e3)
    return {name: median(values[1:]) for name, values in times.items()}


def _best_scores(path: Path) -> dict[str, float | None]:
    """Scores of the network that a run kept."""
    rows = read_metrics(path, "val")
    last = max((row["stage"] for row in rows), default=0)
    rows = [row for row in rows if row["stage"] == last]
    return dict(max(rows, key=lambda row: row["score"] or -1.0)) if rows else {}


def table(rows: Sequence[Row]) -> str:
    """Render as Markdown."""
    lines = [
        "| network | encoder | architecture | params M | GMAC | latency ms | lane accuracy "
        "| lane F1 | mask IoU |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        parts = [row.config.architecture]
        parts += [name for name in ("attention", "aggregation") if getattr(row.config, name)]
        scores = (row.scores.get(key) for key in ("lane_accuracy", "lane_f1", "mask_iou"))
        cells = ["-" if value is None else f"{value:.3f}" for value in scores]
        lines.append(
            f"| {row.name} | {row.config.encoder} | {' + '.join(parts)} | {row.parameters:.2f} "
            f"| {row.gmac:.2f} | {row.latency_ms:.1f} | {' | '.join(cells)} |"
        )
    return "\n".join(lines)
