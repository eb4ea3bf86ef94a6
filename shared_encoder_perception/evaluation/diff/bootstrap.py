# SPDX-License-Identifier: Apache-2.0
"""How sure a number is that was counted over frames: the bootstrap of Efron and Tibshirani (1993).

Frames are drawn anew, with replacement, and the number is computed of what was drawn; between the
2.5th and the 97.5th percentile of many such numbers lies its 95 % confidence interval.

- What is drawn are sums of counts, so that a resample is one product of matrices.
- Sources are drawn from one by one: each keeps its number of frames.
- Neighbours in a drive look alike. They are drawn as blocks of consecutive frames; frame by frame
  the interval would be too narrow.
- Two models are drawn with the same seed, and so on the same frames: what makes a frame hard for
  both cancels in the difference.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

RESAMPLES: Final = 1000
SEED: Final = 0
LEVEL: Final = 0.95
FEWEST: Final = 10
"""Frames or blocks below which there is no interval: of a few it would be far too narrow."""
CHUNK: Final = 100
"""Resamples that are drawn at once; memory depends on it."""
GRAIN: Final = 2.0**-20
"""Sums are whole multiples of it, so that no order of adding, and no machine, changes a bit."""

Groups = Sequence[NDArray[np.float64]]


class Interval(NamedTuple):
    """A confidence interval; both ends are NaN where there is none."""

    low: float
    high: float

    @property
    def known(self) -> bool:
        """Whether there is one."""
        return not math.isnan(self.low)

    @property
    def excludes_zero(self) -> bool:
        """Whether zero lies outside."""
        return self.low > 0 or self.high < 0


NO_INTERVAL: Final = Interval(math.nan, math.nan)


class BlockSums:
    """Sums counts over blocks of consecutive frames, by source."""

    def __init__(self, block: int = 1) -> None:
        """Start empty.

        Args:
            block: Frames of a block; the last one of a source may be shorter.

        Raises:
            ValueError: It is below 1.
        """
        if block < 1:
            raise ValueError(f"a block is {block} frames, expected 1 or more")
        self._block = block
        self._sums: dict[str, list[NDArray[np.float64]]] = {}
        self._frames: dict[str, int] = {}

    def add(self, source: str, counts: ArrayLike) -> None:
        """Add one frame.

        Args:
            source: Name of its group.
            counts: (K,) what was counted in it.
        """
        row = np.round(np.asarray(counts, np.float64) / GRAIN) * GRAIN
        sums = self._sums.setdefault(source, [])
        seen = self._frames.get(source, 0)
        if seen % self._block == 0:
            sums.append(row)
        else:
            sums[-1] += row
        self._frames[source] = seen + 1

    def groups(self) -> list[NDArray[np.float64]]:
        """Return (blocks, K) of each source, by name."""
        return [np.stack(sums) for _, sums in sorted(self._sums.items())]


def resampled_sums(groups: Groups, resamples: int = RESAMPLES, seed: int = SEED) -> Groups:
    """Draw from each group as many rows as it has, again and again, and add them up.

    Args:
        groups: (n, K) each; n may differ.
        resamples: How often.
        seed: The same one draws the same rows of groups of the same n.

    Returns:
        (resamples, K) for each group.
    """
    random = np.random.default_rng(seed)
    sums = [np.empty((resamples, group.shape[1])) for group in groups]
    for start in range(0, resamples, CHUNK):
        count = min(CHUNK, resamples - start)
        for group, total in zip(groups, sums, strict=True):
            rows = len(group)
            drawn = random.integers(0, rows, (count, rows))
            drawn += np.arange(count)[:, np.newaxis] * rows
            times = np.bincount(drawn.ravel(), minlength=count * rows).reshape(count, rows)
            total[start : start + count] = times.astype(np.float64) @ group
    return sums


def interval(values: ArrayLike, level: float = LEVEL) -> Interval:
    """Return the percentile interval of resampled values.

    Args:
        values: (N,); NaN, where nothing was drawn that could be counted, is left out.
        level: Of confidence, 0 to 1.
    """
    numbers = np.asarray(values, np.float64)
    numbers = numbers[np.isfinite(numbers)]
    if not len(numbers):
        return NO_INTERVAL
    low, high = np.percentile(numbers, (50 * (1 - level), 50 * (1 + level)))
    return Interval(float(low), float(high))
