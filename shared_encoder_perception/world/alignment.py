# SPDX-License-Identifier: Apache-2.0
"""How the road runs: clothoids in plan and in profile, seen from a vehicle that follows it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

NEAR_M: Final = 1.2
FAR_M: Final = 180.0
DEPTHS_M: Final = np.geomspace(NEAR_M, FAR_M, 420)
STEPS_M: Final = np.diff(DEPTHS_M, prepend=0.0)


@dataclass(frozen=True, eq=False)
class Clothoids:
    """Curvature over distance, linear between knots: a chain of clothoids, without end.

    Attributes:
        knots_m: (K,) rising; the chain repeats after the last.
        curvature: (K,) 1/m; the last equals the first.
    """

    knots_m: NDArray[np.float64]
    curvature: NDArray[np.float64]

    def __call__(self, distance_m: NDArray | float) -> NDArray[np.float64]:
        """Evaluate at one or many distances."""
        at = np.mod(distance_m, self.knots_m[-1])
        return np.interp(at, self.knots_m, self.curvature)


@dataclass(frozen=True, eq=False)
class Wander:
    """The vehicle's lateral place in its lane: one slow sine, m over distance."""

    amplitude_m: float
    period_m: float
    phase: float

    def __call__(self, distance_m: float) -> float:
        """Evaluate."""
        return float(self.amplitude_m * np.sin(2 * np.pi * distance_m / self.period_m + self.phase))


@dataclass(frozen=True, eq=False)
class Profile:
    """The road's reference line ahead of the vehicle, at ``DEPTHS_M``; vehicle frame, m.

    Attributes:
        lateral: (D,) to the right.
        height: (D,) above the plane under the vehicle.
    """

    lateral: NDArray[np.float64]
    height: NDArray[np.float64]

    def at(self, ahead_m: NDArray) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Lateral position and height at distances ahead."""
        return np.interp(ahead_m, DEPTHS_M, self.lateral), np.interp(ahead_m, DEPTHS_M, self.height)


@dataclass(frozen=True, eq=False)
class Alignment:
    """A road's course, and the vehicle's place in its lane."""

    plan: Clothoids
    hills: Clothoids
    wander: Wander

    def ahead(self, distance_m: float) -> Profile:
        """Integrate curvature twice, for small angles."""
        at = distance_m + DEPTHS_M
        heading = np.cumsum(self.plan(at) * STEPS_M)
        climb = np.cumsum(self.hills(at) * STEPS_M)
        lateral = np.cumsum(heading * STEPS_M) - self.wander(distance_m)
        return Profile(lateral, np.cumsum(climb * STEPS_M))
