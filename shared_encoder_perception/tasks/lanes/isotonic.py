# SPDX-License-Identifier: Apache-2.0
"""Isotonic regression: the rising curve closest to events (Zadrozny & Elkan, KDD 2002)."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.tasks.lanes.spec import LaneCalibration

MOST_KNOTS: Final = 16
DECIMALS: Final = 6
"""Of a knot; scores that differ by less are one score."""
PRIOR_EVENTS: Final = 4.0
"""Each knot is pulled to the base rate as by so many events: three right lines prove little."""


def fit_lane_calibration(
    score: NDArray[np.float64], right: NDArray[np.bool_], weight: NDArray[np.float64] | None = None
) -> LaneCalibration:
    """Fit how likely a line is right, by its raw score.

    Args:
        score: (N,) raw scores of lines, 0 to 1; N may be 0.
        right: (N,) whether the lane was there and the line right.
        weight: (N,) what each counts relative to the others, above 0; equal by default.

    Returns:
        The curve, with at most ``MOST_KNOTS`` knots. Without any event it is one half throughout.
    """
    weight = np.ones(len(score)) if weight is None else weight
    # Events of unequal weight tell as much as so many equal ones (Kish 1965).
    weight = weight * (weight.sum() / max(float((weight**2).sum()), 1e-300))
    base_rate = (float((weight * right).sum()) + 1.0) / (float(weight.sum()) + 2.0)
    if not len(score):
        return LaneCalibration((0.5,), (base_rate,))
    where, block = np.unique(np.round(score, DECIMALS), return_inverse=True)
    total = np.bincount(block, weight).astype(np.float64)
    share = np.bincount(block, weight * right) / total
    where, share, total = _merge_blocks(where, pool_adjacent_violators(share, total), total)
    pulled = (share * total + base_rate * PRIOR_EVENTS) / (total + PRIOR_EVENTS)
    # The pull is strongest where events are few, so neighbours may have changed places.
    share = pool_adjacent_violators(pulled, total + PRIOR_EVENTS)
    where, first = np.unique(np.round(where, DECIMALS), return_index=True)
    return LaneCalibration(
        tuple(where.tolist()), tuple(np.round(share[first], DECIMALS).clip(0.0, 1.0).tolist())
    )


def pool_adjacent_violators(
    values: NDArray[np.float64], weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the never decreasing sequence closest to ``values`` in weighted squares.

    Args:
        values: (N,).
        weights: (N,), above 0.

    Returns:
        (N,), with the weighted mean of ``values``.
    """
    means: list[float] = []
    totals: list[float] = []
    sizes: list[int] = []
    for value, weight in zip(values.tolist(), weights.tolist(), strict=True):
        means.append(value)
        totals.append(weight)
        sizes.append(1)
        while len(means) > 1 and means[-2] > means[-1]:
            mean, total, size = means.pop(), totals.pop(), sizes.pop()
            means[-1] += (mean - means[-1]) * total / (total + totals[-1])
            totals[-1] += total
            sizes[-1] += size
    return np.repeat(np.array(means), sizes)


def _merge_blocks(
    where: NDArray[np.float64], share: NDArray[np.float64], total: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Make one knot of each step of a rising curve, of its centre, and at most ``MOST_KNOTS``.

    Args:
        where: (N,) scores, increasing.
        share: (N,) never decreasing.
        total: (N,) weights.

    Returns:
        The three of (K,); means over ``share`` and ``where`` stay.
    """
    _, step = np.unique(share, return_inverse=True)
    weight, centre, height = (
        np.bincount(step, values).astype(np.float64)
        for values in (total, total * where, total * share)
    )
    centre, height = centre / weight, height / weight
    while len(weight) > MOST_KNOTS:
        # The pair whose merging changes the curve least, in weighted squares.
        loss = np.diff(height) ** 2 * weight[1:] * weight[:-1] / (weight[1:] + weight[:-1])
        at = int(np.argmin(loss))
        rest = weight[at + 1] / (weight[at] + weight[at + 1])
        for values in (centre, height):
            values[at] += (values[at + 1] - values[at]) * rest
        weight[at] += weight[at + 1]
        kept = np.arange(len(weight)) != at + 1
        centre, height, weight = centre[kept], height[kept], weight[kept]
    return centre, height, weight
