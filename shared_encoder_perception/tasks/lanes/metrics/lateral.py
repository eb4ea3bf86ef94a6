# SPDX-License-Identifier: Apache-2.0
"""How far beside the lane a line runs, and how far beyond it: what a share of rows does not tell.

In the image the error is in lane widths, so that near and far rows weigh alike: 20 px are a hand's
breadth at the bonnet and half a lane at the horizon. On the road it is in metres, by range.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from shared_encoder_perception.tasks.lanes.answer import LANE_NAMES, LaneId, Lanes
from shared_encoder_perception.tasks.lanes.metrics.rows import Lines

RANGE_EDGES_M: Final = (0.0, 20.0, 40.0, 80.0)
"""Between one and the next lies a range bin."""
STATION_M: Final = 1.0
"""The road is looked at once a metre, however dense the points are."""
_GAPS: Final[Mapping[LaneId, tuple[tuple[LaneId, LaneId], ...]]] = {
    LaneId.LEFT_EGO: ((LaneId.LEFT_EGO, LaneId.EGO),),
    LaneId.RIGHT_EGO: ((LaneId.EGO, LaneId.RIGHT_EGO),),
}
"""Centre lines a lane's width apart, left one first; other lanes are as wide as the ego lane."""
_EGO_GAPS: Final = ((LaneId.LEFT_EGO, LaneId.EGO), (LaneId.EGO, LaneId.RIGHT_EGO))


class LateralMetric:
    """Error in lane widths, and over-reach, of the lines that are labelled and detected.

    Attributes:
        rows: (5, 3) by lane: rows compared, their absolute and their signed error in lane widths.
    """

    def __init__(self) -> None:
        """Start empty."""
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        self.rows = np.zeros((len(LaneId), 3))
        # Per lane: lines, their four overhangs.
        self._reach = np.zeros((len(LaneId), 5))

    def update(self, lanes: Lanes, truth: Lines) -> None:
        """Add one image.

        Args:
            lanes: What was predicted, in pixels of the labelled image.
            truth: The labels.
        """
        for lane, points in truth.items():
            line = lanes[lane]
            if points is None or not line.detected:
                continue
            x, y = np.asarray(points, np.float64).T
            ends = line.points_px[[0, -1], 1].astype(np.float64)
            beyond = (ends[0] - y[0], y[-1] - ends[1])  # at the near and at the far end
            overhang = [max(sign * value, 0.0) for sign in (1, -1) for value in beyond]
            self._reach[lane] += (1.0, *overhang)
            error = (_x_at(line.points_px, y) - x) / lane_width_px(truth, lane, y)
            error = error[np.isfinite(error)]
            self.rows[lane] += (len(error), np.abs(error).sum(), error.sum())

    def merge(self, other: LateralMetric) -> None:
        """Add the counts of another metric."""
        self.rows += other.rows
        self._reach += other._reach

    def compute(self) -> dict[str, float]:
        """Return the scores of each lane, as ``"ego/error_widths"``.

        Returns:
            For each lane ``error_widths`` (mean distance from the label in lane widths, over
            labelled rows that the line reaches and whose width is known), ``bias_widths`` (the same
            with its sign, positive to the right), ``rows`` (so many), ``over_reach_near_px``,
            ``over_reach_far_px`` (mean number of pixel rows that the line runs on beyond the ends
            of its label), ``under_reach_near_px``, ``under_reach_far_px`` (that it falls short of
            them) and ``lines`` (so many). NaN where nothing was counted.
        """
        scores: dict[str, float] = {}
        for name, (rows, absolute, signed), (lines, *overhang) in zip(
            LANE_NAMES, self.rows, self._reach, strict=True
        ):
            scores[f"{name}/error_widths"] = _ratio(absolute, rows)
            scores[f"{name}/bias_widths"] = _ratio(signed, rows)
            scores[f"{name}/rows"] = float(rows)
            ends = ("over_reach_near", "over_reach_far", "under_reach_near", "under_reach_far")
            for end, value in zip(ends, overhang, strict=True):
                scores[f"{name}/{end}_px"] = _ratio(value, lines)
            scores[f"{name}/lines"] = float(lines)
        return scores


class GroundMetric:
    """Error in metres by range, of lines on the road surface."""

    def __init__(self, range_edges_m: Sequence[float] = RANGE_EDGES_M) -> None:
        """Start empty.

        Args:
            range_edges_m: Rising distances ahead; between one and the next lies a bin, which holds
                its nearer edge.

        Raises:
            ValueError: There are less than two, or they do not rise.
        """
        self._edges = np.asarray(range_edges_m, np.float64)
        if len(self._edges) < 2 or (np.diff(self._edges) <= 0).any():
            raise ValueError(f"range_edges_m is {range_edges_m}, expected two or more that rise")
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        # Per lane and bin: stations reached, their absolute and signed error, stations not reached.
        self._counts = np.zeros((len(LaneId), len(self._edges) - 1, 4))

    def update(self, lane: LaneId, predicted_m: ArrayLike, truth_m: ArrayLike) -> None:
        """Add one line.

        Args:
            lane: Whose line it is.
            predicted_m: (N, 2) or (N, 3) points ``(x forward, y left)`` in metres, near to far; as
                ``GroundLine.points_m``, with NaN where a point is not on the road. Empty for a lane
                that was not detected.
            truth_m: Labelled points, likewise.

        Raises:
            ValueError: The points are not of that shape.
        """
        said, label = _advancing(predicted_m), _advancing(truth_m)
        if len(label) < 2:
            return
        stations = np.arange(np.ceil(label[0, 0] / STATION_M) * STATION_M, label[-1, 0], STATION_M)
        y = np.interp(stations, label[:, 0], label[:, 1])
        heading = np.arctan(np.gradient(y, stations)) if len(stations) > 1 else np.zeros(len(y))
        left = np.full(len(y), np.nan)
        if len(said) > 1:
            left = np.interp(stations, said[:, 0], said[:, 1], left=np.nan, right=np.nan) - y
        error = left * np.cos(heading)  # across the lane, not across the vehicle
        bins = np.searchsorted(self._edges, stations, side="right") - 1
        for index in range(len(self._edges) - 1):
            here = error[bins == index]
            found = here[np.isfinite(here)]
            sums = (len(found), np.abs(found).sum(), found.sum(), len(here) - len(found))
            self._counts[lane, index] += sums

    def merge(self, other: GroundMetric) -> None:
        """Add the counts of another metric of the same bins.

        Raises:
            ValueError: The bins differ.
        """
        if not np.array_equal(self._edges, other._edges):
            raise ValueError(f"cannot add bins {other._edges.tolist()} to {self._edges.tolist()}")
        self._counts += other._counts

    def compute(self) -> dict[str, float]:
        """Return the scores of each lane and bin, as ``"ego/0-20m/error_m"``.

        Returns:
            For each lane and bin ``error_m`` (mean distance from the label, over stations a metre
            apart that the line reaches), ``bias_m`` (the same with its sign, positive to the left),
            ``missed`` (share of the labelled stations that the line does not reach, 0 to 1) and
            ``stations`` (labelled ones). NaN where nothing was counted.
        """
        scores: dict[str, float] = {}
        for name, bins in zip(LANE_NAMES, self._counts, strict=True):
            for low, high, sums in zip(self._edges[:-1], self._edges[1:], bins, strict=True):
                found, absolute, signed, missed = sums
                key = f"{name}/{low:g}-{high:g}m"
                scores[f"{key}/error_m"] = _ratio(absolute, found)
                scores[f"{key}/bias_m"] = _ratio(signed, found)
                scores[f"{key}/missed"] = _ratio(missed, found + missed)
                scores[f"{key}/stations"] = float(found + missed)
        return scores


def lane_width_px(lanes: Lines, lane: LaneId, rows: ArrayLike) -> NDArray[np.float64]:
    """Tell how wide a lane is in the image: neighbouring centre lines are a lane's width apart.

    Of the ego lane, and of the lanes that split off it, it is the mean of the distances to both
    sides as far as labelled. Where rows are nearer than the neighbour's line goes, since that has
    left the image at its side, the width goes on as a straight line of the row: so it does on a
    flat road. Farther than labelled it is not guessed: towards the horizon a small error in it
    would be a great one.

    Args:
        lanes: The labels.
        lane: Whose width is wanted.
        rows: (N,) pixels.

    Returns:
        (N,) pixels; NaN where no neighbour tells.
    """
    y = np.asarray(rows, np.float64)
    total, known = np.zeros(len(y)), np.zeros(len(y))
    for left, right in _GAPS.get(lane, _EGO_GAPS):
        one, other = lanes.get(left), lanes.get(right)
        if one is None or other is None:
            continue
        gap = _gap(np.asarray(one, np.float64), np.asarray(other, np.float64), y)
        there = np.isfinite(gap)
        total[there] += gap[there]
        known += there
    return np.divide(total, known, out=np.full(len(y), np.nan), where=known > 0)


def _gap(
    left: NDArray[np.float64], right: NDArray[np.float64], rows: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return how far two lines are apart at the rows; NaN where unknown or not apart."""
    near, far = min(left[0, 1], right[0, 1]), max(left[-1, 1], right[-1, 1])
    if near <= far:
        return np.full(len(rows), np.nan)
    common = np.linspace(near, far, 20)
    width = np.polynomial.Polynomial.fit(common, _x_at(right, common) - _x_at(left, common), 1)
    gap = np.where(rows > near, width(rows), _x_at(right, rows) - _x_at(left, rows))
    return np.where(gap > 0, gap, np.nan)


def _x_at(points: NDArray, rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the columns of a line, near to far, at the rows; NaN where it does not reach."""
    x, y = points[::-1].astype(np.float64).T
    return np.asarray(np.interp(rows, y, x, left=np.nan, right=np.nan), np.float64)


def _advancing(points: ArrayLike) -> NDArray[np.float64]:
    """Return ``(x, y)`` of the points that are on the road and farther than all before them."""
    array = np.asarray(points, np.float64)
    if not array.size:
        return np.zeros((0, 2))
    if array.ndim != 2 or array.shape[1] not in (2, 3):
        raise ValueError(f"points have shape {array.shape}, expected (N, 2) or (N, 3) metres")
    array = array[np.isfinite(array[:, :2]).all(axis=1), :2]
    reached = np.maximum.accumulate(array[:, 0])
    return array[np.diff(reached, prepend=-np.inf) > 0]


def _ratio(part: float, whole: float) -> float:
    """Divide; NaN for nothing of nothing."""
    return float(part) / float(whole) if whole else float("nan")
