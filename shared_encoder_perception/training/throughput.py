# SPDX-License-Identifier: Apache-2.0
"""How fast a config trains: compute alone, with data loading, and in each precision.

    python -m shared_encoder_perception throughput config/training/default.yaml

Compute alone repeats one batch; with loading, every batch is new, however few steps the config has
and however few samples its sets: they come again. Where the stage draws each sample several times
(``replay``), so does this. Both are taken in turns, a few steps each, and compared by their
medians: on a busy machine only such comparisons mean anything. A second table tells where the time
of a step goes: what loading processes do in theirs, for one fresh batch, and what the step itself
does. It is the step of ``train``: of rigs where the config is, and no gradient of what is frozen.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any, Final

import cv2
import torch
from tqdm import tqdm

from shared_encoder_perception.model.network import PerceptionNetwork
from shared_encoder_perception.training.batches import LOADING
from shared_encoder_perception.training.config import TrainConfig, load_config
from shared_encoder_perception.training.data import PREFETCH
from shared_encoder_perception.training.losses import Batch
from shared_encoder_perception.training.precision import avoid_crashes
from shared_encoder_perception.training.rig_module import stage_training

IN_A_ROW: Final = 4
"""The first step after a change of kind still profits from what was waiting."""
COMPUTE: Final = ("forward", "loss", "backward", "optimiser")
"""Parts of a step, in their order."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("config", type=Path, help="training config")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="replace single values")
    parser.add_argument("--steps", type=int, default=24, help="steps of each kind")


def run(args: argparse.Namespace) -> int:
    """Measure the last stage of a config on the CPU."""
    if args.steps < IN_A_ROW:
        raise ValueError(f"--steps is {args.steps}, expected at least {IN_A_ROW}")
    config = load_config(args.config, args.overrides)
    plan = config.stages[-1]
    images, alone, loaded, full, parts = measure(config, args.steps)
    of = "" if images == plan.batch_size else f" rigs of {images // plan.batch_size} cameras"
    print(f"{config.network.encoder}, {plan.size[0]}x{plan.size[1]}, batch {plan.batch_size}{of}:")
    for what, seconds in (
        ("bf16, compute alone", alone),
        (f"bf16, loading processes: {config.machine.workers}", loaded),
        ("fp32, compute alone", full),
    ):
        print(f"  {what:<36}{seconds:7.3f} s a step {images / seconds:7.1f} images/s")
    print(f"  loading keeps {alone / loaded:.0%} of the compute rate")
    print(f"  bf16 is {full / alone:.2f} times as fast as fp32")
    print("where the time of a step goes, seconds:")
    for names, whose in ((LOADING, "of a loading process"), (COMPUTE, "of the step, bf16")):
        total = sum(parts[name] for name in names)
        for name in names:
            print(f"  {name:<20}{parts[name]:8.3f}  {parts[name] / total:4.0%} {whose}")
    return 0


def measure(config: TrainConfig, steps: int) -> tuple[int, float, float, float, dict[str, float]]:
    """Return the images of a step, and its median seconds: bf16 alone, with loading, fp32 alone.

    And those of its parts, ``LOADING`` and ``COMPUTE``.
    """
    cv2.setNumThreads(1)
    avoid_crashes(config.network.encoder)
    stage = len(config.stages) - 1
    # To the last step, processes must have more to load: the config's own steps may be fewer.
    needed = 1 + steps + PREFETCH * config.machine.workers
    endless = [*config.stages[:-1], replace(config.stages[-1], steps=needed)]
    config = replace(config, stages=endless, data=replace(config.data, val=[]))
    # Each precision as it is trained.
    bf16, fp32 = (_Step(config, stage, mixed=mixed) for mixed in (True, False))
    stream: Any = bf16.module.stream(0, 0, 1)
    batches: Iterator[Batch] = iter(bf16.module.batches(stream))
    batch = next(batches)
    for step in (bf16, fp32):
        step(batch)
    alone: list[float] = []
    loaded: list[float] = []
    full: list[float] = []
    loading: list[dict[str, float]] = []
    for turn in tqdm(range(steps // IN_A_ROW), "measuring", unit="round"):
        loading.append(stream.timed(turn))
        alone += [bf16(batch) for _ in range(IN_A_ROW)]
        begin = perf_counter()
        for _ in range(IN_A_ROW):
            bf16(next(batches))
        loaded.append((perf_counter() - begin) / IN_A_ROW)
        full += [fp32(batch) for _ in range(2)]
    parts = {name: median(one[name] for one in loading) for name in LOADING}
    parts |= {name: median(one[name] for one in bf16.parts[1:]) for name in COMPUTE}
    return batch.images.shape[:-3].numel(), median(alone), median(loaded), median(full), parts


class _Step:
    """One optimisation step, timed.

    Attributes:
        module: What ``train`` would train.
        parts: Seconds of each of ``COMPUTE``, step by step.
    """

    def __init__(self, config: TrainConfig, stage: int, mixed: bool) -> None:
        torch.manual_seed(0)
        network = PerceptionNetwork(config.network).train().to(memory_format=torch.channels_last)
        self.module, self._mixed = stage_training(config, stage, network), mixed
        trained = [one for one in self.module.parameters() if one.requires_grad]
        self._optimizer = torch.optim.AdamW(trained, lr=1e-4)
        self.parts: list[dict[str, float]] = []

    def __call__(self, batch: Batch) -> float:
        """Take the step; return its seconds."""
        clock = [perf_counter()]
        self._optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=self._mixed):
            logits, answered = self.module.answered(batch)
            clock.append(perf_counter())
            parts, taught = self.module.losses(logits, answered)
        clock.append(perf_counter())
        torch.stack([parts["total"], *taught.values()]).sum().backward()
        clock.append(perf_counter())
        self._optimizer.step()
        clock.append(perf_counter())
        seconds = (end - begin for begin, end in pairwise(clock))
        self.parts.append(dict(zip(COMPUTE, seconds, strict=True)))
        return clock[-1] - clock[0]
