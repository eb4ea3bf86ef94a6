# SPDX-License-Identifier: Apache-2.0
"""Keypoints of all heads at once, and their votes for where each lane starts (numpy).

Follows GANet (Wang et al., CVPR 2022) reduced to one lane per head: the votes do not cluster lanes,
they reject keypoints that belong elsewhere. Positions are in cells, ``(u, v)`` = (column, row).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

VOTE_RADIUS: Final = 4.0
"""Start votes within this many cells (Chebyshev) agree."""
MAX_KEYPOINTS: Final = 128
"""Per head, strongest first: bounds the pairwise votes; a clean lane has at most about 100."""
MAX_CANDIDATES: Final = 48
"""Per head, how many of the votes are tried as the start."""
PRIOR_TAIL: Final = 4.0
"""Squared distance, in prior sigmas, at which a prior halves a vote's support."""


@dataclass(frozen=True, eq=False)
class Keypoints:
    """Keypoints of all heads, padded to the longest: arrays (heads, N); ``score`` is 0 in padding.

    ``u, v`` are positions, ``row`` the integer cell row, ``start`` (2, heads, N) the votes ``(u,
    v)`` for the start, ``weight`` the vote's weight.
    """

    u: NDArray[np.float64]
    v: NDArray[np.float64]
    row: NDArray[np.int64]
    score: NDArray[np.float64]
    start: NDArray[np.float64]
    weight: NDArray[np.float64]


def find_keypoints(maps: NDArray[np.float32], threshold: float) -> Keypoints | None:
    """Collect cells above ``threshold`` that are the maximum of their row neighbourhood.

    Returns ``None`` when no head has any. Per head the strongest ``MAX_KEYPOINTS`` are kept.
    """
    heads, fields, rows, columns = maps.shape
    area, flat = rows * columns, maps.reshape(-1)
    # Few cells are hot: look at the neighbours of those only.
    hot = np.flatnonzero(maps[:, 0] >= threshold)
    head, column = hot // area, hot % columns
    where = hot + head * ((fields - 1) * area)
    score = flat[where]
    ridge = score >= flat[where - (column > 0)]
    ridge &= score >= flat[where + (column < columns - 1)]
    kept = np.flatnonzero(ridge)
    kept = kept[np.lexsort((-score[kept], head[kept]))]
    # A broken network output must cost its keypoints, not the image.
    values = flat[where[kept] + area * np.arange(1, fields)[:, None]]
    finite = np.isfinite(values)
    if not finite.all():
        sound = finite.all(axis=0)
        kept, values = kept[sound], values[:, sound]
    if not len(kept):
        return None
    counts = np.bincount(head[kept], minlength=heads)
    slot = np.arange(len(kept)) - np.repeat(np.cumsum(counts) - counts, counts)
    if counts.max() > MAX_KEYPOINTS:
        strong = slot < MAX_KEYPOINTS
        kept, slot, values = kept[strong], slot[strong], values[:, strong]
    head, line = head[kept], hot[kept] // columns
    row = line - head * rows
    found = np.empty((7, len(kept)))
    found[0], found[1] = column[kept], row
    found[:2] += values[2:]
    found[2:4] = found[:2] + values[:2]
    found[4], found[5] = row, score[kept]
    # One vote per row, not per cell: flat neighbour lanes have several cells in a row and would
    # outvote the ego lane where a head confuses the two.
    found[6] = found[5] / np.bincount(line)[line]
    padded = np.zeros((len(found), heads, int(slot.max()) + 1))
    padded[:, head, slot] = found
    return Keypoints(
        padded[0], padded[1], padded[4].astype(np.int64), padded[5], padded[2:4], padded[6]
    )


def vote_for_start(
    points: Keypoints, priors: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.float64]]:
    """Find each head's start by its keypoints' votes.

    Args:
        points: Keypoints of all heads.
        priors: (4, heads, 1) where each head's lane usually starts: the means ``u, v``, then their
            standard deviations; (4, 0, 1) for no idea.

    Returns:
        The row of the start (heads,), which keypoints (heads, N) voted for it, and the median
        distance of those votes from it (heads,).
    """
    start, weight, heads = points.start, points.weight, np.arange(len(points.u))
    # float32 and a few candidates, weak ones too: this is the decoder's one quadratic step.
    few = np.s_[..., :: -(-start.shape[2] // MAX_CANDIDATES)]
    votes = start.astype(np.float32)
    candidates = votes[few]
    apart = np.abs(candidates[..., None] - votes[:, :, None])
    agree = np.maximum(apart[0], apart[1]) <= VOTE_RADIUS
    support = (agree @ weight.astype(np.float32)[:, :, None])[:, :, 0]
    support *= points.score[few] > 0
    if priors.size:
        # Long tails: a prior decides between rivals, it must not veto a clear lane.
        unlikely = ((candidates - priors[:2]) / priors[2:]) ** 2
        support = support / (1.0 + (unlikely[0] + unlikely[1]) / PRIOR_TAIL)
    voters = weight * agree[heads, support.argmax(axis=1)]
    centre = weighted_median(start, voters)
    apart = np.abs(start - centre[..., None])
    distance = np.maximum(apart[0], apart[1])
    inlier = (distance <= VOTE_RADIUS) & (points.score > 0)
    return centre[1], inlier, weighted_median(distance, inlier.astype(np.float64))


def weighted_median(values: NDArray[np.float64], weight: NDArray[np.float64]) -> NDArray:
    """Weighted median along the last axis; entries of weight 0 do not count.

    Args:
        values: (..., heads, N).
        weight: (heads, N).
    """
    order = values.argsort(axis=-1)
    head = np.arange(len(weight))
    cumulated = weight[head[:, None], order].cumsum(axis=-1)
    index = (cumulated < 0.5 * cumulated[..., -1:]).sum(axis=-1)
    rank = index.reshape(-1)
    np.minimum(rank, values.shape[-1] - 1, out=rank)
    flat, order = values.reshape(-1, values.shape[-1]), order.reshape(-1, values.shape[-1])
    row = np.arange(len(rank))
    return flat[row, order[row, rank]].reshape(index.shape)
