# SPDX-License-Identifier: Apache-2.0
"""Calibration error of lines: nothing for an honest forecaster, the gap for one that boasts."""

import math

import numpy as np
import pytest

from shared_encoder_perception.tasks.lanes.answer import LaneId, LaneLine, Lanes, LaneStatus
from shared_encoder_perception.tasks.lanes.metrics.confidence import LaneReliability, line_is_right
from shared_encoder_perception.tasks.reliability import BINS

WIDTH = 80
TRUTH = np.stack((np.full(10, 40.0), np.arange(55.0, 5.0, -5.0)), axis=1).astype(np.float32)
FAR_OFF = TRUTH + np.float32([30, 0])


def say(confidence, lane=LaneId.EGO, detected=True):
    line = LaneLine(lane, confidence=confidence)
    if detected:
        std = np.zeros(len(TRUTH), np.float32)
        line = LaneLine(lane, LaneStatus.DETECTED, confidence, TRUTH, std)
    return Lanes(tuple(line if other is lane else LaneLine(other) for other in LaneId))


def forecast(confidences, rights):
    """A metric that has seen these lines."""
    metric = LaneReliability()
    for confidence, right in zip(confidences, rights, strict=True):
        metric.update(say(float(confidence)), {LaneId.EGO: TRUTH if right else FAR_OFF}, WIDTH)
    return metric


def test_an_honest_forecaster_has_no_error():
    rng = np.random.default_rng(0)
    stated = rng.uniform(0, 1, 3000)
    lanes = forecast(stated, rng.uniform(0, 1, 3000) < stated).compute()
    assert lanes["ece"] < 0.04
    assert lanes["count"] == sum(count for count, _, _ in lanes["bins"]) == 3000
    assert len(lanes["bins"]) == BINS


def test_one_that_boasts_has_the_gap():
    lanes = forecast([0.9] * 10, [True] * 4 + [False] * 6).compute()
    assert lanes["ece"] == pytest.approx(0.9 - 0.4)
    assert lanes["bins"] == (pytest.approx((10, 0.9, 0.4)),)
    assert lanes["each"]["ego"] == {"ece": lanes["ece"], "count": 10}


def test_certainty_falls_into_the_last_bin():
    assert forecast([1.0, 0.0], [True, False]).compute()["ece"] == 0.0


def test_false_alarms_are_wrong_and_silence_says_nothing():
    metric = LaneReliability()
    metric.update(say(0.8), {LaneId.EGO: None}, WIDTH)
    assert metric.compute()["ece"] == pytest.approx(0.8)
    metric.update(say(0.3, detected=False), {LaneId.EGO: None, LaneId.LEFT_EGO: TRUTH}, WIDTH)
    metric.update(say(0.3), {LaneId.LEFT_EGO: None}, WIDTH)  # whether ego is there is not known
    assert metric.compute()["count"] == 1


def test_errors_of_lanes_do_not_cancel_within_a_lane_but_are_pooled_over_them():
    metric = LaneReliability()
    metric.update(say(0.5), {LaneId.EGO: TRUTH}, WIDTH)
    metric.update(say(0.5, LaneId.LEFT_EGO), {LaneId.LEFT_EGO: None}, WIDTH)
    lanes = metric.compute()
    assert lanes["each"]["ego"]["ece"] == lanes["each"]["left_ego"]["ece"] == 0.5
    assert lanes["ece"] == 0.0


def test_nothing_said_is_not_a_number():
    scores = LaneReliability().compute()
    assert math.isnan(scores["ece"])
    assert scores["bins"] == ()


def test_right_is_the_lane_metrics_right():
    line = say(0.5)[LaneId.EGO]
    assert line_is_right(line, TRUTH, 1280)
    assert not line_is_right(line, TRUTH + np.float32([21, 0]), 1280)
    assert not line_is_right(line, None, 1280)
