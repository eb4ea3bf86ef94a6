# SPDX-License-Identifier: Apache-2.0
"""Learns from parallel lanes how the camera's pitch and height differ from the calibrated ones.

Pitch and height are the road's plane as the camera sees it, but for its roll. One image tells
little, so the values are filtered; they are bounded, because a filter can be led astray.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.tasks.lanes.answer import LaneId
from shared_encoder_perception.tasks.lanes.ground.options import OFF, PITCH_HEIGHT, RoadOptions
from shared_encoder_perception.tasks.lanes.ground.vanishing import find_horizon
from shared_encoder_perception.tasks.lanes.lock import Lock

MIN_IMAGES: Final = 15
"""Images that must have told the horizon before the correction is used."""
PITCH_DRIFT_RAD: Final = np.radians(0.01)
"""Standard deviation of what changes from one image to the next: suspension, load."""
HEIGHT_LIMIT, HEIGHT_STD, HEIGHT_DRIFT = 0.2, 0.05, 0.0005
"""Of the height's factor: largest correction, what one image knows (lanes are not all equally
wide), and what changes from one to the next."""
GATE: Final = 4.0
"""Sigmas by which one image may contradict the ones before."""
NEARLY: Final = 0.95
"""Part of a bound from which a value counts as held back by it."""


@dataclass(frozen=True)
class CorrectionState:
    """What the correction knows.

    Attributes:
        pitch_rad: To be added to the calibrated pitch, > 0 = the camera looks further down.
        pitch_std_rad: Its standard deviation.
        height_factor: By which the calibrated height is to be multiplied.
        accepted: Images that told the horizon.
        refused: Images that did not.
        reason: Why the last image did not; empty if it did.
        at_limit: Whether a bound holds a value back.
    """

    pitch_rad: float = 0.0
    pitch_std_rad: float = np.inf
    height_factor: float = 1.0
    accepted: int = 0
    refused: int = 0
    reason: str = ""
    at_limit: bool = False

    @property
    def in_use(self) -> bool:
        """Whether enough images told the horizon."""
        return self.accepted >= MIN_IMAGES


class BoundedValue:
    """A slowly changing number near zero, by a Kalman filter, within bounds."""

    def __init__(self, limit: float, drift: float) -> None:
        """Start from nothing but ``limit``; it may change by ``drift`` (one sigma) a step."""
        self._limit, self._drift = limit, drift
        self.value, self.variance = 0.0, limit**2

    @property
    def at_limit(self) -> bool:
        """Whether the bound holds the value back."""
        return abs(self.value) > NEARLY * self._limit

    @property
    def std(self) -> float:
        """Standard deviation of the value."""
        return float(np.sqrt(self.variance))

    def step(self) -> None:
        """Let the time of one image pass."""
        self.variance = min(self.variance + self._drift**2, self._limit**2)

    def accepts(self, measured: float, std: float) -> bool:
        """Whether a measurement does not contradict what is known, as far as that may go."""
        deviation = abs(self._bounded(measured) - self.value)
        return bool(deviation <= GATE * np.sqrt(self.variance + std**2))

    def add(self, measured: float, std: float) -> None:
        """Learn from a measurement."""
        gain = self.variance / (self.variance + std**2)
        self.value += gain * (self._bounded(measured) - self.value)
        self.variance *= 1.0 - gain

    def _bounded(self, measured: float) -> float:
        """Return a measurement, or the bound that it lies beyond."""
        return min(max(measured, -self._limit), self._limit)


class Correction:
    """Learns image by image. One thread calls ``update``, any may read ``state`` and ``reset``."""

    def __init__(self, options: RoadOptions) -> None:
        """Know nothing yet."""
        self._with_height = options.correction == PITCH_HEIGHT
        self._limit_rad = float(np.radians(options.correction_limit_deg))
        self._lane_width_m = options.lane_width_m
        self._lock = Lock()
        self.reset()

    @classmethod
    def of(cls, options: RoadOptions) -> Correction | None:
        """Build what the options ask for."""
        return None if options.correction == OFF else cls(options)

    @property
    def state(self) -> CorrectionState:
        """What is known now; the values are those to be applied, neutral until ``in_use``."""
        return self._state

    def reset(self) -> None:
        """Forget everything."""
        with self._lock:
            self._pitch = BoundedValue(self._limit_rad, PITCH_DRIFT_RAD)
            self._height = BoundedValue(HEIGHT_LIMIT, HEIGHT_DRIFT)
            self._state = CorrectionState()

    def update(
        self,
        lanes: Sequence[LaneId],
        rays: NDArray[np.float64],
        shift: NDArray[np.float64],
        given: NDArray[np.bool_],
        height_m: float,
    ) -> None:
        """Learn from one image; for the arguments see ``vanishing.find_horizon``."""
        found = find_horizon(lanes, rays, shift, given, height_m)
        with self._lock:
            state, pitch, height = self._state, self._pitch, self._height
            pitch.step()
            height.step()
            if isinstance(found, str):
                self._state = replace(state, refused=state.refused + 1, reason=found)
                return
            measured = float(np.arctan(found.elevation))
            if not pitch.accepts(measured, found.std):
                reason = f"pitch {np.degrees(measured):+.2f} deg contradicts the images before"
                self._state = replace(state, refused=state.refused + 1, reason=reason)
                return
            pitch.add(measured, found.std)
            factor = self._lane_width_m / (found.width * height_m) - 1.0
            if self._with_height and height.accepts(factor, HEIGHT_STD):
                height.add(factor, HEIGHT_STD)
            accepted = state.accepted + 1
            used = accepted >= MIN_IMAGES
            self._state = CorrectionState(
                pitch.value if used else 0.0,
                pitch.std,
                1.0 + height.value if used else 1.0,
                accepted,
                state.refused,
                "",
                pitch.at_limit or height.at_limit,
            )


def turn_down(vectors: NDArray[np.float64], pitch_rad: float) -> NDArray[np.float64]:
    """Rotate (..., 3) vectors of the vehicle's frame about y; above 0 what is ahead sinks."""
    if pitch_rad == 0.0:
        return vectors
    cosine, sine = np.cos(pitch_rad), np.sin(pitch_rad)
    turned = np.empty_like(vectors)
    turned[..., 0] = cosine * vectors[..., 0] + sine * vectors[..., 2]
    turned[..., 1] = vectors[..., 1]
    turned[..., 2] = cosine * vectors[..., 2] - sine * vectors[..., 0]
    return turned
