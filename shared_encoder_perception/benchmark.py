"""Measure what a frame costs: the predictor's stages, and the node's overhead around inference.

    python -m shared_encoder_perception benchmark

The predictor runs on the demo's synthetic drive in this process. For the node, a player process
publishes the same images over DDS to a node in this process; its overhead is the time from the
image's receipt to the last output published, minus inference. Other load on the machine shows:
compare, do not quote.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from time import monotonic
from typing import Any, Final

import numpy as np
from tqdm import tqdm

from shared_encoder_perception.backends import DEFAULT_MODEL, BackendOptions, load_backend
from shared_encoder_perception.bags import PACKAGE
from shared_encoder_perception.demo.clip import FRAMES, synthetic_clip
from shared_encoder_perception.predictor import STAGES, Predictor
from shared_encoder_perception.sources import FolderSource
from shared_encoder_perception.worker import NODE_STAGES

WARM_UP: Final = 10
PERCENTILES: Final = (50, 95, 99)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--model", type=Path, default=DEFAULT_MODEL)
    parser.add_argument("--threads", type=int, default=0, help="0 = as many as there are")
    parser.add_argument("--images", type=int, default=FRAMES, help=f"images, at most {FRAMES}")
    parser.add_argument(
        "--cache", type=Path, default=Path("demo_output/cache"), help="folder of the rendered drive"
    )
    parser.add_argument("--rate", type=float, default=15.0, help="images a second to the node")
    parser.add_argument("--no-node", action="store_true", help="without the ROS 2 part")


def run(args: argparse.Namespace) -> int:
    """Measure and print."""
    if not 1 <= args.images <= FRAMES or args.threads < 0 or not 0 < args.rate <= 1000:
        raise ValueError(f"expected --images 1 to {FRAMES}, --threads >= 0, --rate up to 1000")
    clip = synthetic_clip(args.cache)
    backend = load_backend(args.model, options=BackendOptions(threads=args.threads))
    info = backend.info
    print(f"machine: {_processor()}, {len(os.sched_getaffinity(0))} cores, load {_load()}")
    print(f"engine:  {info.name} {info.version}, {info.device}, {info.precision}")
    print(f"model:   {backend.spec.name} {backend.spec.version} ({info.sha256[:12]})\n")
    print(_table("predictor", STAGES, measure_predictor(Predictor(backend), clip, args.images)))
    backend.close()
    if not args.no_node:
        rows = measure_node(args, clip)
        print(_table("node", NODE_STAGES, rows))
        overhead = [row["total"] - row["inference"] for row in rows]
        print(f"node overhead (total - inference): median {np.median(overhead):.2f} ms")
    return 0


def measure_predictor(predictor: Predictor, clip: Path, images: int) -> list[dict[str, float]]:
    """Return milliseconds by stage of each image."""
    frames = FolderSource(clip)
    for frame in islice(frames, WARM_UP):
        predictor(frame.image)
    measured = tqdm(islice(frames, images), total=images, desc="predictor", unit="image")
    return [dict(predictor(frame.image).stage_ms) for frame in measured]


def measure_node(args: argparse.Namespace, clip: Path) -> list[dict[str, float]]:
    """Return milliseconds by stage of each image that a node in this process perceived.

    Raises:
        RuntimeError: ROS 2 is not there, or the node or the player failed.
    """
    from shared_encoder_perception.demo.processes import ros_environment

    os.environ.update(ros_environment(args.cache / "log"))
    os.environ.pop("RMW_IMPLEMENTATION", None)
    try:
        import rclpy
        from rclpy.parameter import Parameter

        from shared_encoder_perception.node import PerceptionNode
    except ImportError as error:
        raise RuntimeError(f"the node needs ROS 2 ({error}): `make setup`, or --no-node") from None
    rclpy.init(args=["--ros-args", "--log-level", "warn"])
    overrides = [
        Parameter("model.path", value=str(args.model)),
        Parameter("backend.threads", value=args.threads),
    ]
    node = PerceptionNode(parameter_overrides=overrides)
    command = [sys.executable, "-m", f"{PACKAGE}.demo.player", "--source", str(clip)]
    command += ["--limit", str(args.images), "--rate", str(args.rate), "--listeners", "1"]
    try:
        if not node.start():
            raise RuntimeError("the node did not start, see its message above")
        with subprocess.Popen(command, stdout=subprocess.DEVNULL) as player:
            _spin_until_ended(rclpy, node, player, args.images / args.rate + 60.0)
        return node.stage_times()
    finally:
        node.stop()
        node.destroy_node()
        rclpy.try_shutdown()


def _spin_until_ended(rclpy: Any, node: Any, player: Any, timeout_s: float) -> None:
    """Serve the node while the player plays."""
    deadline = monotonic() + timeout_s
    while player.poll() is None:
        rclpy.spin_once(node, timeout_sec=0.1)
        if monotonic() > deadline:
            player.kill()
            raise RuntimeError(f"the player did not end within {timeout_s:.0f} s")
    if player.returncode != 0:
        raise RuntimeError(f"the player failed with exit status {player.returncode}")


def _table(title: str, stages: Sequence[str], rows: Sequence[dict[str, float]]) -> str:
    """Render percentiles by stage."""
    if not rows:
        return f"{title}: no image was perceived\n"
    head = "".join(f"{f'p{percentile}':>9}" for percentile in PERCENTILES)
    lines = [f"{title + ', ms':<16}{head}   ({len(rows)} images)"]
    for stage in stages:
        values = np.percentile([row[stage] for row in rows], PERCENTILES)
        lines.append(f"{stage:<16}" + "".join(f"{value:9.2f}" for value in values))
    return "\n".join(lines) + "\n"


def _processor() -> str:
    """Return the processor's name."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _load() -> str:
    """Return the load average of the last minute."""
    return f"{os.getloadavg()[0]:.1f}"
