# SPDX-License-Identifier: Apache-2.0
"""Measure in turns, so that whatever else the machine does falls on all alike."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from time import sleep
from typing import Any, Final

import numpy as np
from tqdm import tqdm

from shared_encoder_perception.benchmark.runners import TOTAL, Runner

PERCENTILES: Final = (50, 95, 99)
PAUSE_S: Final = 0.005
"""Between two turns. Some engines' threads keep their core busy for a while after an inference, in
case there is another one; without a pause the next in turn would pay for that."""


def measure(
    runners: Sequence[Runner], images: Iterable[Any], count: int
) -> list[list[dict[str, float]]]:
    """Give each image to each runner, in another order each time.

    Args:
        runners: Warmed up.
        images: (H, W, 3) uint8 BGR; of a rig: moments, those by the name of the camera.
        count: How many there are, for the progress bar.

    Returns:
        For each runner, its answer for each image.
    """
    taken: list[list[dict[str, float]]] = [[] for _ in runners]
    random = np.random.default_rng(0)
    for image in tqdm(images, total=count, desc="measuring in turns", unit="image"):
        for index in random.permutation(len(runners)):
            sleep(PAUSE_S)
            taken[index].append(runners[index](image))
    return taken


def summarise(rows: Sequence[Mapping[str, float]]) -> dict[str, dict[str, float]]:
    """Return ``p50``, ``p95``, ``p99`` and ``mean`` of each stage, in milliseconds."""
    summary = {}
    for stage in rows[0] if rows else ():
        values = [row[stage] for row in rows]
        points = np.percentile(values, PERCENTILES)
        summary[stage] = {
            **{f"p{name}": float(at) for name, at in zip(PERCENTILES, points, strict=True)},
            "mean": float(np.mean(values)),
        }
    return summary


def images_per_second(summary: Mapping[str, Mapping[str, float]]) -> float:
    """Return the throughput of one image after another: 1000 / mean total milliseconds."""
    return 1e3 / summary[TOTAL]["mean"]
