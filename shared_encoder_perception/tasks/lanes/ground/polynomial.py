# SPDX-License-Identifier: Apache-2.0
"""Weighted polynomials ``y(x)`` of several lines at once, with covariance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

SPAN_M: Final = (1.0, 6.0, 15.0)
"""Metres of ``x`` that a line must span for a polynomial of degree 1, 2, 3."""
SPARE_POINTS: Final = 2
"""Points that it must have beyond the coefficients."""


@dataclass(frozen=True, eq=False)
class PolynomialFit:
    """Polynomials of L lines, ascending: ``y(x) = sum_i coefficients[i] * x**i``.

    Attributes:
        degree: (L,) of each; -1 where there are too few points. Higher coefficients are zero.
        coefficients: (L, D + 1).
        gain: (L, D + 1, N) derivative of the coefficients by a shift of each point in ``y``.
        inverse_normal: (L, D + 1, D + 1) covariance of the coefficients if ``std`` is that of
            independent errors.
    """

    degree: NDArray[np.int64]
    coefficients: NDArray[np.float64]
    gain: NDArray[np.float64]
    inverse_normal: NDArray[np.float64]

    def slope(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return (L, N) ``dy/dx`` at ``x`` of that shape."""
        slope = np.zeros_like(x)
        for power in range(self.coefficients.shape[1] - 1, 0, -1):
            slope = slope * x + power * self.coefficients[:, power, None]
        return slope

    def __call__(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return (L, N) ``y`` at ``x`` of that shape."""
        y = np.zeros_like(x)
        for power in range(self.coefficients.shape[1] - 1, -1, -1):
            y = y * x + self.coefficients[:, power, None]
        return y


def choose_degree(x: NDArray[np.float64], used: NDArray[np.bool_], highest: int) -> NDArray:
    """Return (L,) the degree that each line supports, -1 for none.

    Args:
        x: (L, N) metres.
        used: (L, N) which of them count.
        highest: 1 to 3.
    """
    span = np.where(used, x, -np.inf).max(axis=1) - np.where(used, x, np.inf).min(axis=1)
    by_span = np.searchsorted(SPAN_M[:highest], span, side="right")
    by_count = used.sum(axis=1) - 1 - SPARE_POINTS
    degree = np.minimum(by_span, by_count)
    return np.where(degree < 1, -1, degree)


def fit_polynomials(
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    std: NDArray[np.float64],
    used: NDArray[np.bool_],
    degree: NDArray[np.int64],
) -> PolynomialFit:
    """Fit all lines by weighted least squares.

    Args:
        x: (L, N) metres; finite where used.
        y: (L, N) metres; likewise.
        std: (L, N) > 0, metres: how far a point may be off, as its weight.
        used: (L, N) which points count.
        degree: (L,) of ``choose_degree``.
    """
    # Powers of numbers up to 1, for the sake of the inverse.
    scale = np.maximum(np.where(used, np.abs(x), 0.0).max(axis=1), 1e-9)
    powers = np.arange(max(int(degree.max(initial=0)), 0) + 1)
    kept = powers <= degree[:, None]
    unit = np.where(used, x, 0.0) / scale[:, None]
    basis = np.ones((*x.shape, len(powers)))
    for power in powers[1:]:
        basis[..., power] = basis[..., power - 1] * unit
    basis *= kept[:, None, :]
    weight = np.where(used & (degree[:, None] >= 0), 1.0 / std, 0.0) ** 2
    # Only ratios of weights matter to the inverse; sigmas of a micrometre must not.
    size = np.maximum(weight.max(axis=1), 1e-300)
    weighted = np.swapaxes(basis * (weight / size[:, None])[..., None], 1, 2)
    normal = weighted @ basis
    normal[:, powers, powers] += ~kept
    inverse = np.linalg.inv(normal) * (kept[:, :, None] & kept[:, None, :])
    unscaled = scale[:, None] ** -powers.astype(np.float64)
    gain = unscaled[..., None] * (inverse @ weighted)
    coefficients = (gain @ np.where(used, y, 0.0)[..., None])[..., 0]
    covariance = inverse * unscaled[:, :, None] * unscaled[:, None, :] / size[:, None, None]
    return PolynomialFit(degree, coefficients, gain, covariance)
