# SPDX-License-Identifier: Apache-2.0
"""The lanes' block: what it refuses, and what the network is to give."""

import pytest

from shared_encoder_perception.spec import SpecError, Tensor
from shared_encoder_perception.tasks.lanes.answer import LANE_NAMES
from shared_encoder_perception.tasks.lanes.spec import Block, LaneCalibration, StartPrior

KNOTS = LaneCalibration((0.1, 0.4), (0.0, 0.5))


def lane(score=(0.1, 0.4), probability=(0.0, 0.5)):
    return LaneCalibration(score, probability)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"lane_names": ("ego",)}, "lane_names"),
        ({"lane_names": LANE_NAMES[::-1]}, "lane_names"),
        ({"lane_maps": ("hm",)}, "lane_maps"),
        ({"stride": 7}, "stride is 7, expected 4, 8, 16 or 32"),
        ({"keypoint_threshold": 1.0}, "keypoint_threshold"),
        ({"lane_thresholds": (0.5,)}, "5 numbers"),
        ({"lane_thresholds": (0.5,) * 4 + (1.5,)}, "5 numbers from 0 to 1"),
        ({"start_priors": (StartPrior(1.0, 1.0, 1.0, 1.0),)}, "none or 5"),
        ({"lane_calibration": (KNOTS,)}, "none or 5"),
        ({"confidence_calibrated": True}, "False without a lane_calibration"),
    ],
)
def test_a_bad_block_is_refused(changes, message):
    with pytest.raises(SpecError, match=message):
        Block(**changes)


@pytest.mark.parametrize(
    ("knots", "message"),
    [
        ({"score": ()}, "equally many"),
        ({"score": (), "probability": ()}, "at least one"),
        ({"score": (0.1, 0.2, 0.3)}, "equally many"),
        ({"score": (0.2, 0.2)}, "score is .* increasing"),
        ({"probability": (0.5, 0.4)}, "probability is .* increasing"),
        ({"probability": (0.5, 1.1)}, "from 0 to 1"),
        ({"score": (-0.1, 0.4)}, "from 0 to 1"),
    ],
)
def test_a_bad_calibration_is_refused(knots, message):
    with pytest.raises(SpecError, match=message):
        lane(**knots)


def test_a_calibrated_block_says_so():
    assert Block(lane_calibration=(KNOTS,) * 5, confidence_calibrated=True).confidence_calibrated
    assert lane(probability=(0.5, 0.5)).probability == (0.5, 0.5)


@pytest.mark.parametrize(("stride", "rows", "columns"), [(8, 40, 100), (4, 80, 200)])
def test_there_are_five_maps_of_each_lane_and_nothing_but_the_image_is_needed(
    stride, rows, columns
):
    block = Block(stride=stride)
    assert block.outputs((320, 800)) == {"lanes": Tensor("float32", (5, 5, rows, columns))}
    assert block.inputs((320, 800)) == {}
