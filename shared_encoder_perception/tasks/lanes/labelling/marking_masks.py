# SPDX-License-Identifier: Apache-2.0
"""Markings in a teacher's mask -> lane boundaries: runs of paint linked row by row, dashes joined.

A run is what one row shows of one line. From the bottom up, each run goes to the line whose course
leads to it; a line that ends begins again where its course meets the next dash. A double line is
one boundary.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

MARKING: Final = 128
"""Lowest value that is paint: a probability of a half."""
MOST_THICK: Final = 0.07
"""Of the image's width, at its bottom and across the line, both halves of a double one: more is an
area."""
FAR_THICK: Final = 0.3
"""The same at the first row with paint, relative to the bottom; drawn lines hardly taper."""
MOST_RUN: Final = 0.15
"""Of the image's width, along the row: more is a stop line, whatever its direction."""
DOUBLE: Final = 0.03
DOUBLE_SHARE: Final = 2.0
"""Widest gap in a double line: of the image's width at its bottom, less above; and of the length of
the shorter half along the row."""
RECENT: Final = 8
"""Rows whose mean a course starts from; as many before them give its slope."""
GATE: Final = 0.003
GATE_SHARE: Final = 0.2
"""A run may lie this far from a line's course: of the image's width, and of its own length."""
MISSED_ROWS: Final = 3
"""Rows without paint after which a line ends; it may be joined to another piece."""
CAP: Final = 0.75
"""Rows at an end that are narrower than this share of the next ones show a corner of the paint:
their middle is not the line's."""
CAP_ROWS: Final = 12
JOIN: Final = 0.08
"""By how much a course may miss the next dash: of the image's width at the bottom, less above."""
JOIN_PX: Final = 3.0
JOIN_GAP: Final = 0.45
"""Longest gap between dashes, of the image's height."""
JOIN_BASE: Final = 0.06
"""Rows, as a share of the height, that tell a piece's course at its end; more for a wide gap."""
SURE_ROWS: Final = 12
"""A piece of so many rows has a course of its own, which must lead back."""
MIN_ROWS: Final = 20
MIN_HEIGHT: Final = 0.05
"""A line that shows in fewer rows, or over less of the image's height, is dropped."""


def trace_boundaries(probability: NDArray[np.uint8]) -> tuple[NDArray[np.float64], ...]:
    """Find the lines of a marking mask.

    Args:
        probability: (H, W) uint8, 0 to 255 for a probability of paint of 0 to 1.

    Returns:
        (N >= 2, 2) each, ``(x, y)`` pixels near to far: ``y`` strictly decreasing whole rows, at
        most one for each row; rows in which no paint was seen, between dashes, are left out.
    """
    height, width = probability.shape
    runs = _find_runs(probability)
    if not len(runs.row):
        return ()
    reach = _Reach(height, width, float(runs.row.min()))
    pieces = [
        piece
        for track in _link(runs, width)
        if len(piece := _without_caps(track)) > 1 and reach.is_thin(track)
    ]
    return tuple(
        line
        for line in _join(pieces, reach)
        if len(line) >= MIN_ROWS and line[0, 1] - line[-1, 1] >= MIN_HEIGHT * height
    )


@dataclass(frozen=True, eq=False)
class _Runs:
    """Pixels of paint side by side, by row from the top; (R,) arrays.

    Attributes:
        row: Where.
        x: Their mean column, weighted with the probability.
        length: Pixels along the row, of paint only.
    """

    row: NDArray[np.int64]
    x: NDArray[np.float64]
    length: NDArray[np.int64]


def _find_runs(probability: NDArray[np.uint8]) -> _Runs:
    """Runs that may belong to a line: not too long, and not cut off by a side of the image."""
    height, width = probability.shape
    paint = (probability >= MARKING).view(np.int8)
    edges = np.diff(np.pad(paint, ((0, 0), (1, 1))), axis=1)
    (row, first), (_, end) = np.nonzero(edges == 1), np.nonzero(edges == -1)
    if not len(row):
        return _Runs(row, np.zeros(0), end)
    weight = np.append(probability.astype(np.float64).ravel(), 0.0)
    moment = np.append((probability * np.arange(width, dtype=np.float64)).ravel(), 0.0)
    at = np.stack((row * width + first, row * width + end), axis=1).ravel()
    moment, weight = np.add.reduceat(moment, at)[::2], np.add.reduceat(weight, at)[::2]
    length = end - first
    double = np.r_[False, _are_double(row, first, end, height, width)]
    group = np.flatnonzero(~double)
    row, first, end = row[group], first[group], end[np.r_[group[1:], len(end)] - 1]
    moment, weight, length = (np.add.reduceat(a, group) for a in (moment, weight, length))
    kept = (end - first <= MOST_RUN * width) & (first > 0) & (end < width)
    return _Runs(row[kept], (moment / weight)[kept], length[kept])


def _are_double(
    row: NDArray[np.int64],
    first: NDArray[np.int64],
    end: NDArray[np.int64],
    height: int,
    width: int,
) -> NDArray[np.bool_]:
    """Whether each run and the next one, (R - 1,), are the halves of a double line."""
    gap, length = first[1:] - end[:-1], end - first
    down = (row[1:] - row[0]) / max(height - 1 - row[0], 1)
    near = gap <= np.minimum(
        DOUBLE * width * down, DOUBLE_SHARE * np.minimum(length[1:], length[:-1])
    )
    return np.asarray((row[1:] == row[:-1]) & near)


@dataclass(eq=False)
class _Track:
    """A line being followed upwards: mean columns, rows and lengths of its runs, near to far."""

    x: list[float] = field(default_factory=list)
    row: list[int] = field(default_factory=list)
    length: list[int] = field(default_factory=list)

    def add(self, x: float, row: int, length: int) -> None:
        """Take the next run."""
        self.x.append(x)
        self.row.append(row)
        self.length.append(length)

    def miss(self, x: float, row: int, length: int, width: int) -> float | None:
        """Return by how many pixels a run misses the course; ``None`` where it is not its next."""
        if len(self.x) < 2 * RECENT:  # no course yet: the runs must touch
            apart = abs(x - self.x[-1])
            touching = apart <= (length + self.length[-1]) / 2 + (self.row[-1] - row)
            return apart if touching else None
        near, far = slice(-2 * RECENT, -RECENT), slice(-RECENT, None)
        x_far, row_far = sum(self.x[far]) / RECENT, sum(self.row[far]) / RECENT
        run, rise = x_far - sum(self.x[near]) / RECENT, row_far - sum(self.row[near]) / RECENT
        apart = abs(x - x_far - run / rise * (row - row_far))
        return apart if apart <= GATE * width + 1 + GATE_SHARE * length else None


def _link(runs: _Runs, width: int) -> Iterator[_Track]:
    """Follow the lines from the bottom up."""
    tracks: list[_Track] = []
    rows, starts = np.unique(runs.row, return_index=True)
    ends = np.append(starts[1:], len(runs.row))
    for row, start, end in zip(rows[::-1].tolist(), starts[::-1], ends[::-1], strict=True):
        yield from (track for track in tracks if track.row[-1] - row > MISSED_ROWS + 1)
        tracks = [track for track in tracks if track.row[-1] - row <= MISSED_ROWS + 1]
        found = list(zip(runs.x[start:end].tolist(), runs.length[start:end].tolist(), strict=True))
        misses = []
        for i, track in enumerate(tracks):
            for j, (x, length) in enumerate(found):
                miss = track.miss(x, row, length, width)
                if miss is not None:
                    misses.append((miss, -len(track.x), i, j))
        taken: set[int] = set()
        fed: set[int] = set()
        for _, _, i, j in sorted(misses):
            if i not in fed and j not in taken:
                fed.add(i)
                taken.add(j)
                tracks[i].add(found[j][0], row, found[j][1])
        for j, (x, length) in enumerate(found):
            if j not in taken:
                tracks.append(_Track([x], [row], [length]))
    yield from tracks


def _without_caps(track: _Track) -> NDArray[np.float64]:
    """Return a track as points (N, 2), near to far, without the corners at its ends."""
    length = np.array(track.length)
    first, last = 0, len(length)
    while first < last and length[first] < CAP * np.median(length[first:last][:CAP_ROWS]):
        first += 1
    while first < last and length[last - 1] < CAP * np.median(length[first:last][-CAP_ROWS:]):
        last -= 1
    return np.stack((track.x, track.row), axis=1)[first:last].astype(np.float64)


@dataclass(frozen=True)
class _Reach:
    """How thick a line may be, and how far its pieces apart, in an image of a size.

    Attributes:
        height, width: Of the image.
        top: First row with paint.
    """

    height: int
    width: int
    top: float

    def is_thin(self, track: _Track) -> bool:
        """Whether a track is no thicker than a line: measured across it, not along the rows."""
        row, length = np.array(track.row), np.array(track.length)
        slope = (track.x[-1] - track.x[0]) / min(track.row[-1] - track.row[0], -1)
        most = MOST_THICK * self.width * (FAR_THICK + (1 - FAR_THICK) * self.down(row))
        return bool(np.median(length / np.hypot(1, slope) / most) <= 1)

    def down(self, row: Any) -> Any:
        """How far rows are from the first one with paint, 0, to the bottom, 1."""
        return (row - self.top) / max(self.height - 1 - self.top, 1)

    def course(self, piece: NDArray, row: float, *, near: bool) -> float:
        """Column at which a piece, continued straight from its near or far end, meets a row."""
        end = piece[0, 1] if near else piece[-1, 1]
        base = max(JOIN_BASE * self.height, abs(end - row), MISSED_ROWS + 1)
        points = piece[np.abs(piece[:, 1] - end) <= base]
        slope, offset = np.polyfit(points[:, 1] - end, points[:, 0], 1)
        return float(offset + slope * (row - end))

    def miss(self, line: NDArray, piece: NDArray) -> float | None:
        """Return by how much a line misses a piece further ahead; ``None`` where by too much."""
        gap = line[-1, 1] - piece[0, 1]
        if not 0 < gap <= JOIN_GAP * self.height:
            return None
        miss = self._relative(self.course(line, piece[0, 1], near=False), piece[0])
        if len(piece) >= SURE_ROWS:
            miss = max(miss, self._relative(self.course(piece, line[-1, 1], near=True), line[-1]))
        return miss if miss <= 1 else None

    def _relative(self, x: float, point: NDArray) -> float:
        """Distance of a column from a point, relative to what is allowed in its row."""
        return float(abs(x - point[0]) / (JOIN_PX + JOIN * self.width * self.down(point[1])))


def _join(pieces: list[NDArray[np.float64]], reach: _Reach) -> list[NDArray[np.float64]]:
    """Join the pieces of dashed lines, the nearest first."""
    lines: list[NDArray[np.float64]] = []
    for piece in sorted(pieces, key=lambda points: -points[0, 1]):
        misses = [
            (miss, index)
            for index, line in enumerate(lines)
            if (miss := reach.miss(line, piece)) is not None
        ]
        if misses:
            index = min(misses)[1]
            lines[index] = np.concatenate((lines[index], piece))
        else:
            lines.append(piece)
    return lines
