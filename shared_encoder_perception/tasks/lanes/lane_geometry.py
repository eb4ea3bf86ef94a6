# SPDX-License-Identifier: Apache-2.0
"""For consumers: where a lane runs on the road, with how much of it is certain.

A lane's polynomial ``y(x)`` is in the vehicle's frame: x forward, y left, metres. Every answer
comes with one standard deviation, propagated to first order from the polynomial's covariance.

    curve = LaneCurve.from_message(message)          # a LaneLine of rclpy or rosbags
    if curve is not None:
        y, y_std = curve.lateral(30.0)               # 30 m ahead, y m to the left
        offset, offset_std = curve.offset(0.0)       # where the vehicle is in its lane

Numpy only: works without ROS on lines from ``Predictor`` and on recorded bags too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.polynomial import polynomial as powers
from numpy.typing import ArrayLike, NDArray

from shared_encoder_perception.tasks.lanes.answer import GroundLine


class Estimate(NamedTuple):
    """A value and its standard deviation, float64 of the same shape and unit."""

    value: NDArray[np.float64]
    std: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class LaneCurve:
    """The centre line of one lane on the road.

    Where ``x`` is outside of ``x_range_m`` every answer is NaN, unless ``extrapolate`` is set: then
    the standard deviation is that of the polynomial, which is honest only as far as the lane goes
    on as it did.

    Attributes:
        polynomial: (n,) float64, n >= 1, ascending: ``y(x) = sum_i polynomial[i] * x**i``.
        covariance: (n, n) float64 of ``polynomial``.
        x_range_m: Lowest and highest ``x`` for which the polynomial holds.
    """

    polynomial: NDArray[np.float64]
    covariance: NDArray[np.float64]
    x_range_m: tuple[float, float]

    def __post_init__(self) -> None:
        """Check that the shapes belong together."""
        order = len(self.polynomial)
        if not order or self.covariance.shape != (order, order):
            raise ValueError(
                f"polynomial has {order} coefficients and the covariance the shape "
                f"{self.covariance.shape}: expected n >= 1 and (n, n)"
            )

    @classmethod
    def from_message(cls, message: Any) -> LaneCurve | None:
        """Take the curve of a LaneLine message, of rclpy or rosbags; ``None`` if it has none.

        Raises:
            ValueError: The covariance does not fit the polynomial.
        """
        polynomial = np.asarray(message.polynomial, np.float64)
        if not message.ground_valid or not len(polynomial):
            return None
        covariance = np.asarray(message.polynomial_covariance, np.float64)
        if len(covariance) != len(polynomial) ** 2:
            raise ValueError(
                f"polynomial_covariance has {len(covariance)} values, expected "
                f"{len(polynomial)}^2 for {len(polynomial)} coefficients"
            )
        range_m = (float(message.polynomial_x_min), float(message.polynomial_x_max))
        return cls(polynomial, covariance.reshape(len(polynomial), -1), range_m)

    @classmethod
    def from_ground(cls, ground: GroundLine | None) -> LaneCurve | None:
        """Take the curve of ``LaneLine.ground``; ``None`` if there is none."""
        if ground is None or not len(ground.polynomial):
            return None
        return cls(ground.polynomial, ground.covariance, ground.x_range_m)

    def covers(self, x: ArrayLike) -> NDArray[np.bool_]:
        """Whether the polynomial holds at each ``x`` in metres ahead."""
        at = np.asarray(x, np.float64)
        return (self.x_range_m[0] <= at) & (at <= self.x_range_m[1])

    def lateral(self, x: ArrayLike, extrapolate: bool = False) -> Estimate:
        """Where the line is: metres to the left, at each ``x`` in metres ahead."""
        rows = self._rows(x, 0)
        return self._estimate(x, rows @ self.polynomial, rows, extrapolate)

    def band(
        self, x: ArrayLike, sigmas: float = 2.0, extrapolate: bool = False
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Lowest and highest lateral position within so many standard deviations."""
        y, std = self.lateral(x, extrapolate)
        return y - sigmas * std, y + sigmas * std

    def heading(self, x: ArrayLike, extrapolate: bool = False) -> Estimate:
        """Direction of the line at each ``x``: radians, positive where it turns to the left."""
        rows = self._rows(x, 1)
        slope = rows @ self.polynomial
        gradient = rows / (1.0 + slope**2)[..., None]
        return self._estimate(x, np.arctan(slope), gradient, extrapolate)

    def curvature(self, x: ArrayLike, extrapolate: bool = False) -> Estimate:
        """Curvature of the line at each ``x``: 1/m, positive in a left bend."""
        first, second = self._rows(x, 1), self._rows(x, 2)
        slope, bend = first @ self.polynomial, second @ self.polynomial
        length = 1.0 + slope**2
        gradient = second / (length**1.5)[..., None]
        gradient = gradient - first * (3.0 * bend * slope / length**2.5)[..., None]
        return self._estimate(x, bend / length**1.5, gradient, extrapolate)

    def offset(self, x: ArrayLike = 0.0, extrapolate: bool = True) -> Estimate:
        """How far the vehicle's x axis runs to the left of the line, perpendicular to it: metres.

        At ``x`` = 0, which the camera hardly ever sees, it is the vehicle's place in its lane: so
        this one extrapolates unless told not to.
        """
        rows, slopes = self._rows(x, 0), self._rows(x, 1)
        y, slope = rows @ self.polynomial, slopes @ self.polynomial
        cosine = 1.0 / np.sqrt(1.0 + slope**2)
        gradient = slopes * (y * slope * cosine**3)[..., None] - rows * cosine[..., None]
        return self._estimate(x, -y * cosine, gradient, extrapolate)

    def _rows(self, x: ArrayLike, derivative: int) -> NDArray[np.float64]:
        """(..., n) factors of the coefficients in a derivative of ``y`` at ``x``."""
        order = len(self.polynomial)
        at = np.asarray(x, np.float64)
        rows = np.zeros((*at.shape, order))
        if derivative < order:
            factors = powers.polyder(np.eye(order), derivative, axis=0)
            rows[:] = powers.polyvander(at, order - 1 - derivative) @ factors
        return rows

    def _estimate(
        self,
        x: ArrayLike,
        value: NDArray[np.float64],
        gradient: NDArray[np.float64],
        extrapolate: bool,
    ) -> Estimate:
        """Propagate the covariance, and hide what nobody knows."""
        variance = np.einsum("...i,ij,...j->...", gradient, self.covariance, gradient)
        std = np.sqrt(np.maximum(variance, 0.0))
        if extrapolate:
            return Estimate(np.asarray(value), std)
        known = self.covers(x)
        return Estimate(np.where(known, value, np.nan), np.where(known, std, np.nan))
