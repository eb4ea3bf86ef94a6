# SPDX-License-Identifier: Apache-2.0
"""Which frames to take: the reasons take turns, and what looks like a frame already taken waits.

A turn's frame is the one with the largest ``score * novelty`` of its reason. Novelty is the
distance to the nearest frame that was taken, as a share of the usual distance between two frames,
at most 1 (maximal marginal relevance, Carbonell and Goldstein 1998). In a drive, ``gap`` frames
beside each one taken are out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.mining.reasons import Candidate

PAIRS: Final = 2000
"""Pairs of frames whose median distance is the usual one."""
SEED: Final = 0


class Choice(NamedTuple):
    """A frame that was taken.

    Attributes:
        candidate: The frame.
        reason: Whose turn it was.
    """

    candidate: Candidate
    reason: str


def choose(
    candidates: Sequence[Candidate], reasons: Sequence[str], count: int, gap: int = 0
) -> list[Choice]:
    """Take frames, the same ones on every run.

    Args:
        candidates: All frames, in the order of their source.
        reasons: That take turns, in this order.
        count: Most frames.
        gap: Least number of frames between two that are taken.

    Returns:
        In the order in which they were taken; fewer than ``count`` if no reason has any left.
    """
    if not candidates:
        return []
    scores = np.array([[one.scores[name] for name in reasons] for one in candidates])
    looks = np.stack([one.look for one in candidates])
    index = np.array([one.index for one in candidates])
    usual = usual_distance(looks)
    free, novelty = np.ones(len(candidates), bool), np.ones(len(candidates))
    chosen: list[Choice] = []
    turns = list(range(len(reasons)))
    while turns and len(chosen) < count:
        for turn in list(turns):
            worth = np.where(free, scores[:, turn] * novelty, 0.0)
            best = int(worth.argmax())
            if worth[best] <= 0 or len(chosen) == count:
                turns.remove(turn)
                continue
            chosen.append(Choice(candidates[best], reasons[turn]))
            free[best] = False
            free &= np.abs(index - index[best]) > gap
            novelty = np.minimum(novelty, distances(looks, looks[best]) / usual)
    return chosen


def distances(looks: NDArray[np.float32], one: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return how far (N, D) looks are from one of them, (N,) from 0 to 1."""
    return np.sqrt(np.mean((looks - one) ** 2, axis=1, dtype=np.float64))


def usual_distance(looks: NDArray[np.float32]) -> float:
    """Return the median distance of two frames; 1 if all look the same."""
    random = np.random.default_rng(SEED)
    first, second = random.integers(0, len(looks), (2, PAIRS))
    apart = np.sqrt(np.mean((looks[first] - looks[second]) ** 2, axis=1, dtype=np.float64))
    apart = apart[first != second]
    return float(np.median(apart)) if apart.size and np.median(apart) > 0 else 1.0
