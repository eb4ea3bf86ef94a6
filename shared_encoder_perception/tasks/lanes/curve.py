# SPDX-License-Identifier: Apache-2.0
"""Robust curve fits in the image: a parabola on a flat road, seen in perspective.

On the road let ``X = c0 + c1 Z + c2 Z^2``. A camera at height ``H`` with focal length ``f`` and
horizon row ``v_h`` sees depth ``Z = f H / (v - v_h)``, so the column is linear in three functions
of the row: ``u = a0 (v - v_h) + a1 + a2 / (v - v_h)``. A cubic on the road adds
``1 / (v - v_h)^2``.

A split lane is such a curve up to the depth ``Z_b`` where it leaves the ego lane; from there on it
gains ``k1 (Z - Z_b) + k2 (Z - Z_b)^2`` sideways, two more terms for a known ``Z_b``. That depth is
found by trying a few.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

ITERATIONS: Final = 2
TUKEY: Final = 4.685
"""Tukey biweight constant: 95 % efficiency under Gaussian noise."""
MIN_SCALE: Final = 0.15
"""Cells: residuals below this are quantisation, not outliers."""
RIDGE: Final = 1e-6
BLOCKED: Final = 1e9
"""Ridge that switches a basis function off."""
ROWS_FOR_THREE, ROWS_FOR_FOUR = 6, 14
"""Distinct rows from which the third and the fourth basis function are used."""
BRANCH_TRIALS: Final = 8
"""Branch depths tried for a split lane, evenly spaced over its rows."""
ROWS_FOR_BRANCH: Final = 10
TERMS: Final = 6
_DIAGONAL: Final = np.eye(TERMS)
_TRIALS: Final = np.arange(1, BRANCH_TRIALS + 1) / (BRANCH_TRIALS + 1)


@dataclass(frozen=True, eq=False)
class CurveFit:
    """Curves of all heads.

    Attributes:
        horizon: Row of the horizon in the basis, cells.
        branch: (heads,) where a split leaves, as ``perspective_basis`` takes it; 0 for none.
        coefficients: (heads, 6) of ``perspective_basis``.
        covariance: (heads, 6, 6) of the coefficients.
        residual: (heads,) median absolute residual, cells.
        distinct_rows: (heads,) rows that hold at least one keypoint of weight.
    """

    horizon: float
    branch: NDArray[np.float64]
    coefficients: NDArray[np.float64]
    covariance: NDArray[np.float64]
    residual: NDArray[np.float64]
    distinct_rows: NDArray[np.int64]


def perspective_basis(
    v: NDArray[np.float64], horizon: float, branch: NDArray[np.float64] | float = 0.0
) -> NDArray[np.float64]:
    """Evaluate the basis at rows ``v``, with ``h`` their distance to the horizon.

    Args:
        v: (..., N) rows, cells.
        horizon: Row of the horizon, cells.
        branch: Distance to the horizon at which a split leaves, broadcast to ``v``; 0 for none.

    Returns:
        (..., N, 6): ``h, 1, 1/h, 1/h^2`` and the two branch terms. ``h`` is in tens of cells and
        kept away from zero, where the basis has its pole.
    """
    h = np.maximum(v - horizon + 1.5, 1.0) / 10.0
    inverse = 1.0 / h
    beyond = np.maximum(inverse - 1.0 / np.maximum(branch, 1e-9), 0.0)
    basis = np.empty((*h.shape, TERMS))
    basis[..., 0], basis[..., 1], basis[..., 2], basis[..., 3] = h, 1.0, inverse, inverse * inverse
    basis[..., 4] = h * beyond
    basis[..., 5] = basis[..., 4] * beyond
    return basis


def fit_curves(
    u: NDArray[np.float64],
    v: NDArray[np.float64],
    row: NDArray[np.int64],
    weight: NDArray[np.float64],
    horizon: float,
    splits: tuple[int, ...] = (),
) -> CurveFit:
    """Fit ``u(v)`` of every head by iteratively re-weighted least squares.

    Args:
        u: (heads, N) columns, cells.
        v: (heads, N) rows, cells.
        row: (heads, N) integer row of the cell that holds the keypoint.
        weight: (heads, N) >= 0; 0 where there is no keypoint.
        horizon: Expected row of the horizon; raised to the topmost keypoint where that is higher.
        splits: Heads whose lane may branch off.
    """
    used = weight > 0
    if used.any():
        horizon = min(horizon, float(v[used].min()))
    distinct = _distinct_rows(row, used)
    # One problem per head, and one more per branch depth to be tried.
    head, branch = [np.arange(len(u))], [np.zeros(len(u))]
    for split in splits:
        if distinct[split] >= ROWS_FOR_BRANCH:
            rows = v[split][used[split]]
            trials = rows.min() + (rows.max() - rows.min()) * _TRIALS
            head.append(np.full(BRANCH_TRIALS, split))
            branch.append((trials - horizon + 1.5) / 10.0)
    owner, depth = np.concatenate(head), np.concatenate(branch)
    ridge = np.full((len(owner), TERMS), RIDGE)
    ridge[distinct[owner] < ROWS_FOR_THREE, 2] = BLOCKED
    # A branching lane has its own two terms for the far end.
    ridge[(distinct[owner] < ROWS_FOR_FOUR) | (depth > 0), 3] = BLOCKED
    ridge[depth == 0, 4:] = BLOCKED
    basis = perspective_basis(v[owner], horizon, depth[:, None])
    solved = _reweighted(basis, u[owner], weight[owner], ridge)
    # The misfit is not robust: a far end that counts as outliers is what a wrong depth looks like.
    best = np.arange(len(u))
    for first in range(len(u), len(owner), BRANCH_TRIALS):
        rivals = np.append(owner[first], np.arange(first, first + BRANCH_TRIALS))
        best[owner[first]] = rivals[solved.misfit[rivals].argmin()]
    return CurveFit(
        horizon,
        depth[best],
        solved.coefficients[best],
        solved.covariance[best],
        solved.residual[best],
        distinct,
    )


@dataclass(frozen=True, eq=False)
class _Solution:
    """Of P least-squares problems: (P, 6), (P, 6, 6), (P,) median and (P,) mean |residual|."""

    coefficients: NDArray[np.float64]
    covariance: NDArray[np.float64]
    residual: NDArray[np.float64]
    misfit: NDArray[np.float64]


def _reweighted(
    basis: NDArray[np.float64],
    u: NDArray[np.float64],
    weight: NDArray[np.float64],
    ridge: NDArray[np.float64],
) -> _Solution:
    """Solve P robust problems at once: basis (P, N, 6), u and weight (P, N), ridge (P, 6)."""
    used, robust = weight > 0, weight
    for _ in range(ITERATIONS):
        coefficients, _normal = _solve(basis, u, robust, ridge)
        error = np.abs(u - (basis @ coefficients[:, :, None])[:, :, 0])
        cut = TUKEY * np.maximum(1.4826 * _masked_median(error, used), MIN_SCALE)
        ratio = np.minimum(error / cut[:, None], 1.0)
        robust = weight * (1.0 - ratio * ratio) ** 2
    coefficients, normal = _solve(basis, u, robust, ridge)
    error = np.abs(u - (basis @ coefficients[:, :, None])[:, :, 0])
    # Residual variance in units of the weights, floored by the quantisation of one cell.
    freedom = np.maximum((robust > 0).sum(axis=1) - 2, 1)
    variance = np.maximum((robust * error * error).sum(axis=1) / freedom, 1e-4)
    total = np.maximum(weight.sum(axis=1), 1e-9)
    return _Solution(
        coefficients,
        np.linalg.inv(normal) * variance[:, None, None],
        _masked_median(error, used),
        (weight * error).sum(axis=1) / total,
    )


def _solve(
    basis: NDArray[np.float64],
    u: NDArray[np.float64],
    weight: NDArray[np.float64],
    ridge: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Weighted ridge least squares: coefficients (P, 6), normal matrix (P, 6, 6)."""
    weighted = np.swapaxes(basis * weight[:, :, None], 1, 2)
    total = np.maximum(weight.sum(axis=1), 1e-3)
    normal = weighted @ basis + _DIAGONAL * (ridge * total[:, None])[:, None, :]
    return np.linalg.solve(normal, weighted @ u[:, :, None])[:, :, 0], normal


def _masked_median(values: NDArray[np.float64], used: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Median of the used entries of each row, 0 where there are none."""
    ordered = np.sort(np.where(used, values, np.inf), axis=1)
    middle = np.maximum(used.sum(axis=1) - 1, 0) // 2
    median = ordered[np.arange(len(values)), middle]
    return np.where(np.isfinite(median), median, 0.0)


def _distinct_rows(row: NDArray[np.int64], used: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Count the distinct rows of each head's used keypoints."""
    heads = len(row)
    hit = np.zeros((heads, int(row.max(initial=0)) + 1), np.bool_)
    head, slot = np.nonzero(used)
    hit[head, row[head, slot]] = True
    return hit.sum(axis=1)
