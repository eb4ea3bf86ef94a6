# SPDX-License-Identifier: Apache-2.0
"""Scores of summed counts: the arithmetic that rooms' ``drift.py`` share.

Sums are (R,) arrays, one number for each resample of the bootstrap.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.tasks.contract.comparisons import Sums, Values
from shared_encoder_perception.tasks.reliability import BINS

RELIABILITY: Final = ("statements", "stated", "right")


def ratio(part: Values, whole: Values) -> Values:
    """Divide; NaN for nothing of nothing."""
    return np.where(whole > 0, part / np.where(whole > 0, whole, 1.0), np.nan)


def mean(values: Sequence[Values]) -> Values:
    """Return the mean of those that are numbers."""
    table = np.stack(values)
    known = np.isfinite(table)
    return ratio(np.where(known, table, 0.0).sum(axis=0), known.sum(axis=0).astype(np.float64))


def share(part: str, whole: str) -> Callable[[Sums], Values]:
    """Return the score that is one column as a share of another."""
    return lambda sums: ratio(sums[part], sums[whole])


def image_columns(shares: Sequence[str]) -> tuple[str, ...]:
    """Name the columns from which ``image_mean`` is computed."""
    return (*(f"image_{name}" for name in shares), *(f"images_{name}" for name in shares))


def image_counts(shares: Mapping[str, float]) -> dict[str, float]:
    """Count the scores of a single image; NaN for none."""
    counts: dict[str, float] = {}
    for name, value in shares.items():
        if not math.isnan(value):
            counts |= {f"image_{name}": value, f"images_{name}": 1.0}
    return counts


def image_mean(name: str) -> Callable[[Sums], Values]:
    """Return the score that is the mean over images."""
    return share(f"image_{name}", f"images_{name}")


def reliability_columns(name: str) -> tuple[str, ...]:
    """Name the columns from which ``calibration_error`` is computed."""
    return tuple(f"{name}/{index}/{what}" for index in range(BINS) for what in RELIABILITY)


def reliability_counts(name: str, table: NDArray) -> dict[str, float]:
    """Return what is counted of a (BINS, 3) table: statements, stated, right."""
    return dict(zip(reliability_columns(name), map(float, table.ravel()), strict=True))


def calibration_error(name: str) -> Callable[[Sums], Values]:
    """Return the score that is the expected calibration error."""

    def value(sums: Sums) -> Values:
        statements, stated, right = (
            np.stack([sums[f"{name}/{index}/{what}"] for index in range(BINS)], axis=1)
            for what in RELIABILITY
        )
        return ratio(np.abs(stated - right).sum(axis=1), statements.sum(axis=1))

    return value
