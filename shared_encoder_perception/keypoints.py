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

    ``u, v`` are positions, ``row`` the integer cell row, ``start_u, start_v`` the votes for the
    start, ``weight`` the vote's weight.
    """

    u: NDArray[np.float64]
    v: NDArray[np.float64]
    row: NDArray[np.int64]
    score: NDArray[np.float64]
    start_u: NDArray[np.float64]
    start_v: NDArray[np.float64]
    weight: NDArray[np.float64]


def find_keypoints(maps: NDArray[np.float32], threshold: float) -> Keypoints | None:
    """Collect cells above ``threshold`` that are the maximum of their row neighbourhood.

    Returns ``None`` when no head has any. Per head the strongest ``MAX_KEYPOINTS`` are kept.
    """
    heat = maps[:, 0]
    heads, rows, columns = heat.shape
    # Few cells are hot: look at the neighbours of those only.
    hot = np.flatnonzero(heat >= threshold)
    head, row, column = hot // (rows * columns), hot // columns % rows, hot % columns
    score = heat[head, row, column]
    ridge = score >= heat[head, row, np.maximum(column - 1, 0)]
    ridge &= score >= heat[head, row, np.minimum(column + 1, columns - 1)]
    head, row, column, score = head[ridge], row[ridge], column[ridge], score[ridge]
    if not len(head):
        return None
    order = np.lexsort((-score, head))
    head, row, column, score = head[order], row[order], column[order], score[order]
    counts = np.bincount(head, minlength=heads)
    slot = np.arange(len(head)) - np.repeat(np.cumsum(counts) - counts, counts)
    strong = slot < MAX_KEYPOINTS
    head, slot = head[strong], slot[strong]
    row, column, score = row[strong], column[strong], score[strong]
    values = maps[head, 1:, row, column].astype(np.float64)
    finite = np.isfinite(values).all(axis=1)
    if not finite.all():  # a broken network output must cost its keypoints, not the image
        head, slot, row = head[finite], slot[finite], row[finite]
        column, score, values = column[finite], score[finite], values[finite]
    if not len(head):
        return None
    u, v = column + values[:, 2], row + values[:, 3]
    per_row = np.bincount(head * rows + row, minlength=heads * rows)[head * rows + row]
    # One vote per row, not per cell: flat neighbour lanes have several cells in a row and would
    # outvote the ego lane where a head confuses the two.
    found = (u, v, row, score, u + values[:, 0], v + values[:, 1], score / per_row)
    padded = np.zeros((len(found), heads, int(slot.max()) + 1))
    padded[:, head, slot] = found
    u, v, row, score, start_u, start_v, weight = padded
    return Keypoints(u, v, row.astype(np.int64), score, start_u, start_v, weight)


def vote_for_start(
    points: Keypoints, priors: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.float64]]:
    """Find each head's start by its keypoints' votes.

    Returns:
        The row of the start (heads,), which keypoints (heads, N) voted for it, and the median
        distance of those votes from it (heads,).
    """
    u, v, weight = points.start_u, points.start_v, points.weight
    # float32 and a few candidates, weak ones too: this is the decoder's one quadratic step.
    few = np.s_[:, :: -(-u.shape[1] // MAX_CANDIDATES)]
    all_u, all_v = u.astype(np.float32)[:, None, :], v.astype(np.float32)[:, None, :]
    few_u, few_v = all_u[:, 0][few][:, :, None], all_v[:, 0][few][:, :, None]
    agree = np.maximum(np.abs(few_u - all_u), np.abs(few_v - all_v)) <= VOTE_RADIUS
    support = (agree @ weight.astype(np.float32)[:, :, None])[:, :, 0]
    support *= points.score[few] > 0
    if len(priors):
        # Long tails: a prior decides between rivals, it must not veto a clear lane.
        unlikely = ((few_u[:, :, 0] - priors[:, 0:1]) / priors[:, 2:3]) ** 2
        unlikely += ((few_v[:, :, 0] - priors[:, 1:2]) / priors[:, 3:4]) ** 2
        support = support / (1.0 + unlikely / PRIOR_TAIL)
    voters = weight * agree[np.arange(len(u)), support.argmax(axis=1)]
    centre_u, centre_v = weighted_median(np.concatenate((u, v)), np.tile(voters, (2, 1))).reshape(
        2, len(u)
    )
    distance = np.maximum(np.abs(u - centre_u[:, None]), np.abs(v - centre_v[:, None]))
    inlier = (distance <= VOTE_RADIUS) & (points.score > 0)
    return centre_v, inlier, weighted_median(distance, inlier.astype(np.float64))


def weighted_median(values: NDArray[np.float64], weight: NDArray[np.float64]) -> NDArray:
    """Weighted median of each row of (heads, N); entries of weight 0 do not count."""
    order = np.argsort(values, axis=1)
    cumulated = np.cumsum(np.take_along_axis(weight, order, axis=1), axis=1)
    index = (cumulated < 0.5 * cumulated[:, -1:]).sum(axis=1)
    index = np.minimum(index, values.shape[1] - 1)
    return values[np.arange(len(values)), order[np.arange(len(values)), index]]
