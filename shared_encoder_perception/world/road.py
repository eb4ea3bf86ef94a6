# SPDX-License-Identifier: Apache-2.0
"""Cross-section of the synthetic road, its branch, and the centre lines of its lanes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.world.alignment import DEPTHS_M, Alignment, Profile
from shared_encoder_perception.world.camera import Camera, crest_mask

EGO: Final = "ego"
LEFT: Final = "left_ego"
RIGHT: Final = "right_ego"
SPLITS: Final = {"left_split_ego": -1, "right_split_ego": 1}
"""Paths that leave the ego lane -> the side to which they do."""
LANES: Final = (EGO, LEFT, RIGHT, *SPLITS)
"""Lanes whose centre lines are labelled."""
MIN_LANE_PX: Final = 6.0
"""Where a lane is narrower than this its centre line ends: nobody could label it."""
MIN_EXTENT_PX: Final = 24.0
"""At an image height of 320."""
MAX_JUMP: Final = 0.03
"""Columns per row, in image widths, beyond which a centre line ends."""
SPLIT_BEHIND_M: Final = 3.0
"""A split that is a quarter lane away here already is passed: it no longer leaves our lane."""
SPLIT_SEEN_M: Final = 90.0
"""By this distance a split must have left by half a lane to count as visible."""
SPLIT_LEFT: Final = 0.5
"""Lanes by which a branch must have left within the picture."""
PAINT_INSIDE_M: Final = 0.1
"""Edge lines lie this far inside of what they bound."""
SPLIT_HINT: Final = 0.1
"""Lanes by which a branch may differ from the ego lane and still not be noticed."""


@dataclass(frozen=True)
class Branch:
    """A lane that leaves the road, or joins it.

    Attributes:
        side: -1 to the left, +1 to the right.
        base_m: Offset of the lane it leaves: 0 for the ego lane.
        start_m: Distance along the road at which it begins to leave, or has joined.
        curve: Sideways acceleration, 1/m: it is ``curve / 2 * (s - start)^2`` away.
        slope: Greatest angle between the two roads, rad.
        joins: Whether it comes from behind and joins; else it leaves.
        opens_m: Lateral distance to a lane of its own that opens beside the road first, as exits
            of motorways have; 0 for none.
        taper_m: Length over which that opens.
        beside_m: How far it runs beside the road before it leaves.
    """

    side: int
    base_m: float
    start_m: float
    curve: float
    slope: float
    joins: bool
    opens_m: float = 0.0
    taper_m: float = 0.0
    beside_m: float = 0.0

    def offset_m(self, distance_m: NDArray | float) -> NDArray[np.float64]:
        """Lateral offset of its centre line: its lane opens, a parabola, then straight."""
        past = np.asarray(distance_m, np.float64) - self.start_m
        past = np.maximum(-past if self.joins else past, 0.0)
        opening: NDArray[np.float64] | float = 0.0
        if self.opens_m:
            share = np.minimum(past / self.taper_m, 1.0)
            opening = self.opens_m * share**2 * (3.0 - 2.0 * share)
            past = np.maximum(past - self.taper_m - self.beside_m, 0.0)
        bend = np.minimum(past, self.slope / self.curve)
        away = opening + 0.5 * self.curve * bend**2 + self.slope * (past - bend)
        return self.base_m + self.side * away


@dataclass(frozen=True)
class Crossing:
    """An intersection: another road crosses at a right angle."""

    start_m: float
    width_m: float


@dataclass(frozen=True)
class Road:
    """Lanes along a course; lateral offsets count from the centre of the ego lane, to the right.

    Attributes:
        alignment: The course.
        left: Lanes of our direction to the left of ego.
        right: Lanes to the right of ego.
        opposite: Lanes of the other direction, further to the left.
        median_m: Between the directions.
        width_m: Of every lane.
        shoulder_m: Paved beyond the outermost lane, ``(left, right)``.
        branch: A lane that leaves or joins, or none.
        crossing: An intersection, or none.
    """

    alignment: Alignment
    left: int
    right: int
    opposite: int
    median_m: float
    width_m: float
    shoulder_m: tuple[float, float]
    branch: Branch | None
    crossing: Crossing | None

    def inner_edges_m(self) -> tuple[float, float]:
        """Offsets of the outer boundaries of our direction's lanes."""
        return -(self.left + 0.5) * self.width_m, (self.right + 0.5) * self.width_m

    def edges_m(self) -> tuple[float, float]:
        """Offsets of the outermost lane boundaries of both directions."""
        left, right = self.inner_edges_m()
        across = self.median_m + self.opposite * self.width_m if self.opposite else 0.0
        return left - across, right

    def branch_gap_m(self, distance_m: NDArray) -> NDArray[np.float64]:
        """Width of the ground between road and branch, below 0 where they overlap."""
        assert self.branch is not None
        side = self.branch.side
        edge = self.edges_m()[(side + 1) // 2] - side * PAINT_INSIDE_M
        return (self.branch.offset_m(distance_m) - edge) * side - self.width_m / 2

    @property
    def divided(self) -> bool:
        """Whether the median is more than paint."""
        return self.opposite > 0 and self.median_m > 1.0

    def paved_m(self) -> list[tuple[float, float]]:
        """Offsets of the paved strips, from left to right."""
        left, right = self.edges_m()
        outer = (left - self.shoulder_m[0], right + self.shoulder_m[1])
        if not self.divided:
            return [outer]
        inner = self.inner_edges_m()[0]
        kerb = min(0.5, self.median_m / 4)
        return [(outer[0], inner - self.median_m + kerb), (inner - kerb, outer[1])]

    def lane_offset_m(self, lane: str, distance_m: NDArray) -> NDArray[np.float64] | None:
        """Offset of a lane's centre, or ``None`` where there is no such lane."""
        nothing = np.zeros_like(distance_m)
        if lane == EGO:
            return nothing
        if lane == LEFT:
            if self.left or (self.opposite and not self.divided):
                beside = 0.0 if self.left else self.median_m
                return nothing - self.width_m - beside
            return None
        if lane == RIGHT:
            return nothing + self.width_m if self.right else None
        branch = self._split()
        return branch.offset_m(distance_m) if branch and branch.side == SPLITS[lane] else None

    def _split(self) -> Branch | None:
        """The branch, if it leaves the ego lane."""
        branch = self.branch
        leaves = branch is not None and not branch.joins and branch.base_m == 0
        return branch if leaves else None

    def split_state(self, lane: str, distance_m: float) -> bool | None:
        """Whether a split to that side is seen ahead; ``None`` when people would disagree."""
        branch = self._split()
        if branch is None or branch.side != SPLITS[lane]:
            return False
        here = abs(float(branch.offset_m(distance_m + SPLIT_BEHIND_M)))
        seen = abs(float(branch.offset_m(distance_m + SPLIT_SEEN_M)))
        if here <= self.width_m / 4 and seen > self.width_m / 2:
            return True
        gone = here > 2 * self.width_m
        return False if gone or seen < SPLIT_HINT * self.width_m else None


def centre_lines(
    camera: Camera, road: Road, profile: Profile, distance_m: float
) -> dict[str, NDArray[np.float32] | None]:
    """Project the centre lines: (N, 2) pixels near to far, ``None`` absent, missing unknown."""
    lanes: dict[str, NDArray[np.float32] | None] = {}
    for lane in LANES:
        offset = road.lane_offset_m(lane, distance_m + DEPTHS_M)
        seen = road.split_state(lane, distance_m) if lane in SPLITS else offset is not None
        if seen is None:
            continue
        line, far = (
            (None, 0) if not seen or offset is None else _line(camera, road, profile, offset)
        )
        if lane in SPLITS and line is not None and offset is not None:
            # What counts is what the picture shows of it.
            left = np.abs(offset[: far + 1]).max() / road.width_m
            if left < SPLIT_LEFT:
                if left > SPLIT_HINT:
                    continue
                line = None
        lanes[lane] = line
    return lanes


def _line(
    camera: Camera, road: Road, profile: Profile, offset: NDArray
) -> tuple[NDArray[np.float32] | None, int]:
    """One centre line at every image row that shows it, and the index of its farthest depth."""
    visible = crest_mask(camera, profile)
    visible &= camera.focal_px * road.width_m / DEPTHS_M > MIN_LANE_PX
    points = camera.project(profile.lateral + offset, profile.height, DEPTHS_M)[visible]
    if len(points) < 2:
        return None, 0
    rising = np.minimum.accumulate(points[:, 1])
    kept = np.r_[True, rising[1:] < rising[:-1]]
    points, index = points[kept], np.flatnonzero(visible)[kept]
    rows = np.arange(np.floor(points[:, 1].max()), np.ceil(points[:, 1].min()) - 1, -1.0)
    columns = np.interp(rows, points[::-1, 1], points[::-1, 0])
    height, width = camera.size
    inside = (columns >= 0) & (columns <= width - 1) & (rows >= 0) & (rows <= height - 1)
    if not inside.any():
        return None, 0
    start = int(inside.argmax())
    leaves = np.flatnonzero(~inside[start:])
    end = start + int(leaves[0]) if len(leaves) else len(rows)
    rows, columns = rows[start:end], columns[start:end]
    jump = np.abs(np.diff(columns, prepend=columns[0])) > MAX_JUMP * width
    if jump.any():  # the far end of a bend, seen flat: no label could follow it row by row
        rows, columns = rows[: int(jump.argmax())], columns[: int(jump.argmax())]
    if len(rows) < 2 or np.ptp(rows) < MIN_EXTENT_PX * height / 320:
        return None, 0
    far = int(index[np.searchsorted(-points[:, 1], -rows[-1]).clip(0, len(index) - 1)])
    return np.stack((columns, rows), axis=1).astype(np.float32), far
