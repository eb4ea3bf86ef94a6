# SPDX-License-Identifier: Apache-2.0
"""Matrices of sequences that were never run, as tests and pictures of reports need them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from shared_encoder_perception.continual.matrix import Matrix, ScoredTest

PLACES = ("day", "dusk", "night")


def matrix_of(rows, **changes):
    """Return the matrix of a sequence whose score ``miou`` is ``rows``, the untrained one first."""
    count, names = len(rows[0]), (*PLACES, "snow", "rain")[: len(rows[0])]
    learned = len(rows) - 1
    scored = tuple(dict(zip(names, row, strict=True)) for row in rows)
    matrix = Matrix(
        strategy="naive",
        seed=0,
        digest="d" * 64,
        commit="",
        machine="2 cores",
        tasks=tuple(names),
        tests=tuple(ScoredTest(name, task) for task, name in enumerate(names[:count])),
        headline=("miou",),
        scores={"miou": scored},
        steps=(100,) * learned,
        batch_size=8,
        seconds=tuple(40.0 + task for task in range(learned)),
        images_per_second=(20.0,) * learned,
        memory_samples=(0,) * learned,
        memory_bytes=(0,) * learned,
        state_bytes=(0,) * learned,
        peak_mb=(900.0,) * learned,
        parameters=1_100_000,
    )
    return replace(matrix, **changes)


def sequence(strategy, seed, kept, cost=1.0, **changes):
    """Return a run in which each later task leaves ``kept`` of what was learned of earlier ones."""
    dice = np.random.default_rng([seed, len(strategy)])
    rows = [[0.08, 0.07, 0.09]]
    peak = (0.72, 0.66, 0.58)
    for task in range(3):
        row = [
            peak[test] * kept ** (task - test) if test <= task else 0.12 + 0.08 * (task + 1)
            for test in range(3)
        ]
        rows.append([float(value + dice.normal(0, 0.012)) for value in row])
    numbers = {
        "images_per_second": tuple(20.0 / cost + dice.normal(0, 0.2) for _ in range(3)),
        "seconds": tuple(40.0 * cost for _ in range(3)),
    }
    memory = "replay" in strategy
    numbers["memory_samples"] = (25, 50, 50) if memory else (0, 0, 0)
    numbers["memory_bytes"] = (1200, 2400, 2400) if memory else (0, 0, 0)
    return matrix_of(rows, strategy=strategy, seed=seed, **{**numbers, **changes})
