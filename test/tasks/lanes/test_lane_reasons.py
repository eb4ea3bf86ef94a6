# SPDX-License-Identifier: Apache-2.0
"""When lanes are worth labelling."""

import pytest

from shared_encoder_perception.images.preprocess import Crop
from shared_encoder_perception.tasks.lanes.answer import LaneId, LaneLine, Lanes
from shared_encoder_perception.tasks.lanes.reasons import UNSURE_LANE, reasons

CROP = Crop(0, 0, 800, 320)


def unsure_lane(*confidences):
    """The reason of lanes that carry no points, as sure as this."""
    lines = (LaneLine(lane, confidence=c) for lane, c in zip(LaneId, confidences, strict=True))
    return reasons(Lanes(tuple(lines)), CROP)[UNSURE_LANE]


def test_a_coins_toss_is_the_least_sure():
    assert unsure_lane(0, 1, 0.5, 1, 0) == (1.0, "right_ego 0.50")
    assert unsure_lane(0, 1, 0, 1, 0)[0] == 0.0
    one, other = (unsure_lane(p, 1, 0, 1, 0)[0] for p in (0.2, 0.8))
    assert one == pytest.approx(other)
