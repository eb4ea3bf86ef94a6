# SPDX-License-Identifier: Apache-2.0
"""Lanes on the road in closed form, for tests of what is drawn and published of them."""

from __future__ import annotations

import numpy as np
from perceptions import perception as perception_of

from shared_encoder_perception.tasks.drivable.answer import DrivableMask
from shared_encoder_perception.tasks.lanes.answer import (
    GroundLine,
    LaneId,
    LaneLine,
    Lanes,
    LaneStatus,
)

SIZE = (320, 800)
FRAME = "base_link"
AHEAD = np.linspace(6.0, 50.0, 30)
COEFFICIENTS = {
    LaneId.EGO: (0.4, -0.01, 0.0005),
    LaneId.LEFT_EGO: (3.9, -0.01, 0.0005),
    LaneId.RIGHT_EGO: (-3.1, -0.01, 0.0005),
}
"""``y(x)`` of the lanes that are there."""


def lateral(lane: LaneId, ahead=AHEAD):
    """Metres to the left."""
    return np.polyval(COEFFICIENTS[lane][::-1], ahead)


def ground_line(lane: LaneId, status=LaneStatus.DETECTED, track_id=0, frame=FRAME):
    """A lane with its ground geometry; the last two points do not meet the road."""
    y = lateral(lane)
    points = np.stack((AHEAD, y, np.zeros_like(y)), axis=1)
    points[-2:] = np.nan
    std = 0.05 + 0.01 * AHEAD
    std[-2:] = np.nan
    ground = GroundLine(
        frame,
        points,
        std,
        COEFFICIENTS[lane],
        np.diag([0.01, 1e-5, 1e-9]),
        (float(AHEAD[0]), float(AHEAD[-3])),
        0.0,
    )
    pixels = np.stack((400 - 800 * y / AHEAD, 120 + 1100 / AHEAD), axis=1)
    confidence = 0.5 + 0.1 * lane
    return LaneLine(
        lane, status, confidence, pixels, np.ones(len(y)), ground=ground, track_id=track_id
    )


def ground_lanes(**statuses):
    """Ego, left and right are there, no split is; ``ego=LaneStatus.PREDICTED`` changes one."""
    lanes = []
    for lane in LaneId:
        status = statuses.get(lane.label, LaneStatus.DETECTED)
        there = lane in COEFFICIENTS and status is not LaneStatus.NOT_DETECTED
        lanes.append(ground_line(lane, status) if there else LaneLine(lane))
    return Lanes(tuple(lanes))


def ground_perception(**statuses):
    """The same lanes, and below them a drivable surface."""
    probability = np.zeros(SIZE, np.uint8)
    probability[200:] = 255
    return perception_of(
        SIZE, ground_lanes(**statuses), DrivableMask(probability), {"inference": 9.8}
    )
