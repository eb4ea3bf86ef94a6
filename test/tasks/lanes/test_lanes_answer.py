# SPDX-License-Identifier: Apache-2.0
"""The lanes of an image: what they refuse, and that what they hold cannot change."""

import numpy as np
import pytest

from shared_encoder_perception.tasks.lanes.answer import LaneId, LaneLine, Lanes, LaneStatus

POINTS = np.array([[10.0, 90.0], [12.0, 50.0]], np.float32)
STD = np.full(2, np.nan, np.float32)


def line(**changes):
    fields = {
        "lane_id": LaneId.EGO,
        "status": LaneStatus.DETECTED,
        "confidence": 0.5,
        "points_px": POINTS,
        "x_std_px": STD,
    }
    return LaneLine(**{**fields, **changes})


def test_arrays_are_frozen_copies():
    source = POINTS.copy()
    held = line(points_px=source)
    source[0, 0] = -1
    assert held.points_px[0, 0] == 10.0
    with pytest.raises(ValueError, match="read-only"):
        held.points_px[0, 0] = 0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"points_px": np.zeros((2, 3))}, r"shape \(2, 3\), expected \(N, 2\)"),
        ({"x_std_px": np.zeros(3)}, r"expected \(2,\)"),
        ({"confidence": 1.5}, "confidence is 1.5, expected 0 to 1"),
        ({"confidence": float("nan")}, "confidence is nan"),
        ({"points_px": POINTS * np.nan}, "NaN or infinity"),
        ({"points_px": POINTS[::-1]}, "near to far"),
        ({"status": LaneStatus.NOT_DETECTED}, "NOT_DETECTED with 2 points"),
        ({"points_px": POINTS[:1], "x_std_px": STD[:1]}, "DETECTED with 1 points"),
        ({"branch_index": 2}, "branch_index is 2"),
    ],
)
def test_bad_line_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        line(**changes)


def test_all_five_lanes_are_there_in_order():
    lines = tuple(LaneLine(lane) for lane in LaneId)
    lanes = Lanes(lines)
    assert lanes[LaneId.RIGHT_EGO] is lines[2] and list(lanes) == list(lines)
    assert [line.lane_id for line in Lanes.nothing()] == list(LaneId)
    for wrong in (lines[::-1], lines[:4], ()):
        with pytest.raises(ValueError, match=r"lanes are .*, expected \['ego', 'left_ego'"):
            Lanes(wrong)
