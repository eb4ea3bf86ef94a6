# SPDX-License-Identifier: Apache-2.0
"""The lanes that are followed through one unbroken stretch of images of one camera."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.structures import Size
from shared_encoder_perception.tasks.lanes.answer import LaneLine, Lanes
from shared_encoder_perception.tasks.lanes.tracking.association import assign
from shared_encoder_perception.tasks.lanes.tracking.measurement import Measurements
from shared_encoder_perception.tasks.lanes.tracking.options import TrackingOptions
from shared_encoder_perception.tasks.lanes.tracking.road import RoadFilters
from shared_encoder_perception.tasks.lanes.tracking.rows import RowFilters
from shared_encoder_perception.tasks.lanes.tracking.track import (
    PLACES,
    Estimate,
    Track,
    estimated_line,
)

CAPACITY: Final = 10
"""Tracks at most: five lanes that are seen, and as many that are not."""
MIN_STEP_S: Final = 1e-3
"""Images with the same stamp are taken to be this far apart."""
HAND_OVER: Final = 2.0
"""Factor on the squared distance to a track that was another of the five lanes before."""
BORN, ENDED, HANDED_OVER, WEAK = "born", "ended", "handed over", "weak"
"""What ``Tracks.counts`` counts: tracks, and (``WEAK``) lines too unsure to begin one."""


class Tracks:
    """Tracks and their filters."""

    def __init__(
        self, image_size: Size, options: TrackingOptions, ids: Iterator[int], counts: Counter[str]
    ) -> None:
        """Follow nothing yet.

        Args:
            image_size: ``(height, width)`` of all images.
            options: What the parameters say; may be replaced between images.
            ids: Gives the names of new tracks.
            counts: Where to count what happens.
        """
        self.image_size, self.options = image_size, options
        self._ids, self._counts = ids, counts
        self._tracks: list[Track] = []
        self._rows = RowFilters(CAPACITY, image_size, options.agility)
        self._road = RoadFilters(CAPACITY, options.agility)
        self.stamp_s: float | None = None

    @property
    def followed(self) -> int:
        """How many tracks there are."""
        return len(self._tracks)

    @property
    def unseen(self) -> int:
        """How many of them were not seen in the last image."""
        return sum(track.seen_s != self.stamp_s for track in self._tracks)

    def update(self, lanes: Lanes, stamp_s: float) -> Lanes:
        """Follow the lanes into the next image; see ``LaneTracker.update``."""
        if self.stamp_s is not None:
            step_s = max(stamp_s - self.stamp_s, MIN_STEP_S)
            self._rows.predict(step_s)
            self._road.predict(step_s)
        self.stamp_s = stamp_s
        usable = [
            line
            for line in lanes
            if line.detected and line.confidence >= self.options.off_confidence
        ]
        if usable:
            self._see(usable, stamp_s)
        self._end_old(stamp_s)
        return self._result(lanes, stamp_s)

    def _see(self, lines: Sequence[LaneLine], stamp_s: float) -> None:
        """Update tracks with the lines of one image, and begin new ones."""
        measured = Measurements.of(lines, self._rows.rows, self.options.pixel_std_px)
        taken: list[int] = []
        tracks: list[Track] = []
        shifts: list[int] = []
        step_s: list[float] = []
        owners = self._owners(measured)
        for index, (line, owner) in enumerate(zip(lines, owners, strict=True)):
            if owner is None and line.confidence < self.options.on_confidence:
                self._counts[WEAK] += 1
                continue
            track = owner or self._begin(line, stamp_s, [*owners, *tracks])
            place = PLACES.get(line.lane_id)
            if owner is not None:
                self._counts[HANDED_OVER] += owner.line.lane_id is not line.lane_id
                if place is not None and owner.place is not None:
                    shifts.append(place - owner.place)
            step_s.append(0.0 if owner is None else max(stamp_s - owner.seen_s, MIN_STEP_S))
            track.see(line, measured.columns[index], measured.polynomial(index), stamp_s)
            taken.append(index)
            tracks.append(track)
        self._learn(measured, np.array(taken, np.int64), tracks, np.array(step_s))
        self._rearrange(tracks, shifts)

    def _owners(self, measured: Measurements) -> list[Track | None]:
        """Return the track of each line, ``None`` for new lanes."""
        if not self._tracks:
            return [None] * len(measured.lines)
        known = np.array([track.index for track in self._tracks])
        distance = measured.distance(self._rows, self._road, known, self.options.gate_m)
        for row, line in enumerate(measured.lines):
            for column, track in enumerate(self._tracks):
                if track.lane not in (None, line.lane_id):
                    distance[row, column] *= HAND_OVER
        return [self._tracks[owner] if owner >= 0 else None for owner in assign(distance)]

    def _begin(self, line: LaneLine, stamp_s: float, seen: Sequence[Track | None]) -> Track:
        """Begin a track; of those not ``seen`` the oldest gives way where there are too many."""
        if len(self._tracks) == CAPACITY:
            unseen = [track for track in self._tracks if track not in seen]
            self._end(min(unseen, key=lambda track: track.seen_s))
        free = set(range(CAPACITY)) - {track.index for track in self._tracks}
        track = Track(min(free), next(self._ids), line, stamp_s)
        self._tracks.append(track)
        self._counts[BORN] += 1
        return track

    def _learn(
        self,
        measured: Measurements,
        taken: NDArray[np.int64],
        tracks: Sequence[Track],
        step_s: NDArray[np.float64],
    ) -> None:
        """Update the filters of ``tracks`` with the lines ``taken``."""
        if not tracks:
            return
        owner = np.array([track.index for track in tracks])
        self._rows.update(owner, measured.columns[taken], measured.variance[taken], step_s)
        on_road = measured.on_road[taken]
        there = on_road >= 0
        self._road.skip(owner[~there])
        if measured.road is not None and there.any():
            self._road.update(owner[there], measured.road.take(on_road[there]), step_s[there])

    def _rearrange(self, seen: Sequence[Track], shifts: Sequence[int]) -> None:
        """Say which lanes the unseen tracks are: those seen tell of a lane change.

        Two tracks cannot be one lane: the one that was seen later is it, the other one none.
        """
        shift = round(float(np.median(shifts))) if shifts else 0
        occupied = {track.lane for track in seen}
        unseen = [track for track in self._tracks if track not in seen]
        for track in sorted(unseen, key=lambda track: -track.seen_s):
            track.move(shift)
            if track.lane in occupied:
                track.lane = None
            occupied.add(track.lane)

    def _end_old(self, stamp_s: float) -> None:
        """End the tracks that were not seen for too long."""
        for track in list(self._tracks):
            coasting_s = stamp_s - track.seen_s
            if coasting_s > 0.0 and coasting_s > track.patience_s(self.options.max_coasting_s):
                self._end(track)

    def _end(self, track: Track) -> None:
        """End one track."""
        self._tracks.remove(track)
        self._rows.restart(track.index)
        self._road.restart(track.index)
        self._counts[ENDED] += 1

    def _result(self, seen: Lanes, stamp_s: float) -> Lanes:
        """Return the lines of the tracks in place of those seen."""
        by_lane = {track.lane: track for track in self._tracks if track.lane is not None}
        coefficients, covariance = self._road.coefficients(), self._road.covariance()
        lines = []
        for line in seen:
            result, track = None, by_lane.get(line.lane_id)
            if track is not None:
                on_road = self._road.known[track.index]
                estimate = Estimate(
                    self._rows.rows,
                    self._rows.column[track.index],
                    self._rows.variance[track.index],
                    coefficients[track.index] if on_road else None,
                    covariance[track.index],
                )
                result = estimated_line(track, estimate, self.image_size, stamp_s, self.options)
            lines.append(result or LaneLine(line.lane_id, confidence=line.confidence))
        return Lanes(tuple(lines))
