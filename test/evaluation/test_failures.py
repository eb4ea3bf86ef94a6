# SPDX-License-Identifier: Apache-2.0
"""The worst frames: which they are, and what their pictures show."""

import numpy as np
import pytest
from road_answers import CROP, LINE, SIZE, perceive, sample
from samples import sample_of

from shared_encoder_perception.evaluation.failures import WorstFrames, how_bad
from shared_encoder_perception.tasks.lanes.answer import LaneId


def labelled(lanes, mask=None):
    return sample_of(np.zeros((*SIZE, 3), np.uint8), lanes, mask)


def test_a_faultless_frame_is_not_bad():
    assert how_bad(perceive(), sample(), CROP) == 0.0


@pytest.mark.parametrize(
    ("lanes", "badness"),
    [
        ({LaneId.EGO: None}, 1.0),  # a false alarm
        ({LaneId.RIGHT_EGO: LINE}, 1.0),  # missed
        ({LaneId.EGO: LINE + np.float32([100, 0])}, 1.0),  # beside it
        ({LaneId.EGO: None, LaneId.RIGHT_EGO: LINE}, 2.0),
        ({}, 0.0),
    ],
)
def test_lane_faults_add_up(lanes, badness):
    assert how_bad(perceive(), labelled(lanes), CROP) == pytest.approx(badness)


def test_the_mask_counts_inside_the_crop_and_where_it_is_labelled():
    half = np.full(SIZE, 255, np.uint8)
    half[: 52 + 64] = 0  # inside the crop, the upper half
    assert how_bad(perceive(), labelled({}, half), CROP) == pytest.approx(0.5)
    half[: 52 + 64] = 127
    assert how_bad(perceive(), labelled({}, half), CROP) == 0.0


def test_only_the_worst_are_kept_worst_first():
    worst = WorstFrames((64, 160), kept=2)
    for shift in (0.0, 100.0, 6.0, 100.0, 0.0):
        worst.update("road", perceive(shift), sample(), CROP)
    worst.update("clean", perceive(), sample(), CROP)
    kept = sorted(badness for badness, *_ in worst._worst["road"])
    assert len(kept) == 2
    assert kept == pytest.approx([1.0, 1.0])
    assert not worst._worst["clean"]
    sheet = worst.sheet()
    assert sheet.dtype == np.uint8
    assert sheet.shape[0] < 2 * sheet.shape[1]


def test_without_faults_there_is_nothing_to_draw():
    worst = WorstFrames((64, 160))
    worst.update("road", perceive(), sample(), CROP)
    with pytest.raises(ValueError, match="no frame has a fault"):
        worst.sheet()
