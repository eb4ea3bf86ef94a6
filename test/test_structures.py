"""Structures: what they refuse, and that what they hold cannot change."""

import numpy as np
import pytest

from shared_encoder_perception.structures import Perception
from shared_encoder_perception.tasks.drivable.answer import DrivableMask
from shared_encoder_perception.tasks.lanes.answer import LaneId, LaneLine, LaneStatus

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


def test_mask_threshold_splits_exactly():
    mask = DrivableMask(np.array([[127, 128]], np.uint8), threshold=128)
    assert mask.binary().tolist() == [[0, 255]]


@pytest.mark.parametrize("bad", [np.zeros((2, 2), np.float32), np.zeros((2, 2, 1), np.uint8)])
def test_bad_mask_is_refused(bad):
    with pytest.raises(ValueError, match="expected uint8"):
        DrivableMask(bad)


def test_perception_needs_five_lanes_in_order_and_a_fitting_mask():
    lanes = tuple(LaneLine(lane) for lane in LaneId)
    assert Perception((4, 6), lanes, None).lane(LaneId.RIGHT_EGO) is lanes[2]
    with pytest.raises(ValueError, match="expected"):
        Perception((4, 6), lanes[::-1], None)
    with pytest.raises(ValueError, match="expected the image's"):
        Perception((4, 6), lanes, DrivableMask(np.zeros((6, 4), np.uint8)))
