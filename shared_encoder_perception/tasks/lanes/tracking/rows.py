# SPDX-License-Identifier: Apache-2.0
"""Kalman filters of lines in the image: where each crosses fixed rows, and how that moves.

Each row of each line has a filter of its own with two states, column and velocity. A line that is
smooth in every image stays smooth, because the gains of neighbouring rows are nearly equal; and
nothing is assumed of its shape or of the camera.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.structures import Size
from shared_encoder_perception.tasks.lanes.tracking.motion import Motion
from shared_encoder_perception.tasks.lanes.tracking.noise import NoiseScale, deviation

ROWS: Final = 64
"""Rows of the whole image in which lines are followed."""
ACCELERATION: Final = 0.1
"""Square root of the accelerations' spectral density, image widths / s^1.5. A camera that pitches
by 0.3 degrees on an uneven road is followed without losing by it."""
SPEED: Final = 0.1
"""Standard deviation of a velocity before it was seen, image widths / s."""
MIN_STD_PX: Final = 0.05
"""Steadier than this no column is taken for."""


class RowFilters:
    """The filters of up to ``tracks`` lines; all arrays are (tracks, ROWS).

    Attributes:
        rows: (ROWS,) image rows.
        column: Filtered columns, px; of no meaning where not ``known``.
        variance: Of the columns, px^2.
        known: Where a line has been seen.
    """

    def __init__(self, tracks: int, image_size: Size, agility: float) -> None:
        """Know no line.

        Args:
            tracks: How many lines at most.
            image_size: ``(height, width)``.
            agility: Factor on how fast motion may change.
        """
        height, width = image_size
        self.rows = np.linspace(0.0, height - 1.0, ROWS)
        self._density = (agility * ACCELERATION * width) ** 2
        self._speed_variance = (SPEED * width) ** 2
        shape = (tracks, ROWS)
        self.column, self._velocity = np.zeros(shape), np.zeros(shape)
        self.variance, self._cross, self._slow = np.ones(shape), np.zeros(shape), np.ones(shape)
        self.known = np.zeros(shape, bool)
        self.noise = NoiseScale(tracks)
        self._last, self._before = np.full(shape, np.nan), np.full(shape, np.nan)
        self._step_s = np.ones(tracks)

    def restart(self, track: int) -> None:
        """Forget one line."""
        self.known[track] = False
        self._last[track] = self._before[track] = np.nan
        self.noise.restart(track)

    def predict(self, step_s: float) -> None:
        """Let time pass."""
        step, density = Motion.over(step_s), self._density
        self.column += step.gain * self._velocity
        self.variance += (
            2.0 * step.gain * self._cross + step.gain**2 * self._slow + density * step.noise_pp
        )
        self._cross += step.gain * self._slow
        self._cross *= step.keep
        self._cross += density * step.noise_pv
        self._velocity *= step.keep
        self._slow *= step.keep**2
        self._slow += density * step.noise_vv

    def update(
        self,
        track: NDArray[np.int64],
        measured: NDArray[np.float64],
        variance: NDArray[np.float64],
        step_s: NDArray[np.float64],
    ) -> None:
        """Learn from the lines of one image.

        Args:
            track: (M,) whose lines they are, each once.
            measured: (M, ROWS) columns, px; NaN where a line does not reach.
            variance: (M, ROWS) reported, px^2 > 0.
            step_s: (M,) seconds since each was last seen; 0 for new ones.
        """
        variance = np.maximum(variance, MIN_STD_PX**2)
        ratio = step_s / self._step_s[track]
        off = deviation(measured, self._last[track], self._before[track], ratio)
        self.noise.learn(track, off, variance, ratio)
        self._before[track], self._last[track] = self._last[track], measured
        self._step_s[track] = np.where(step_s > 0.0, step_s, 1.0)
        noise = np.maximum(variance * self.noise.value[track, None], MIN_STD_PX**2)
        seen, known = np.isfinite(measured), self.known[track]
        self._correct(track, np.where(seen & known, measured, np.nan), noise)
        for line in np.flatnonzero((seen & ~known).any(axis=1)):
            self._extend(int(track[line]), measured[line], noise[line], seen[line] & ~known[line])

    def _correct(
        self, track: NDArray[np.int64], measured: NDArray[np.float64], noise: NDArray[np.float64]
    ) -> None:
        """Kalman update of all rows that are not NaN."""
        p, c = self.variance[track], self._cross[track]
        used = np.isfinite(measured)
        innovation = np.where(used, measured - self.column[track], 0.0)
        weight = np.where(used, 1.0 / (p + noise), 0.0)
        gain, fast = p * weight, c * weight
        self.column[track] += gain * innovation
        self._velocity[track] += fast * innovation
        self._slow[track] -= fast * c
        self._cross[track] -= gain * c
        self.variance[track] -= gain * p

    def _extend(
        self,
        track: int,
        measured: NDArray[np.float64],
        noise: NDArray[np.float64],
        new: NDArray[np.bool_],
    ) -> None:
        """Begin rows that were never seen; they go on as their nearest known neighbours do.

        Otherwise a line would have a step where a row without a past meets one that has one.
        """
        anchors = np.flatnonzero(self.known[track] & np.isfinite(measured))
        if not len(anchors):
            self.column[track, new], self._velocity[track, new] = measured[new], 0.0
            self.variance[track, new], self._cross[track, new] = noise[new], 0.0
            self._slow[track, new] = self._speed_variance
        else:
            fresh = np.flatnonzero(new)
            beside = np.searchsorted(anchors, fresh).clip(0, len(anchors) - 1)
            before = (beside - 1).clip(0)
            nearer = np.abs(anchors[before] - fresh) <= np.abs(anchors[beside] - fresh)
            near = anchors[np.where(nearer, before, beside)]
            self.column[track, fresh] = measured[fresh] + self.column[track, near] - measured[near]
            self._velocity[track, fresh] = self._velocity[track, near]
            # Not below 1: the covariance must stay one.
            scale = np.maximum(noise[fresh] / noise[near], 1.0)
            self.variance[track, fresh] = self.variance[track, near] * scale
            self._cross[track, fresh] = self._cross[track, near]
            self._slow[track, fresh] = self._slow[track, near]
        self.known[track, new] = True
