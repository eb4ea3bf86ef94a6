# SPDX-License-Identifier: Apache-2.0
"""What single frames do not tell of a drive: does a line tremble, blink, change name, come late?

Jitter and flicker need no labels. Identity and latency do: whose lane a head is on, and from when
on there is one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.structures import Size
from shared_encoder_perception.tasks.lanes.answer import (
    LANE_NAMES,
    LaneId,
    LaneLine,
    Lanes,
    LaneStatus,
)
from shared_encoder_perception.tasks.lanes.metrics.confidence import line_is_right
from shared_encoder_perception.tasks.lanes.metrics.rows import Lines

JITTER_ROWS: Final = (0.55, 0.65, 0.75, 0.85, 0.95)
"""Rows in which lines are watched, as shares of the image's height."""
MAX_GAP_S: Final = 0.5
"""After a longer pause nothing is compared with what was before."""
UNTRACKED: Final = 0


@dataclass
class _History:
    """What is known of one lane from earlier frames of the drive.

    Attributes:
        columns: Of the last two frames, the older first, each (rows,) with NaN where not reached.
        status: In the last frame.
        track: Physical lane and track id when the head was last tracked on a known lane.
        present: Whether it was labelled present when last labelled.
        waited: Frames since its label appeared, while it has not been found; ``None`` otherwise.
    """

    columns: list[NDArray[np.float64]]
    status: LaneStatus | None = None
    track: tuple[int, int] | None = None
    present: bool = False
    waited: int | None = None


class TemporalMetric:
    """Steadiness of the lane lines over drives, whose frames come in the order of their stamps."""

    def __init__(
        self, jitter_rows: Sequence[float] = JITTER_ROWS, max_gap_s: float = MAX_GAP_S
    ) -> None:
        """Start empty.

        Args:
            jitter_rows: Rows in which lines are watched, as shares of the image's height.
            max_gap_s: Longest time between two frames that are still compared.

        Raises:
            ValueError: A row is not above 0 and at most 1, or the time is not above 0.
        """
        rows = np.asarray(jitter_rows, np.float64)
        if not len(rows) or (rows <= 0).any() or (rows > 1).any():
            raise ValueError(f"jitter_rows is {jitter_rows}, expected shares of the height, 0 to 1")
        if not max_gap_s > 0:
            raise ValueError(f"max_gap_s is {max_gap_s}, expected more than 0")
        self._rows, self._max_gap_s = rows, max_gap_s
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        lanes = len(LaneId)
        self._jitter, self._flicker = np.zeros((lanes, 2)), np.zeros((lanes, 2))
        self._switches, self._latency = np.zeros((lanes, 2)), np.zeros((lanes, 3))
        self.end_drive()

    def end_drive(self) -> None:
        """Say that the next frame belongs to another drive."""
        self._stamp_s: float | None = None
        self._histories = [_History([]) for _ in LaneId]

    def update(
        self,
        stamp_s: float,
        lanes: Lanes,
        image_size: Size,
        truth: Lines | None = None,
        physical_lanes: Mapping[LaneId, int] | None = None,
    ) -> None:
        """Add the next frame of the drive.

        Args:
            stamp_s: When it was taken, seconds.
            lanes: What was predicted, in pixels of the image.
            image_size: Its ``(height, width)``.
            truth: The labels, as of ``LaneMetric.update``; ``None`` without.
            physical_lanes: For each head whose lane is known, a number that stays the same for one
                lane of the road and differs between lanes: after a lane change the heads have other
                ones. Heads that are missing take no part in identity.

        Raises:
            ValueError: The stamp is not after the last one of this drive.
        """
        last = self._stamp_s
        if last is not None and not stamp_s > last:
            raise ValueError(
                f"frame at {stamp_s} s comes after one at {last} s: sort the frames, or call "
                "end_drive() between drives"
            )
        elapsed = stamp_s - last if last is not None else 0.0
        self._stamp_s = stamp_s
        for line, history in zip(lanes, self._histories, strict=True):
            lane = line.lane_id
            if elapsed > self._max_gap_s:
                history.columns, history.status, history.track = [], None, None
            self._watch_columns(line, history, self._rows * (image_size[0] - 1))
            self._watch_status(line, history, elapsed)
            if physical_lanes is not None and lane in physical_lanes:
                self._watch_identity(line, history, physical_lanes[lane])
            if truth is not None and lane in truth:
                self._watch_arrival(line, history, truth[lane], image_size[1])
            elif history.waited is not None:
                history.waited += 1

    def merge(self, other: TemporalMetric) -> None:
        """Add the counts of other drives; the drive that is going on here goes on.

        Raises:
            ValueError: The other one watches other rows or pauses.
        """
        if not np.array_equal(self._rows, other._rows) or self._max_gap_s != other._max_gap_s:
            raise ValueError("cannot add counts of a metric with other jitter_rows or max_gap_s")
        self._jitter += other._jitter
        self._flicker += other._flicker
        self._switches += other._switches
        self._latency += other._latency

    def compute(self) -> dict[str, float]:
        """Return the scores of each lane, as ``"ego/jitter_px"``, and of all pooled, ``"all/..."``.

        Returns:
            ``jitter_px`` (mean size of the second difference between three frames of the column in
            each row: 0 for a line that stands or drifts evenly), ``flicker_hz`` (changes of status
            between two frames per second, of ``DETECTED`` to ``PREDICTED`` too), ``id_switches``
            (how often a head on the same lane of the road had another ``track_id`` than before),
            ``tracked`` (frames in which that could happen), ``latency_frames`` (mean number of
            frames from the first one in which a lane is labelled to the first in which its line is
            right, 0 for at once; of those found), ``never_found`` (share of such appearances that
            ended, or are as yet, without) and ``appearances``. NaN where nothing was counted.
        """
        names = (*LANE_NAMES, "all")
        jitter, flicker, switches, latency = (
            np.vstack((counts, counts.sum(axis=0)))
            for counts in (self._jitter, self._flicker, self._switches, self._latency)
        )
        scores: dict[str, float] = {}
        for index, name in enumerate(names):
            appearances, found, frames = latency[index]
            scores[f"{name}/jitter_px"] = _ratio(*jitter[index])
            scores[f"{name}/flicker_hz"] = _ratio(*flicker[index])
            scores[f"{name}/id_switches"] = float(switches[index, 0])
            scores[f"{name}/tracked"] = float(switches[index, 1])
            scores[f"{name}/latency_frames"] = _ratio(frames, found)
            scores[f"{name}/never_found"] = _ratio(appearances - found, appearances)
            scores[f"{name}/appearances"] = float(appearances)
        return scores

    def _watch_columns(self, line: LaneLine, history: _History, rows: NDArray[np.float64]) -> None:
        """Compare the line's columns with those of the two frames before."""
        columns = np.full(len(rows), np.nan)
        if line.detected:
            x, y = line.points_px[::-1].astype(np.float64).T
            columns = np.asarray(np.interp(rows, y, x, left=np.nan, right=np.nan))
        if len(history.columns) == 2:
            older, newer = history.columns
            second = columns - 2 * newer + older
            second = second[np.isfinite(second)]
            self._jitter[line.lane_id] += (np.abs(second).sum(), len(second))
        history.columns = [*history.columns[-1:], columns]

    def _watch_status(self, line: LaneLine, history: _History, elapsed: float) -> None:
        """Count a change of status, and the time in which it could have come."""
        if history.status is not None:
            self._flicker[line.lane_id] += (line.status is not history.status, elapsed)
        history.status = line.status

    def _watch_identity(self, line: LaneLine, history: _History, physical: int) -> None:
        """Count a new name for the same lane; a lane that is lost for a while keeps its name."""
        if line.track_id == UNTRACKED:
            return
        if history.track is not None and history.track[0] == physical:
            self._switches[line.lane_id] += (history.track[1] != line.track_id, 1)
        history.track = (physical, line.track_id)

    def _watch_arrival(
        self, line: LaneLine, history: _History, truth: NDArray | None, image_width: int
    ) -> None:
        """Count frames from the first label of a lane to its first right line."""
        counts = self._latency[line.lane_id]
        if truth is None:
            history.present, history.waited = False, None
            return
        if not history.present:
            history.present, history.waited = True, 0
            counts[0] += 1
        if history.waited is None:
            return
        if line_is_right(line, truth, image_width):
            counts[1:] += (1, history.waited)
            history.waited = None
        else:
            history.waited += 1


def _ratio(part: float, whole: float) -> float:
    """Divide; NaN for nothing of nothing."""
    return float(part) / float(whole) if whole else float("nan")
