# SPDX-License-Identifier: Apache-2.0
"""The lines of one image, as the filters take them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.tasks.lanes.answer import LaneLine
from shared_encoder_perception.tasks.lanes.tracking.association import squared_gate
from shared_encoder_perception.tasks.lanes.tracking.road import RoadFilters, RoadLines
from shared_encoder_perception.tasks.lanes.tracking.rows import RowFilters

CAMERA_HEIGHT_M: Final = 1.8
"""Between a car's and a truck's: what a metre is in pixels where nobody knows the camera. On a flat
road it is the rows below the horizon by the height."""
HORIZON: Final = 0.02
"""How far above the topmost point of a line the horizon is taken to be, of the image's height."""
COMMON_ROWS: Final = 2
"""Rows in which a line and a track must both run to be compared."""


@dataclass(frozen=True, eq=False)
class Measurements:
    """M lines of one image.

    Attributes:
        lines: The lines.
        columns: (M, ROWS) in the filters' rows, px; NaN where a line does not reach.
        variance: (M, ROWS) reported, px^2; of no meaning there.
        on_road: (M,) index into ``road`` of each, -1 without a polynomial.
        road: The polynomials; ``None`` if there are none.
    """

    lines: Sequence[LaneLine]
    columns: NDArray[np.float64]
    variance: NDArray[np.float64]
    on_road: NDArray[np.int64]
    road: RoadLines | None

    @classmethod
    def of(
        cls, lines: Sequence[LaneLine], rows: NDArray[np.float64], unknown_std_px: float
    ) -> Measurements:
        """Sample lines that have points.

        Args:
            lines: The lines.
            rows: (ROWS,) rising, px.
            unknown_std_px: Stands in for a NaN in ``x_std_px``.
        """
        columns = np.full((len(lines), len(rows)), np.nan)
        variance, std_px = np.ones((len(lines), len(rows))), np.ones(len(lines))
        for index, line in enumerate(lines):
            x, y = line.points_px[::-1].astype(np.float64).T
            std = line.x_std_px[::-1].astype(np.float64)
            columns[index] = np.interp(rows, y, x, left=np.nan, right=np.nan)
            std = np.where(np.isfinite(std), std, unknown_std_px)
            variance[index], std_px[index] = np.interp(rows, y, std) ** 2, std.mean()
        grounds = [line.ground for line in lines]
        there = np.array(
            [ground is not None and len(ground.polynomial) for ground in grounds], bool
        )
        road = None
        if there.any():
            polynomials = [ground for ground in grounds if ground and len(ground.polynomial)]
            road = RoadLines.of(polynomials, std_px[there])
        on_road = np.where(there, np.cumsum(there) - 1, -1)
        return cls(lines, columns, variance, on_road, road)

    def polynomial(self, line: int) -> NDArray[np.float64] | None:
        """Return (ORDER,) of a line on the road; ``None`` without."""
        if self.road is None or self.on_road[line] < 0:
            return None
        return self.road.coefficients[self.on_road[line]]

    def distance(
        self, rows: RowFilters, road: RoadFilters, track: NDArray[np.int64], gate_m: float
    ) -> NDArray[np.float64]:
        """Return (M, T) mean squared distance of lines to tracks; 1 is the gate, NaN unknown.

        The smaller one of that on the road and that in the image: a polynomial that too few points
        hold may swing away from its line, and columns are not compared where the rows differ.

        Args:
            rows: Filters in the image.
            road: Filters on the road.
            track: (T,) which of them.
            gate_m: See ``TrackingOptions``.
        """
        distance = self._distance_in_image(rows, track, gate_m)
        if self.road is not None:
            there = self.on_road >= 0
            on_road = road.distance(self.road, track, gate_m)
            distance[there] = np.fmin(distance[there], on_road)
        return distance

    def _distance_in_image(
        self, filters: RowFilters, track: NDArray[np.int64], gate_m: float
    ) -> NDArray[np.float64]:
        """Return (M, T) as ``distance``, from columns alone."""
        height_px = filters.rows[-1] + 1.0
        top = min(float(line.points_px[-1, 1]) for line in self.lines)
        below = np.maximum(filters.rows - top, 0.0) + HORIZON * height_px
        gate_px = gate_m / CAMERA_HEIGHT_M * below
        off = self.columns[:, None] - filters.column[track]
        common = np.isfinite(off) & filters.known[track]
        noise = self.variance[:, None] * filters.noise.value[track, None]
        ratio = off**2 / squared_gate(gate_px, noise, filters.variance[track])
        count = common.sum(axis=2)
        total = np.where(common, ratio, 0.0).sum(axis=2)
        return np.where(count >= COMMON_ROWS, total / np.maximum(count, 1), np.nan)
