# SPDX-License-Identifier: Apache-2.0
"""Lane centre lines from lane boundaries.

With a camera that does not roll, a row of the image is a line of constant depth on a flat road, so
the centre of a lane is the middle of its two boundaries, row by row; heading does not matter and
curvature hardly. What cannot be told is left out rather than guessed: a lane that is missing from
the result is unknown, ``None`` is known to be absent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.structures import Size
from shared_encoder_perception.tasks.contract.labels import UsualLane
from shared_encoder_perception.tasks.lanes.answer import LaneId
from shared_encoder_perception.tasks.lanes.labelling.boundaries import Boundary, Line, sample_lines
from shared_encoder_perception.tasks.lanes.labelling.lane_scene import (
    Scene,
    median,
    own_geometry,
    widening,
)
from shared_encoder_perception.tasks.lanes.labelling.splits import (
    SPLIT_WIDTH,
    interior_line,
    split_lanes,
)

EGO_WIDTH: Final = (0.7, 1.35)
"""Accepted width of the ego lane, relative to the camera's usual one. Wider is two lanes whose
divider nobody labelled."""
NEIGHBOUR_WIDTH: Final = (0.6, 1.6)
"""Accepted width of a neighbour lane, relative to the ego lane."""
WIDENING: Final = 1.5
LANE_CHANGE_NOTE: Final = "lane change"


@dataclass
class LaneCentres:
    """What boundaries tell about the five lanes.

    Attributes:
        lanes: As ``Label.lines``.
        notes: Why something was left out, or is uncertain.
    """

    lanes: dict[LaneId, NDArray[np.float32] | None] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    @property
    def ambiguous(self) -> bool:
        """Whether it is arbitrary which lane is the ego lane: the vehicle changes lanes."""
        return LANE_CHANGE_NOTE in self.notes

    def usable(self, lane_changes: bool) -> dict[LaneId, NDArray[np.float32] | None]:
        """Return the lanes; none of an ambiguous picture, unless ``lane_changes``."""
        return self.lanes if lane_changes or not self.ambiguous else {}


def derive_centres(
    boundaries: Sequence[Boundary], size: Size, geometry: UsualLane | None = None
) -> LaneCentres:
    """Find the lanes between ``boundaries``.

    Args:
        boundaries: All lines of a picture, in any order.
        size: ``(height, width)`` of the picture.
        geometry: Of the camera; without, the horizon is where the ego boundaries meet, the middle
            of the picture is the vehicle's, and the ego lane's width is not checked.
    """
    lines = sample_lines(boundaries, size)
    middle = geometry.centre_column_px if geometry else (size[1] - 1) / 2
    pair = _ego_pair(lines, middle)
    if pair is None:
        return LaneCentres(notes=["ego: boundary missing"])
    scene = Scene(lines, *pair, size, geometry or own_geometry(*pair, size, middle))
    found = LaneCentres()
    if scene.changes_lane():
        found.notes.append(LANE_CHANGE_NOTE)
    _add_ego(scene, found, check_width=geometry is not None)
    for side in (-1, 1):
        _add_neighbour(scene, found, side)
    if LaneId.EGO in found.lanes and not any("splits" in note for note in found.notes):
        for lane in (LaneId.LEFT_SPLIT_EGO, LaneId.RIGHT_SPLIT_EGO):
            found.lanes.setdefault(lane, None)
    return found


def _ego_pair(lines: Sequence[Line], middle: float) -> tuple[Line, Line] | None:
    """Choose the boundaries of the lane that holds ``middle``; floating lines only at need."""
    pair = []
    for side in (-1, 1):
        of_side = [line for line in lines if (line.x_bottom < middle) == (side < 0)]
        usable = [line for line in of_side if not line.floating] or of_side
        if not usable:
            return None
        pair.append(min(usable, key=lambda line: abs(line.x_bottom - middle)))
    return pair[0], pair[1]


def _add_ego(scene: Scene, found: LaneCentres, check_width: bool) -> None:
    """Add the ego lane, and the split lanes where the ego lane divides."""
    x_left, x_right = scene.between(scene.left, scene.right)
    relative, width = (x_right - x_left) / scene.lane_width(), scene.ego_width()
    inner = interior_line(scene, x_left, x_right)
    if inner is not None:
        lanes = split_lanes(scene, inner) if width > SPLIT_WIDTH else {}
        if lanes:
            found.lanes.update(lanes)
            return
        found.notes.append("ego: line inside, splits unknown")
    if check_width and not EGO_WIDTH[0] <= width <= EGO_WIDTH[1]:
        found.notes.append("ego: too wide" if width > 1 else "ego: too narrow")
        return
    if widening(relative) > WIDENING:
        found.notes.append("ego: widens, splits unknown")
    points = scene.points((x_left + x_right) / 2)
    if points is None:
        found.notes.append("ego: too short")
    else:
        found.lanes[LaneId.EGO] = points


def _add_neighbour(scene: Scene, found: LaneCentres, side: int) -> None:
    """Add the lane to the left (-1) or right (1) of the ego lane."""
    lane = LaneId.LEFT_EGO if side < 0 else LaneId.RIGHT_EGO
    border = scene.left if side < 0 else scene.right
    outer = _nearest_outside(scene, border, side)
    if outer is None:
        if border.is_edge:
            found.lanes[lane] = None
        else:
            found.notes.append(f"{lane.label}: no line outside")
        return
    x_left, x_right = scene.between(*((outer, border) if side < 0 else (border, outer)))
    relative = (x_right - x_left) / scene.lane_width()
    ego = scene.ego_width()
    # An ego lane of doubtful width is no measure.
    ratio = median(relative) / (ego if EGO_WIDTH[0] <= ego <= EGO_WIDTH[1] else 1.0)
    if not NEIGHBOUR_WIDTH[0] <= ratio <= NEIGHBOUR_WIDTH[1]:
        found.notes.append(f"{lane.label}: width")
        return
    if widening(relative) > WIDENING:
        found.notes.append(f"{lane.label}: widens, splits unknown")
    points = scene.points((x_left + x_right) / 2)
    if points is None:
        found.notes.append(f"{lane.label}: too short")
    else:
        found.lanes[lane] = points


def _nearest_outside(scene: Scene, border: Line, side: int) -> Line | None:
    """Return the line next to ``border`` on its outer side, decided on the rows they share."""
    best, nearest = None, np.inf
    for line in scene.lines:
        if line is scene.left or line is scene.right:
            continue
        apart = (line.x - border.x) * side
        distance = (
            float(np.nanmedian(apart))
            if np.isfinite(apart).any()
            else (line.x_bottom - border.x_bottom) * side
        )
        if 0 < distance < nearest:
            best, nearest = line, distance
    return best
