# SPDX-License-Identifier: Apache-2.0
"""One physical lane that is followed, and the lane line that it gives."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.structures import Size
from shared_encoder_perception.tasks.lanes.answer import GroundLine, LaneId, LaneLine, LaneStatus
from shared_encoder_perception.tasks.lanes.runs import longest_run
from shared_encoder_perception.tasks.lanes.tracking.options import TrackingOptions
from shared_encoder_perception.tasks.lanes.tracking.road import powers

PLACES: Final = {LaneId.LEFT_EGO: -1, LaneId.EGO: 0, LaneId.RIGHT_EGO: 1}
"""Lanes beside each other, from left to right; a split has no place of its own."""
LANES: Final = {place: lane for lane, place in PLACES.items()}
HALF_PIXEL: Final = 0.5


@dataclass(eq=False)
class Track:
    """What is remembered of a lane beside its filters.

    Attributes:
        index: Of its filters.
        track_id: Its name, from 1.
        line: As it was measured when last seen.
        first_s: Stamp of the image in which it was first seen.
        seen_s: Stamp of the image in which it was last seen.
        lane: Which of the five lanes it is now; ``None`` for none of them.
        place: Lanes to the right of the ego lane, below 0 to the left; ``None`` for a split.
        columns: (ROWS,) columns of ``line`` in the filters' rows; NaN where it does not reach.
        polynomial: (ORDER,) of ``line`` on the road; ``None`` without.
    """

    index: int
    track_id: int
    line: LaneLine
    first_s: float
    seen_s: float = field(init=False)
    lane: LaneId | None = field(init=False)
    place: int | None = field(init=False)
    columns: NDArray[np.float64] = field(init=False)
    polynomial: NDArray[np.float64] | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        """Begin with what ``line`` says."""
        self.see(self.line, np.zeros(0), None, self.first_s)

    def see(
        self,
        line: LaneLine,
        columns: NDArray[np.float64],
        polynomial: NDArray[np.float64] | None,
        stamp_s: float,
    ) -> None:
        """Remember a new measurement."""
        self.line, self.columns, self.polynomial = line, columns, polynomial
        self.lane, self.place = line.lane_id, PLACES.get(line.lane_id)
        self.seen_s = stamp_s

    def move(self, places: int) -> None:
        """Let an unseen lane take part in a lane change: it is so many places further right now."""
        if places and self.place is None:
            self.lane = None
        elif places and self.place is not None:
            self.place += places
            self.lane = LANES.get(self.place)

    def patience_s(self, max_coasting_s: float) -> float:
        """Return how long it may stay unseen: no longer than it was seen before."""
        return min(max_coasting_s, self.seen_s - self.first_s)


@dataclass(frozen=True, eq=False)
class Estimate:
    """What the filters say of one track.

    Attributes:
        rows: (ROWS,) image rows.
        columns: (ROWS,) filtered columns, px.
        variance: (ROWS,) of them, px^2.
        polynomial: (ORDER,) filtered, on the road; ``None`` without.
        covariance: (ORDER, ORDER) of it.
    """

    rows: NDArray[np.float64]
    columns: NDArray[np.float64]
    variance: NDArray[np.float64]
    polynomial: NDArray[np.float64] | None
    covariance: NDArray[np.float64]


def estimated_line(
    track: Track, estimate: Estimate, image_size: Size, stamp_s: float, options: TrackingOptions
) -> LaneLine | None:
    """Return the last measured line, moved to where the filters say it is now.

    Moving keeps whatever the filters cannot say: the bend of a split, rows between those that are
    filtered. The variances are the sum of what the filters do not know and of what was reported,
    because the greater part of a network's (and of a calibration's) error is the same from image
    to image, and no filter takes it away.

    Returns:
        A line of the same rows but for those that are outside of the image now; ``None`` if fewer
        than two are left. ``DETECTED`` if it was seen at ``stamp_s``, otherwise ``PREDICTED``, less
        and less sure.
    """
    line, lane = track.line, track.lane or track.line.lane_id
    points, variance = line.points_px.astype(np.float64), line.x_std_px.astype(np.float64) ** 2
    variance = np.where(np.isfinite(variance), variance, options.pixel_std_px**2)
    known = np.isfinite(track.columns)
    if known.any():
        y, rows = points[:, 1], estimate.rows[known]
        points[:, 0] += np.interp(y, rows, (estimate.columns - track.columns)[known])
        variance += np.interp(y, rows, estimate.variance[known])
    inside = (points[:, 0] >= -HALF_PIXEL) & (points[:, 0] <= image_size[1] - HALF_PIXEL)
    kept = longest_run(inside)
    if kept.stop - kept.start < 2:
        return None
    status, confidence, coasting_s = LaneStatus.DETECTED, line.confidence, stamp_s - track.seen_s
    if coasting_s > 0.0:
        status = LaneStatus.PREDICTED
        confidence *= 1.0 - coasting_s / track.patience_s(options.max_coasting_s)
    return LaneLine(
        lane,
        status,
        max(confidence, 0.0),
        points[kept].astype(np.float32),
        np.sqrt(variance[kept]).astype(np.float32),
        _cut(line.branch_index, kept) if lane.is_split else -1,
        None if line.ground is None else _estimated_ground(line.ground, track, estimate, kept),
        track.track_id,
        coasting_s,
    )


def _estimated_ground(
    ground: GroundLine, track: Track, estimate: Estimate, kept: slice
) -> GroundLine:
    """Return the ground geometry moved likewise; points keep their distance ahead."""
    points = ground.points_m[kept].astype(np.float64)
    y_std = ground.y_std_m[kept].astype(np.float64)
    if track.polynomial is None or estimate.polynomial is None:
        return replace(ground, points_m=ground.points_m[kept], y_std_m=ground.y_std_m[kept])
    basis = powers(points[:, 0])
    points[:, 1] += basis @ (estimate.polynomial - track.polynomial)
    unknown = ((basis @ estimate.covariance) * basis).sum(axis=1)
    covariance = estimate.covariance.copy()
    terms = len(ground.polynomial)
    covariance[:terms, :terms] += ground.covariance
    return GroundLine(
        ground.frame_id,
        points.astype(np.float32),
        np.sqrt(y_std**2 + np.maximum(unknown, 0.0)).astype(np.float32),
        estimate.polynomial,
        covariance,
        ground.x_range_m,
        ground.rmse_m,
    )


def _cut(branch_index: int, kept: slice) -> int:
    """Return the index of a branch among the points that are left; -1 where it is not there."""
    if not 0 <= branch_index < kept.stop:
        return -1
    return max(branch_index - kept.start, 0)
