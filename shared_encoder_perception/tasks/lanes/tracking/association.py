# SPDX-License-Identifier: Apache-2.0
"""Which line belongs to which track: one to one, at the least total distance."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

GATE: Final = 1.0
"""Squared distance from which a line and a track are two lanes."""
WIDEST: Final = 1.5
"""Doubt about a track widens its gate by at most this factor: beyond half a lane's width a line is
the neighbour's, however little is known of the track."""


def squared_gate(
    gate: NDArray[np.float64], noise: NDArray[np.float64], doubt: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the squared distance that counts as 1, of arrays that broadcast.

    Args:
        gate: Width of the gate if all were known exactly.
        noise: Variance of what is measured.
        doubt: Variance of the track.
    """
    return np.asarray(np.minimum(gate**2 + doubt, (WIDEST * gate) ** 2) + noise)


def assign(distance: NDArray[np.float64]) -> list[int]:
    """Pair lines with tracks so that the sum is least; a line without a track counts ``GATE``.

    Args:
        distance: (M, T) squared distances in units of the gate; NaN where unknown.

    Returns:
        For each line the index of its track, -1 for none. Only distances below ``GATE`` are paired.
    """
    options = [
        sorted((float(row[track]), int(track)) for track in np.flatnonzero(row < GATE))
        for row in distance
    ]
    # What the lines from each on cost at least, whoever gets which track.
    least = [GATE if not pairs else min(pairs[0][0], GATE) for pairs in options]
    rest = [sum(least[index:]) for index in range(len(options) + 1)]
    best: list[int] = [-1] * len(options)
    best_cost = GATE * len(options)
    chosen: list[int] = []

    def choose(cost: float) -> None:
        """Try all that is left for the next line, and so on; hardly ever is there more than one."""
        nonlocal best, best_cost
        if cost + rest[len(chosen)] >= best_cost:
            return
        if len(chosen) == len(options):
            best, best_cost = chosen.copy(), cost
            return
        for each, track in [*options[len(chosen)], (GATE, -1)]:
            if track < 0 or track not in chosen:
                chosen.append(track)
                choose(cost + each)
                chosen.pop()

    choose(0.0)
    return best
