# SPDX-License-Identifier: Apache-2.0
"""Puts the lane lines of one image on the road, with what is known about their errors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.ground.calibrated import CalibratedCamera
from shared_encoder_perception.ground.road import CAUSES, RoadPoints, meet_road, turning_axes
from shared_encoder_perception.tasks.lanes.answer import GroundLine, LaneLine, Lanes
from shared_encoder_perception.tasks.lanes.ground.correction import Correction, turn_down
from shared_encoder_perception.tasks.lanes.ground.options import CURVE, RoadOptions
from shared_encoder_perception.tasks.lanes.ground.polynomial import (
    PolynomialFit,
    choose_degree,
    fit_polynomials,
)

STEP_PX: Final = 1.0
"""Step of the derivative by the column."""
MIN_STD_PX: Final = 1e-3
MISFIT_SIGMAS: Final = 4.0
"""A polynomial is a bad model of a line if chi-square is this far above what chance gives."""
PITCH: Final = CAUSES.index("pitch")


@dataclass(frozen=True, eq=False)
class Pixels:
    """Lines of one image, padded to one length.

    Attributes:
        points: (L, N, 2) float64; any finite numbers beyond a line's end.
        std: (L, N) float64 > 0, of the column.
        given: (L, N) which are points of the line.
    """

    points: NDArray[np.float64]
    std: NDArray[np.float64]
    given: NDArray[np.bool_]

    @classmethod
    def of(cls, lines: Sequence[LaneLine], unknown_std_px: float) -> Pixels:
        """Stack lines; ``unknown_std_px`` stands in for NaN."""
        count = max(len(line.points_px) for line in lines)
        points = np.zeros((len(lines), count, 2))
        std = np.ones((len(lines), count))
        given = np.zeros((len(lines), count), bool)
        for row, line in enumerate(lines):
            points[row, : len(line.points_px)] = line.points_px
            std[row, : len(line.points_px)] = line.x_std_px
            given[row, : len(line.points_px)] = True
        std = np.where(np.isfinite(std), np.maximum(std, MIN_STD_PX), unknown_std_px)
        return cls(points, std, given)


@dataclass(frozen=True, eq=False)
class Projector:
    """Projects images of one size by one calibration.

    Attributes:
        camera: How it looks at the road.
        options: What the lanes' parameters say.
        correction: Learns from every image how the pitch differs from the calibrated one; ``None``
            trusts the calibration.
    """

    camera: CalibratedCamera
    options: RoadOptions
    correction: Correction | None = None

    def project(self, lanes: Lanes) -> Lanes:
        """Return the lanes of such an image with the ground geometry of every line with points.

        Lines that were not detected keep ``ground`` = ``None``. The correction, if there is one,
        learns from these lines first.
        """
        lines = [line for line in lanes if line.detected]
        if not lines:
            return lanes
        pixels = Pixels.of(lines, self.options.pixel_std_px)
        rays, by_column = self._look(pixels.points)
        if self.correction is not None:
            names = [line.lane_id for line in lines]
            shift = by_column * pixels.std[..., None]
            self.correction.update(names, rays, shift, pixels.given, self.camera.height_m)
        on_road = self._ground(lines, pixels, rays, by_column)
        ground = {line.lane_id: part for line, part in zip(lines, on_road, strict=True)}
        return Lanes(
            tuple(
                replace(line, ground=ground[line.lane_id]) if line.detected else line
                for line in lanes
            )
        )

    def to_image(self, points_m: NDArray) -> NDArray[np.float64]:
        """Turn (N, 3) points of the vehicle's frame into (N, 2) pixels, maybe outside of the image.

        The inverse of ``project`` with its present correction. NaN where the camera cannot look.
        """
        position, pitch = self._pose()
        return self.camera.view.pixels(
            turn_down(np.asarray(points_m, np.float64) - position, -pitch)
        )

    def _look(self, points: NDArray) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return (L, N, 3) rays of pixels, uncorrected, and their derivative by the column."""
        flat = points.reshape(-1, 2)
        beside = flat + np.array((STEP_PX, 0.0))
        rays = self.camera.view.rays(np.concatenate((flat, beside))).reshape(
            2, *points.shape[:2], 3
        )
        return rays[0], (rays[1] - rays[0]) / STEP_PX

    def _pose(self) -> tuple[NDArray[np.float64], float]:
        """Return the corrected position of the camera and the correction of its pitch, rad."""
        if self.correction is None:
            return self.camera.view.position, 0.0
        state = self.correction.state
        lifted = self.camera.height_m * (state.height_factor - 1.0)
        return self.camera.view.position + np.array((0.0, 0.0, lifted)), state.pitch_rad

    def _ground(
        self,
        lines: Sequence[LaneLine],
        pixels: Pixels,
        rays: NDArray[np.float64],
        by_column: NDArray[np.float64],
    ) -> list[GroundLine]:
        """Return the ground geometry of each line."""
        position, pitch = self._pose()
        road = meet_road(
            turn_down(rays, pitch),
            turn_down(by_column, pitch),
            turning_axes(turn_down(self.camera.view.ahead, pitch)),
            position,
            self.camera.options.plane_z_m,
            self.options.max_range_m,
        )
        calibration_std = self._calibration_std()
        used = pixels.given & np.isfinite(road.xy[..., 0]) & np.isfinite(road.by_column[..., 1])
        by_calibration = road.by_calibration[..., 1, :] * calibration_std
        y_std = np.hypot(
            road.by_column[..., 1] * pixels.std, np.sqrt((by_calibration**2).sum(axis=-1))
        )
        fit, covariance = self._fit(road, pixels, used, calibration_std)
        x, y = np.moveaxis(road.xy, -1, 0)
        rmse = np.sqrt(_mean((y - fit(x)) ** 2, used))
        low = np.where(used, x, np.inf).min(axis=1)
        high = np.where(used, x, -np.inf).max(axis=1)
        points = np.empty((*x.shape, 3))
        points[..., :2], points[..., 2] = road.xy, self.camera.options.plane_z_m
        points[~used] = y_std[~used] = np.nan
        result = []
        for row, line in enumerate(lines):
            terms, count = int(fit.degree[row]) + 1, len(line.points_px)
            range_m = (float(low[row]), float(high[row])) if terms else (np.nan, np.nan)
            result.append(
                GroundLine(
                    self.camera.options.frame_id,
                    points[row, :count],
                    y_std[row, :count],
                    fit.coefficients[row, :terms],
                    covariance[row, :terms, :terms],
                    range_m,
                    float(rmse[row]) if terms else np.nan,
                )
            )
        return result

    def _calibration_std(self) -> NDArray[np.float64]:
        """Return (4,) standard deviations of the ``CAUSES``, the learned pitch's if smaller."""
        std = self.camera.options.calibration_std
        if self.correction is not None and self.correction.state.in_use:
            std[PITCH] = min(std[PITCH], self.correction.state.pitch_std_rad)
        return std

    def _fit(
        self,
        road: RoadPoints,
        pixels: Pixels,
        used: NDArray[np.bool_],
        calibration_std: NDArray[np.float64],
    ) -> tuple[PolynomialFit, NDArray[np.float64]]:
        """Fit the polynomials; return them and their covariance."""
        x, y = np.moveaxis(road.xy, -1, 0)
        is_curve = self.options.pixel_errors == CURVE
        # A fitted curve comes from pixels that were equally good everywhere; what is said of its
        # points is what became of them.
        noise_px = np.ones_like(pixels.std) if is_curve else pixels.std
        degree = choose_degree(x, used, self.options.polynomial_degree)
        first = fit_polynomials(x, y, _lateral(road.by_column, 0.0, noise_px), used, degree)
        # What counts is the error across: a point that slides along its line does no harm.
        slope = first.slope(x)
        lateral = _lateral(road.by_column, slope, noise_px)
        fit = fit_polynomials(x, y, lateral, used, degree)
        terms = np.maximum(degree + 1, 1)
        variance = np.ones(len(x))
        if is_curve:
            # The sum of a fit's variances at its points is that of its terms (trace of the hat
            # matrix): so the points' own variances tell how noisy the pixels were.
            variance = np.where(used, pixels.std**2, 0.0).sum(axis=1) / terms
        covariance = fit.inverse_normal * variance[:, None, None]
        error = (y - fit(x)) / (lateral / noise_px * pixels.std)
        freedom = np.maximum(used.sum(axis=1) - terms, 1)
        misfit = np.where(used, error**2, 0.0).sum(axis=1) / freedom
        by_chance = 1.0 + MISFIT_SIGMAS * np.sqrt(2.0 / freedom)
        covariance *= np.where(misfit > by_chance, misfit, 1.0)[:, None, None]
        shift = road.by_calibration[..., 1, :] - slope[..., None] * road.by_calibration[..., 0, :]
        common = fit.gain @ np.where(used[..., None], shift * calibration_std, 0.0)
        return fit, covariance + common @ np.swapaxes(common, 1, 2)


def _lateral(
    by_column: NDArray[np.float64], slope: NDArray[np.float64] | float, std: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return (L, N) how far a line lies off at the same ``x`` if its pixels are off by ``std``."""
    across = np.abs(by_column[..., 1] - slope * by_column[..., 0]) * std
    return np.where(across > 0.0, across, np.inf)


def _mean(values: NDArray[np.float64], used: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return (L,) the mean of the values that count; 0 where none does."""
    return np.asarray(
        np.where(used, values, 0.0).sum(axis=1) / np.maximum(used.sum(axis=1), 1), np.float64
    )
