# SPDX-License-Identifier: Apache-2.0
"""The lines of one picture, the two of the ego lane, and how wide a lane usually looks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.structures import Size
from shared_encoder_perception.tasks.contract.labels import UsualLane
from shared_encoder_perception.tasks.lanes.labelling.boundaries import (
    REFERENCE_HEIGHT,
    Line,
    row_grid,
)

MOST_EXTENSION: Final = 150.0
"""Rows (of 720) by which a boundary may be continued below its visible end: on TuSimple the error
at row 700 has a median of 0.6 px and a 90th percentile of 5 px from row 500, 33 px from 450."""
MIN_ROWS: Final = 6
LANE_CHANGE: Final = 0.15
"""A boundary this near (in lane widths) to the middle of the picture: the vehicle changes lanes."""


@dataclass(frozen=True, eq=False)
class Scene:
    """The lines of one picture and its ego pair."""

    lines: list[Line]
    left: Line
    right: Line
    size: Size
    geometry: UsualLane

    @property
    def rows(self) -> NDArray[np.float64]:
        """Rows at which lines are compared, far to near."""
        return row_grid(self.size)

    @property
    def most(self) -> float:
        """Rows by which a line may be continued."""
        return MOST_EXTENSION * self.size[0] / REFERENCE_HEIGHT

    def lane_width(self) -> NDArray[np.float64]:
        """Usual width at every row, NaN close to the horizon."""
        depth = self.rows - self.geometry.horizon_row_px
        depth = np.where(depth > 40 * self.size[0] / REFERENCE_HEIGHT, depth, np.nan)
        return self.geometry.width_slope * depth

    def between(self, left: Line, right: Line) -> tuple[NDArray, NDArray]:
        """Columns of two lines on all rows where both are known, continued; below any crossing."""
        near = max(left.near, right.near)
        x_left, x_right = (line.extended(self.rows, self.most) for line in (left, right))
        both = np.isfinite(x_left) & np.isfinite(x_right)
        crossed = np.flatnonzero(both & (x_right <= x_left))
        if len(crossed):
            both[: crossed[-1] + 1] = False
        both[near + 1 :] = False
        return np.where(both, x_left, np.nan), np.where(both, x_right, np.nan)

    def ego_width(self) -> float:
        """Median width of the ego lane, relative to a usual one."""
        x_left, x_right = self.between(self.left, self.right)
        return median((x_right - x_left) / self.lane_width())

    def points(self, x: NDArray[np.float64]) -> NDArray[np.float32] | None:
        """Turn columns at the rows into a line (N, 2), near to far; ``None`` if it is too short."""
        inside = np.isfinite(x) & (x >= 0) & (x <= self.size[1] - 1)
        if inside.sum() < MIN_ROWS:
            return None
        return np.stack((x[inside], self.rows[inside]), axis=1)[::-1].astype(np.float32)

    def changes_lane(self) -> bool:
        """Whether a boundary runs under the vehicle."""
        bottom = self.size[0] - 1 - self.geometry.horizon_row_px
        limit = LANE_CHANGE * self.geometry.width_slope * bottom
        middle = self.geometry.centre_column_px
        return any(not line.floating and abs(line.x_bottom - middle) < limit for line in self.lines)


def own_geometry(left: Line, right: Line, size: Size, middle: float) -> UsualLane:
    """Take horizon and lane width from the ego pair, for a camera that is not known."""
    converging = left.slope - right.slope
    horizon = size[0] * 0.4
    if converging < -1e-3:
        horizon = size[0] - 1 + (right.x_bottom - left.x_bottom) / converging
    horizon = float(np.clip(horizon, 0.0, size[0] * 0.8))
    slope = (right.x_bottom - left.x_bottom) / (size[0] - 1 - horizon)
    return UsualLane(max(slope, 1e-3), horizon, middle)


def median(values: NDArray[np.float64]) -> float:
    """Median of the known values; 1 without any."""
    known = values[np.isfinite(values)]
    return float(np.median(known)) if len(known) else 1.0


def widening(relative: NDArray[np.float64]) -> float:
    """Width of the far third of a lane relative to its near third; 1 where there is too little."""
    known = relative[np.isfinite(relative)]
    third = len(known) // 3
    if third < 2:
        return 1.0
    return float(np.median(known[:third]) / max(np.median(known[-third:]), 1e-6))
