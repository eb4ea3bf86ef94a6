# SPDX-License-Identifier: Apache-2.0
"""How lines move from one image to the next: velocity that fades, driven by white noise.

The model is the integrated Ornstein-Uhlenbeck process (Bar-Shalom, Li, Kirubarajan: Estimation with
Applications to Tracking and Navigation, 2001, ch. 8.2 for its limit of constant velocity). A filter
without a velocity would lag behind every line that moves; one whose velocity never fades would
carry an unseen line away.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp
from typing import Final

FADING_S: Final = 2.0
"""Time in which a velocity falls to a third when nothing is seen."""


@dataclass(frozen=True)
class Motion:
    """One time step of position ``p`` and velocity ``v``: ``p += gain * v``, ``v *= keep``.

    Attributes:
        gain: Seconds.
        keep: In (0, 1].
        noise_pp: Variance that ``p`` gains by accelerations of unit spectral density, s^3.
        noise_pv: Covariance of ``p`` and ``v`` likewise, s^2.
        noise_vv: Variance of ``v`` likewise, s.
    """

    gain: float
    keep: float
    noise_pp: float
    noise_pv: float
    noise_vv: float

    @classmethod
    def over(cls, step_s: float) -> Motion:
        """Build the step of ``step_s`` seconds, which is short by ``FADING_S``."""
        keep = exp(-step_s / FADING_S)
        return cls(
            FADING_S * (1.0 - keep), keep, step_s**3 / 3.0, step_s**2 / 2.0 * keep, step_s * keep
        )
