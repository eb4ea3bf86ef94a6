# SPDX-License-Identifier: Apache-2.0
"""Kalman filters of lines on the road: cubic polynomials ``y(x)`` in the vehicle's frame.

The state of a line is where it is at four fixed distances, and how fast it moves sideways there.
Four values say the same as the four coefficients of a cubic (Lagrange's interpolation), but all in
metres. What the vehicle does moves the line by low powers of ``x``: its own sideways motion by 1,
its turning by ``x``, the change of the road's curvature by ``x^2`` and ``x^3``. White accelerations
of these four, independent of each other, are the process noise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.tasks.lanes.answer import GroundLine
from shared_encoder_perception.tasks.lanes.tracking.association import squared_gate
from shared_encoder_perception.tasks.lanes.tracking.motion import Motion
from shared_encoder_perception.tasks.lanes.tracking.noise import NoiseScale, deviation

ORDER: Final = 4
"""Coefficients of a cubic."""
STATIONS_M: Final = np.array([5.0, 20.0, 40.0, 70.0])
ACCELERATION: Final = np.array([0.3, 0.02, 8e-4, 8e-6])
"""Square root of the spectral density of each coefficient's acceleration, per s^1.5: m, rad, 1/m
and 1/m^2."""
SPEED: Final = np.array([0.5, 0.05, 5e-4, 5e-6])
"""Standard deviation of each coefficient's rate before it was seen, per s."""
UNSEEN: Final = np.array([1.0, 0.1, 5e-3, 1e-4])
"""Standard deviation of coefficients that a short line does not tell."""
PIXEL_RAD: Final = 1e-3
"""Angle of a pixel, of cameras in general; what the factor is for this one is learnt."""
FLOOR_M: Final = 1e-3
"""Steadier than this nothing is taken for."""
NEAREST_M: Final = 1.0
"""Lines are compared with tracks from here on."""
BEYOND_M: Final = 1.0
"""Polynomials of successive images may be compared so far beyond their range."""
GATE_TO_M: Final = 20.0
"""From here on the gate widens in proportion to the distance: nobody sees metres far ahead."""
NO_NODE: Final = 1e8
"""Variance, m^2, that switches a value off."""


def powers(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (..., ORDER) powers of ``x``, ascending."""
    result = np.ones((*x.shape, ORDER))
    result[..., 1] = x
    result[..., 2] = x * x
    result[..., 3] = result[..., 2] * x
    return result


TO_VALUES: Final = powers(STATIONS_M)
"""(ORDER, ORDER) from coefficients to values at the stations."""
TO_COEFFICIENTS: Final = np.linalg.inv(TO_VALUES)


def _nodes() -> NDArray[np.float64]:
    """Return (ORDER, ORDER) Chebyshev nodes in [-1, 1] of each degree, zero beyond its own."""
    table = np.zeros((ORDER, ORDER))
    for degree in range(ORDER):
        count = degree + 1
        table[degree, :count] = -np.cos(np.pi * (np.arange(count) + 0.5) / count)
    return table


_NODES: Final = _nodes()
_COMPARED: Final = np.linspace(0.0, 1.0, 6)


@dataclass(frozen=True, eq=False)
class RoadLines:
    """Measured polynomials of one image, each said by as many values as it has coefficients.

    Nothing is lost by that, and nothing is invented: a parabola does not claim that the line has no
    cubic term. How much the values tremble is said by the pixels: on the road that grows with the
    distance. The polynomial's own covariance would not do, because it holds the calibration's
    error, which is the same in all images and no reason to trust a single one less.

    Attributes:
        coefficients: (M, ORDER) ascending, padded by zeros.
        range_m: (M, 2) where they hold.
        std_rad: (M,) angle that the line's pixels may be off, to a factor that is learnt.
        used: (M, ORDER) which values there are.
        basis: (M, ORDER, ORDER) powers of the distances of these values.
        values: (M, ORDER) metres.
        variance: (M, ORDER) of the values, m^2, likewise; ``NO_NODE`` where not used.
    """

    coefficients: NDArray[np.float64]
    range_m: NDArray[np.float64]
    std_rad: NDArray[np.float64]
    used: NDArray[np.bool_]
    basis: NDArray[np.float64]
    values: NDArray[np.float64]
    variance: NDArray[np.float64]

    @classmethod
    def of(cls, grounds: Sequence[GroundLine], std_px: NDArray[np.float64]) -> RoadLines:
        """Stack polynomials.

        Args:
            grounds: M lines on the road.
            std_px: (M,) standard deviation of their pixels.

        Raises:
            ValueError: A polynomial is empty or of a degree above 3.
        """
        coefficients, degree = np.zeros((len(grounds), ORDER)), np.zeros(len(grounds), np.int64)
        for index, ground in enumerate(grounds):
            terms = len(ground.polynomial)
            if not 1 <= terms <= ORDER:
                raise ValueError(
                    f"a polynomial has {terms} coefficients, expected 1 to {ORDER} for tracking"
                )
            coefficients[index, :terms], degree[index] = ground.polynomial, terms - 1
        range_m = np.array([ground.x_range_m for ground in grounds])
        half = np.diff(range_m, axis=1) / 2
        basis = powers(range_m[:, :1] + half * (1.0 + _NODES[degree]))
        used = np.arange(ORDER) <= degree[:, None]
        values = (basis @ coefficients[:, :, None])[:, :, 0]
        std_rad = std_px * PIXEL_RAD
        lateral = np.maximum(std_rad[:, None] * np.abs(basis[:, :, 1]), FLOOR_M)
        return cls(
            coefficients,
            range_m,
            std_rad,
            used,
            basis,
            values,
            np.where(used, lateral**2, NO_NODE),
        )

    def take(self, lines: NDArray[np.int64]) -> RoadLines:
        """Return some of the lines."""
        return RoadLines(*(getattr(self, item.name)[lines] for item in fields(self)))


class RoadFilters:
    """The filters of up to ``tracks`` lines.

    Attributes:
        known: (tracks,) which lines have been seen on the road.
    """

    def __init__(self, tracks: int, agility: float) -> None:
        """Know no line.

        Args:
            tracks: How many lines at most.
            agility: Factor on how fast motion may change.
        """
        self._density = _in_values(agility * ACCELERATION)
        self._position, self._velocity = np.zeros((2, tracks, ORDER))
        # Covariances of the positions, of these with the velocities, and of the velocities.
        self._wide, self._cross, self._slow = np.zeros((3, tracks, ORDER, ORDER))
        self.known = np.zeros(tracks, bool)
        self.noise = NoiseScale(tracks)
        # The last two measured polynomials, the older first.
        self._past = np.full((tracks, 2, ORDER), np.nan)
        self._past_range = np.full((tracks, 2, 2), np.nan)
        self._step_s = np.ones(tracks)

    def restart(self, track: int) -> None:
        """Forget one line."""
        self.known[track] = False
        self._past[track] = self._past_range[track] = np.nan
        self.noise.restart(track)

    def skip(self, track: NDArray[np.int64]) -> None:
        """Let lines be seen in the image alone: what is next seen on the road is not next to it."""
        self._past[track] = self._past_range[track] = np.nan

    def predict(self, step_s: float) -> None:
        """Let time pass."""
        if not self.known.any():
            return
        step, density = Motion.over(step_s), self._density
        self._position += step.gain * self._velocity
        self._velocity *= step.keep
        moved = step.gain * self._cross
        self._wide += moved + np.swapaxes(moved, 1, 2)
        self._wide += step.gain**2 * self._slow + step.noise_pp * density
        self._cross = step.keep * (self._cross + step.gain * self._slow) + step.noise_pv * density
        self._slow = step.keep**2 * self._slow + step.noise_vv * density

    def coefficients(self) -> NDArray[np.float64]:
        """Return (tracks, ORDER) the filtered polynomials, ascending."""
        return np.asarray(self._position @ TO_COEFFICIENTS.T)

    def covariance(self) -> NDArray[np.float64]:
        """Return (tracks, ORDER, ORDER) the filters' covariance of the coefficients."""
        return np.asarray(TO_COEFFICIENTS @ self._wide @ TO_COEFFICIENTS.T)

    def update(
        self, track: NDArray[np.int64], lines: RoadLines, step_s: NDArray[np.float64]
    ) -> None:
        """Learn from the lines of one image.

        Args:
            track: (M,) whose lines they are, each once.
            lines: M polynomials.
            step_s: (M,) seconds since each was last seen; 0 for new ones.
        """
        self._learn_noise(track, lines, step_s)
        scale = self.noise.value[track]
        for row in np.flatnonzero(~self.known[track]):
            self._begin(int(track[row]), lines.coefficients[row], float(scale[row]))
        observe = lines.basis @ TO_COEFFICIENTS
        position, wide, cross = self._position[track], self._wide[track], self._cross[track]
        innovation = lines.values - (observe @ position[:, :, None])[:, :, 0]
        innovation = np.where(lines.used, innovation, 0.0)[:, :, None]
        # Rows of S^-1 [H P_pp, H P_pv]: the transposed gains.
        seen = np.concatenate((observe @ wide, observe @ cross), axis=2)
        spread = seen[:, :, :ORDER] @ np.swapaxes(observe, 1, 2)
        spread += np.eye(ORDER) * (lines.variance * scale[:, None])[:, None, :]
        gain = np.swapaxes(np.linalg.solve(spread, seen), 1, 2)
        change, learnt = (gain @ innovation)[:, :, 0], gain @ seen
        self._position[track] = position + change[:, :ORDER]
        self._velocity[track] += change[:, ORDER:]
        # Symmetric, or rounding adds up.
        learnt = 0.5 * (learnt + np.swapaxes(learnt, 1, 2))
        self._wide[track] = wide - learnt[:, :ORDER, :ORDER]
        self._cross[track] = cross - learnt[:, :ORDER, ORDER:]
        self._slow[track] -= learnt[:, ORDER:, ORDER:]

    def distance(
        self, lines: RoadLines, track: NDArray[np.int64], gate_m: float
    ) -> NDArray[np.float64]:
        """Return (M, T) mean squared distance of lines to tracks; 1 is the gate, NaN unknown.

        Compared at distances ahead that are evenly spaced in the image. There a difference counts
        by the gate, which is wider far ahead, and by what is uncertain about both.

        Args:
            lines: M polynomials.
            track: (T,) which tracks.
            gate_m: See ``TrackingOptions``.
        """
        near = 1.0 / np.maximum(lines.range_m[:, :1], NEAREST_M)
        far = 1.0 / np.maximum(lines.range_m[:, 1:], NEAREST_M)
        ahead = 1.0 / (near + (far - near) * _COMPARED)
        basis = powers(ahead)
        off = basis @ (lines.coefficients[:, :, None] - self.coefficients()[track].T)
        noise = ((lines.std_rad[:, None] * ahead) ** 2)[:, :, None] * self.noise.value[track]
        squares = (basis[..., :, None] * basis[..., None, :]).reshape(*ahead.shape, ORDER**2)
        spread = squares @ self.covariance()[track].reshape(-1, ORDER**2).T
        gate = gate_m * np.maximum(ahead / GATE_TO_M, 1.0)
        ratio = (off**2 / squared_gate(gate[:, :, None], noise, spread)).mean(axis=1)
        return np.where(self.known[track], ratio, np.nan)

    def _begin(self, track: int, coefficients: NDArray[np.float64], scale: float) -> None:
        """Begin a line as wide as a line can be; its first measurement follows."""
        self._position[track], self._velocity[track] = TO_VALUES @ coefficients, 0.0
        self._wide[track], self._cross[track] = scale * _in_values(UNSEEN), 0.0
        self._slow[track] = _in_values(SPEED)
        self.known[track] = True

    def _learn_noise(
        self, track: NDArray[np.int64], lines: RoadLines, step_s: NDArray[np.float64]
    ) -> None:
        """Compare with the two polynomials before, where all three hold."""
        past, past_range = self._past[track], self._past_range[track]
        ahead = lines.basis[:, :, 1]
        low = past_range[:, :, 0].max(axis=1)[:, None] - BEYOND_M
        high = past_range[:, :, 1].min(axis=1)[:, None] + BEYOND_M
        common = lines.used & (ahead >= low) & (ahead <= high)
        before, last = np.moveaxis(past @ np.swapaxes(lines.basis, 1, 2), 1, 0)
        ratio = step_s / self._step_s[track]
        off = np.where(common, deviation(lines.values, last, before, ratio), np.nan)
        self.noise.learn(track, off, lines.variance, ratio)
        self._past[track] = np.stack((past[:, 1], lines.coefficients), axis=1)
        self._past_range[track] = np.stack((past_range[:, 1], lines.range_m), axis=1)
        self._step_s[track] = np.where(step_s > 0.0, step_s, 1.0)


def _in_values(std: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (ORDER, ORDER) covariance at the stations of independent coefficients."""
    return (TO_VALUES * std**2) @ TO_VALUES.T
