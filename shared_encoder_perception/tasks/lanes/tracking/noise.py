# SPDX-License-Identifier: Apache-2.0
"""How much a line trembles, learnt while it is followed, against what the model says it does."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

FIRST: Final = 4.0
"""Variance of the trembling in units of the reported one, before anything was learnt: lines of the
shipped model tremble two to four times as much as ``x_std_px`` says."""
SHARE: Final = 0.08
"""Weight of one image: a memory of about a dozen."""
LIMITS: Final = (0.01, 1000.0)
OUTLIER: Final = 9.0
"""One image counts at most this many times what was known: a jump is not noise."""


class NoiseScale:
    """Ratio of true to reported variance, for each of several tracks.

    Three images in a row tell it without any filter: what does not move evenly, trembles. If a
    value has variance ``R``, its deviation from the line through the two values before has
    ``R * (1 + (1 + r)^2 + r^2)``, with ``r`` the ratio of the two time steps.
    """

    def __init__(self, tracks: int) -> None:
        """Know nothing of ``tracks`` tracks."""
        self.value = np.full(tracks, FIRST)

    def restart(self, track: int) -> None:
        """Forget one."""
        self.value[track] = FIRST

    def learn(
        self,
        track: NDArray[np.int64],
        deviation: NDArray[np.float64],
        variance: NDArray[np.float64],
        step_ratio: NDArray[np.float64],
    ) -> None:
        """Learn from one image.

        Args:
            track: (M,) which tracks were seen, each once.
            deviation: (M, N) of each value from the line through the two before; NaN where those
                are not known.
            variance: (M, N) reported variance of each value.
            step_ratio: (M,) this time step by the one before.
        """
        factor = 1.0 + (1.0 + step_ratio) ** 2 + step_ratio**2
        known = np.isfinite(deviation)
        count = known.sum(axis=1)
        ratio = np.where(known, deviation, 0.0) ** 2 / variance
        sample = ratio.sum(axis=1) / (np.maximum(count, 1) * factor)
        before = self.value[track]
        sample = np.minimum(sample, OUTLIER * before)
        learnt = np.clip(before + SHARE * (sample - before), *LIMITS)
        self.value[track] = np.where(count > 0, learnt, before)


def deviation(
    now: NDArray[np.float64],
    last: NDArray[np.float64],
    before: NDArray[np.float64],
    step_ratio: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return (M, N) how far ``now`` is off the line through the two values before, all (M, N)."""
    return now - last - (last - before) * step_ratio[:, None]
