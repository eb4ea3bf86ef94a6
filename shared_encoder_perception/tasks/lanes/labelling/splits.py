# SPDX-License-Identifier: Apache-2.0
"""Where the ego lane divides: a line that begins ahead, between the two ego boundaries."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.tasks.lanes.answer import LaneId
from shared_encoder_perception.tasks.lanes.labelling.boundaries import REFERENCE_HEIGHT, Line
from shared_encoder_perception.tasks.lanes.labelling.lane_scene import Scene

SPLIT_WIDTH: Final = 1.2
INTERIOR: Final = (0.08, 0.92)
INTERIOR_ROWS: Final = 0.7
BRANCH_WIDTH: Final = 0.5
JOIN: Final = 120.0
"""Rows (of 720) below the tip of a gore over which a lane's two definitions are joined."""


def interior_line(scene: Scene, x_left: NDArray, x_right: NDArray) -> Line | None:
    """Return a line that begins ahead, between the ego boundaries: the tip of a gore."""
    for line in scene.lines:
        if line is scene.left or line is scene.right or not line.floating:
            continue
        share = (line.x - x_left) / (x_right - x_left)
        known = np.isfinite(share)
        inside = known & (share > INTERIOR[0]) & (share < INTERIOR[1])
        if known.any() and inside.sum() >= INTERIOR_ROWS * np.isfinite(line.x).sum():
            return line
    return None


def split_lanes(scene: Scene, inner: Line) -> dict[LaneId, NDArray[np.float32] | None]:
    """Return the lane that goes on as ``ego``, and the one that leaves as a split lane.

    Above the tip of the gore each lane lies between its two lines. Below it there is no line
    between them, so each keeps half a lane's width from its own outer line, until they are one. The
    lane that passes nearer to the vehicle goes on as ``ego``. Empty where the branches are too
    narrow or too short to be lanes.
    """
    rows, width = scene.rows, scene.lane_width()
    x_left, x_right = scene.between(scene.left, scene.right)
    far = np.isfinite(inner.x) & np.isfinite(x_left + x_right)
    far &= rows < rows[far].min() + (rows[inner.near] - rows[far].min()) / 2
    narrow = np.minimum(x_right - inner.x, inner.x - x_left) / width
    if not np.isfinite(narrow[far]).any() or np.nanmedian(narrow[far]) < BRANCH_WIDTH:
        return {}
    below = np.arange(len(rows)) > inner.near
    left = _joined((x_left + inner.x) / 2, x_left + width / 2, inner.near, scene)
    right = _joined((inner.x + x_right) / 2, x_right - width / 2, inner.near, scene)
    half = scene.geometry.width_slope * (scene.size[0] - 1 - scene.geometry.horizon_row_px) / 2
    off = [scene.left.x_bottom + half, scene.right.x_bottom - half]
    off = [abs(x - scene.geometry.centre_column_px) for x in off]
    through_left = off[0] <= off[1]
    # Where the two would overlap there is one lane still.
    one = below & (left >= right)
    through, leaving = (left, right) if through_left else (right, left)
    leaving = np.where(one, through, leaving)
    ego, branch = scene.points(through), scene.points(leaving)
    if ego is None or branch is None:
        return {}
    here, other = LaneId.RIGHT_SPLIT_EGO, LaneId.LEFT_SPLIT_EGO
    if not through_left:
        here, other = other, here
    return {LaneId.EGO: ego, here: branch, other: None}


def _joined(above: NDArray, below: NDArray, tip: int, scene: Scene) -> NDArray[np.float64]:
    """Continue a lane below the tip of a gore on another rule, without a jump at the tip."""
    jump = above[tip] - below[tip]
    fade = 1 - (scene.rows - scene.rows[tip]) / (JOIN * scene.size[0] / REFERENCE_HEIGHT)
    eased = below + np.nan_to_num(jump) * np.clip(fade, 0, 1)
    return np.where(np.arange(len(below)) > tip, eased, above)
