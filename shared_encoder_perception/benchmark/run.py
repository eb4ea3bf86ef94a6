# SPDX-License-Identifier: Apache-2.0
"""Measure what an image costs, for any set of models, engines, precisions and thread counts.

    python -m shared_encoder_perception benchmark
    python -m shared_encoder_perception benchmark --engine openvino:bf16 torch --threads 1 2
    python -m shared_encoder_perception benchmark --peer other.onnx --json out.json --plot out.png
    python -m shared_encoder_perception benchmark --rig four

All are loaded, warmed up and then take turns on each image of a rendered drive. Loading, first
inference and memory are measured in a fresh process each, with the engine's cache filled.
images/s is 1000 / mean total of that combination alone. The machine's own rate of multiplying
matrices is measured in the same run; the share of it is 2 x GMAC / median inference / rate. Other
load on the machine shows: compare within a run, do not quote.

With --rig each turn is one moment of all cameras, with the answers for each of them, in the demo's
town; GMAC and images/s are of moments, and the node is left out.

JSON: {"machine": {...}, "load_end": 1.2, "images": 180,
"limits": [{"precision", "device", "threads", "gflops": {who: rate}, "best"}],
"rows": [{"label", "name", "model", "engine", "precision", "threads", "device", "peer", "rig",
"ran", "reason", "notes": [], "cost": {"parameters", "macs", "uncounted"} or null,
"cold_start": {"import_ms", "load_ms", "first_ms", "model_mb", "peak_mb"} or null,
"stages": {stage: {"p50", "p95", "p99", "mean"}} in ms, "images_per_s", "share_of_limit",
"operators": [{"name", "kind", "ms", "multiplies"}], "other_share": share of the time that is not in
convolutions and matrix products, or null}],
"node": {"label", "images", "stages"} or {"reason"} or null, "jetson": {quantity: median}}
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from itertools import cycle, islice
from pathlib import Path
from typing import Any, Final

from tqdm import tqdm

from shared_encoder_perception import tasks
from shared_encoder_perception.artifact.shipped import model_for
from shared_encoder_perception.backends import AUTO, DEFAULT_MODEL
from shared_encoder_perception.benchmark import (
    cold_start,
    jetson,
    limits,
    machine,
    moments,
    operators,
    plot,
    report,
    turns,
)
from shared_encoder_perception.benchmark.combinations import Combination, combine
from shared_encoder_perception.benchmark.rows import add_cost, new_row, overhead
from shared_encoder_perception.benchmark.runners import Runner, load, require_nvtx
from shared_encoder_perception.files.whole_file import write_text
from shared_encoder_perception.libraries import can_write

WARM_UP: Final = 10
"""Images that each combination sees before any counts."""
IMAGES: Final = 180
MOMENTS: Final = 12
"""Different ones of a rig, over and over."""
RATE_HZ: Final = 15.0
FOR_IMAGES: Final = {
    "peer": "a network of others cannot be asked of a rig",
    "peer_size": "a network of others cannot be asked of a rig",
    "rate": "the node is measured on single images",
}
"""Options that make no sense with ``--rig``, and why."""

Shown = Callable[[int], Iterator[Any]]
"""Returns so many images, or moments, from the beginning."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add = parser.add_argument
    add(
        "--model",
        nargs="+",
        default=[],
        help=".onnx, or .pt for torch, or shipped:NAME (default: the shipped one)",
    )
    add(
        "--rig",
        default="",
        metavar="RIG",
        help="measure moments of all its cameras: four (front, left, rear, right), or a rig.yaml",
    )
    add("--engine", nargs="+", default=[], help="engine or engine:precision (default: all here)")
    add("--threads", type=int, nargs="+", default=[0], help="0 = as many as there are")
    add("--device", default=AUTO, help="auto, cpu, cuda, cuda:N or tensorrt")
    add("--images", type=int, default=IMAGES, help=f"images or moments, at most {IMAGES}")
    add("--peer", nargs="+", default=[], help="any other .onnx, to be put beside ours")
    add("--peer-size", default="", metavar="HxW", help="where a peer's input leaves it free")
    add("--json", type=Path, help="file to write everything to")
    add("--plot", type=Path, help="PNG to draw the inference times to")
    add("--profile", action="store_true", help="also what the dearest operators cost")
    add("--nvtx", action="store_true", help="mark the stages for Nsight Systems")
    add("--no-node", action="store_true", help="without the ROS 2 part")
    add("--rate", type=float, help=f"images a second to the node (default: {RATE_HZ:g})")
    add("--cache", type=Path, default=Path("demo_output/cache"), help="of the rendered drive")


def run(args: argparse.Namespace) -> int:
    """Measure, print and write.

    Returns:
        1 when nothing could run.
    """
    combinations, nvtx = _check(args)
    result: dict[str, Any] = {"machine": machine.describe(), "images": args.images}
    print("\n".join(machine.lines(result["machine"])) + "\n")
    if args.rig:
        print(f"rig        {args.rig}: {', '.join(moments.rig_of(args.rig).names)}\n")
    rows = [new_row(combination) for combination in combinations]
    result["rows"] = rows
    for row, combination in zip(rows, combinations, strict=True):
        add_cost(row, combination)
    shown = _shown(args)
    with jetson.watching() as seen:
        _measure(rows, combinations, shown, args.images, nvtx)
    result["jetson"] = seen
    ran = [(row, item) for row, item in zip(rows, combinations, strict=True) if row["ran"]]
    _cold_starts(ran)
    if args.profile:
        _profile(ran)
    result["limits"] = _limits([row for row, _ in ran])
    result["node"] = None if args.no_node or args.rig else _node(ran, args)
    result["load_end"] = machine.load()
    _print(result)
    if args.json:
        write_text(args.json, json.dumps(result, indent=1) + "\n")
        print(f"numbers    {args.json}")
    if args.plot and ran:
        plot.draw([row for row, _ in ran], _title(result["machine"]), args.plot)
        print(f"plot       {args.plot}")
    return 0 if ran else 1


def _check(args: argparse.Namespace) -> tuple[list[Combination], Any]:
    """Refuse what cannot end well before anything is measured."""
    for name, why in FOR_IMAGES.items():
        if args.rig and getattr(args, name) not in (None, "", []):
            raise ValueError(f"--{name.replace('_', '-')} makes no sense with --rig: {why}")
    args.rate = RATE_HZ if args.rate is None else args.rate
    shipped = model_for(list(tasks.RIG_ROOMS)) if args.rig and not args.model else DEFAULT_MODEL
    models = args.model or [str(shipped)]
    if not 1 <= args.images <= IMAGES or not 0 < args.rate <= 1000:
        raise ValueError(f"expected --images 1 to {IMAGES}, --rate above 0 and up to 1000")
    for path in filter(None, (args.json, args.plot)):
        if not path.absolute().parent.is_dir():
            raise ValueError(f"cannot write {path}: there is no folder {path.parent}")
    if args.plot and not can_write("the plot", "matplotlib"):
        args.plot = None
    peers = (args.peer, args.peer_size)
    found = combine(models, args.engine, args.threads, args.device, *peers, args.rig)
    return found, require_nvtx() if args.nvtx else None


def _shown(args: argparse.Namespace) -> Shown:
    """Render what is shown, where that was not done before."""
    if args.rig:
        rendered = moments.render(moments.rig_of(args.rig), min(MOMENTS, args.images))
        return lambda count: islice(cycle(rendered), count)
    from shared_encoder_perception.demo.clip import synthetic_clip
    from shared_encoder_perception.images.sources import open_source

    frames = open_source(synthetic_clip(args.cache))
    return lambda count: (frame.image for frame in islice(frames, count))


def _measure(
    rows: Sequence[dict[str, Any]],
    combinations: Sequence[Combination],
    shown: Shown,
    images: int,
    nvtx: Any,
) -> None:
    """Load all, then let them take turns; fill in the rows."""
    loaded: list[tuple[dict[str, Any], Runner]] = []
    pairs = list(zip(rows, combinations, strict=True))
    for row, combination in tqdm(pairs, desc="loading and warming up", unit="model"):
        try:
            runner = load(combination, nvtx)
            for image in shown(WARM_UP):
                runner(image)
        except Exception as error:  # engines raise unrelated types; the others can still run
            row["reason"] = " ".join(str(error).split()) or type(error).__name__
            continue
        row |= {"device": runner.device, "precision": runner.precision, "ran": True}
        row["threads"] = runner.threads
        loaded.append((row, runner))
    if not loaded:
        return
    taken = turns.measure([runner for _, runner in loaded], shown(images), images)
    for (row, runner), times in zip(loaded, taken, strict=True):
        row["stages"] = turns.summarise(times)
        row["images_per_s"] = turns.images_per_second(row["stages"])
        runner.close()


def _cold_starts(ran: Sequence[tuple[dict[str, Any], Combination]]) -> None:
    """Start each in a fresh process."""
    for row, combination in tqdm(ran, desc="starting afresh", unit="process"):
        try:
            row["cold_start"] = cold_start.measure(combination)
        except RuntimeError as error:
            row["notes"].append(f"did not start in a fresh process: {error}")


def _profile(ran: Sequence[tuple[dict[str, Any], Combination]]) -> None:
    """Let each engine say where its time goes."""
    for row, combination in tqdm(ran, desc="timing operators", unit="model"):
        try:
            found = operators.profile(combination, row["precision"], row["threads"])
        except Exception as error:  # as when loading
            row["notes"].append(f"no profile: {' '.join(str(error).split())}")
            continue
        row["operators"] = [asdict(one) for one in found]
        row["other_share"] = operators.other_share(found)


def _limits(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Multiply matrices as the rows' arithmetic does, and give each row its share."""
    kinds = dict.fromkeys((row["precision"], row["device"], row["threads"]) for row in rows)
    torch = any(row["engine"] == "torch" for row in rows)
    found = []
    known = [kind for kind in kinds if kind[0] in limits.PRECISIONS]
    for precision, device, threads in tqdm(known, desc="multiplying matrices", unit="kind"):
        gflops = limits.measure(precision, threads, device, torch)
        best = max(gflops.values(), default=None)
        found.append(
            {"precision": precision, "device": device, "threads": threads}
            | {"gflops": gflops, "best": best}
        )
        for row in rows:
            same = (row["precision"], row["device"], row["threads"]) == (precision, device, threads)
            if same and best and row["cost"]:
                inference = row["stages"]["inference"]["p50"]
                row["share_of_limit"] = limits.share(row["cost"]["macs"] / 1e9, inference, best)
    return found


def _node(
    ran: Sequence[tuple[dict[str, Any], Combination]], args: argparse.Namespace
) -> dict[str, Any]:
    """Measure the node with the first combination of ours that ran."""
    from shared_encoder_perception.benchmark import node_stages
    from shared_encoder_perception.demo.clip import synthetic_clip

    first = next((item for _, item in ran if not item.peer), None)
    if first is None:
        return {"reason": "none of our models ran"}
    try:
        times = node_stages.measure(
            first, synthetic_clip(args.cache), args.images, args.rate, args.cache / "log"
        )
    except RuntimeError as error:
        return {"reason": str(error)}
    if not times:
        return {"reason": "no image was perceived"}
    stages = turns.summarise([overhead(row) for row in times])
    return {"label": first.label, "images": len(times), "stages": stages}


def _print(result: dict[str, Any]) -> None:
    """Print the tables."""
    ran = [row for row in result["rows"] if row["ran"]]
    blocks = [
        [*report.latency_table(ran), "", *report.cost_table(ran)] if ran else [],
        *(report.operator_table(row) for row in ran if row["operators"]),
        report.limit_lines(result["limits"]),
        report.jetson_lines(result["jetson"]),
        report.notes(result["rows"]),
        report.node_table(result["node"]) if result["node"] else [],
        [f"load at the end {result['load_end']:.1f}"],
    ]
    print("\n" + "\n\n".join("\n".join(block) for block in blocks if block))


def _title(described: dict[str, Any]) -> str:
    """Say in one line what it ran on."""
    return ", ".join([described["cpu"], f"{described['cores']} cores", *described["gpus"]])
