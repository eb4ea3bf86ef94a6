# SPDX-License-Identifier: Apache-2.0
"""Runs of a sweep by Ray: one task per run, on this machine or on a cluster."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import torch
from tqdm import tqdm

from shared_encoder_perception.continual.config import ContinualConfig
from shared_encoder_perception.continual.sequence import learn
from shared_encoder_perception.replay.scale_cluster import cluster, require_ray
from shared_encoder_perception.training.train import without_hints

POLL_S: Final = 1.0
"""How often the driver wakes up while no run ends, so that Ctrl-C is heard."""


def learn_by_ray(
    configs: Sequence[ContinualConfig], address: str, workers: int | None
) -> list[str]:
    """Learn each sequence in a process of its own.

    All machines must see the folders of sets and of runs under the same paths.

    Args:
        configs: One for each run.
        address: Of the cluster; ``local`` for one of our own.
        workers: Runs at a time; ``None`` for one for each GPU, or CPU.

    Returns:
        What went wrong with each; empty where nothing did.

    Raises:
        ValueError: Ray is not installed, or the cluster lacks what a task needs.
        RuntimeError: There is no cluster.
    """
    if workers is not None and workers < 1:
        raise ValueError(f"--workers is {workers}, expected at least 1")
    if Path(address).exists():
        raise ValueError(f"--ray is followed by {address}, which is no address: name CONFIG first")
    ray = require_ray()
    on_gpu = any(one.train.machine.accelerator in ("gpu", "cuda") for one in configs)
    asked = argparse.Namespace(
        ray=address, workers=workers, threads=None, device="cuda" if on_gpu else "cpu", backend=""
    )
    with cluster(ray, asked) as plan:
        task = ray.remote(learn_one).options(num_cpus=plan.cpus, num_gpus=plan.gpus, max_retries=0)
        print(f"ray: {plan.workers} runs at a time, of {plan.threads} threads each")
        here = [replace(one, out=str(Path(one.out).absolute())) for one in configs]
        return _gathered(ray, [task.remote(one, plan.threads) for one in here])


def learn_one(config: ContinualConfig, threads: int) -> str:
    """Learn a sequence, and say what went wrong instead of raising it (in a worker)."""
    torch.set_num_threads(threads)
    without_hints()
    try:
        learn(config)
    except Exception as error:  # the other runs are not to suffer for it
        return " ".join(str(error).split()) or type(error).__name__
    return ""


def _gathered(ray: Any, running: list[Any]) -> list[str]:
    """Wait for all tasks; return what each said, in their order."""
    order, errors = list(running), dict.fromkeys(running, "")
    with tqdm(total=len(order), desc="learning", unit="run") as bar:
        while running:
            done, running = ray.wait(running, timeout=POLL_S)
            for one in done:
                try:
                    errors[one] = ray.get(one)
                except ray.exceptions.RayError as error:
                    lines = str(error).strip().splitlines() or [type(error).__name__]
                    errors[one] = f"its process died: {lines[0].strip()}"
                if errors[one]:
                    tqdm.write(f"error: {errors[one]}")
                bar.update()
    return [errors[one] for one in order]
