# SPDX-License-Identifier: Apache-2.0
"""Rows right: limits, symmetry, and the rules they are named after."""

import math

import numpy as np
import pytest

from shared_encoder_perception.tasks.lanes.answer import LaneId, LaneLine, Lanes, LaneStatus
from shared_encoder_perception.tasks.lanes.metrics.rows import LaneMetric, rows_within_tolerance

WIDTH = 1280
Y = np.arange(700.0, 250.0, -10.0)
TRUTH = np.stack((np.full_like(Y, 640.0), Y), axis=1)


def line(points, lane=LaneId.EGO):
    points = np.asarray(points, np.float32)
    return LaneLine(lane, LaneStatus.DETECTED, 0.9, points, np.zeros(len(points), np.float32))


def perceive(**lines):
    return Lanes(tuple(lines.get(lane.label, LaneLine(lane)) for lane in LaneId))


@pytest.mark.parametrize(("shift", "right"), [(0, 1.0), (19.9, 1.0), (-19.9, 1.0), (20.1, 0.0)])
def test_tolerance_of_an_upright_line_is_20_px(shift, right):
    assert rows_within_tolerance(line(TRUTH + (shift, 0)), TRUTH, 1280).mean() == right


def test_tolerance_is_perpendicular_and_scales_with_the_image():
    slanted = np.stack((640 + (700 - Y), Y), axis=1)
    assert rows_within_tolerance(line(slanted + (28, 0)), slanted, 1280).all()
    assert not rows_within_tolerance(line(slanted + (29, 0)), slanted, 1280).any()
    assert not rows_within_tolerance(line(TRUTH + (11, 0)), TRUTH, 640).any()


def test_rows_beyond_the_line_are_wrong():
    assert rows_within_tolerance(line(TRUTH[:20]), TRUTH, 1280).sum() == 20


def test_missing_lane_is_wrong_in_all_its_rows():
    metric = LaneMetric()
    metric.update(perceive(), {LaneId.EGO: TRUTH}, WIDTH)
    score = metric.compute()["ego"]
    assert score.valid_row_accuracy == 0.0
    assert score.recall == 0.0
    assert math.isnan(score.precision)


def test_unknown_lanes_are_not_scored_and_absent_ones_count_false_alarms():
    metric = LaneMetric()
    seen = perceive(ego=line(TRUTH), left_ego=line(TRUTH, LaneId.LEFT_EGO))
    metric.update(seen, {LaneId.LEFT_EGO: None}, WIDTH)
    scores = metric.compute()
    assert scores["ego"].labelled == scores["ego"].absent == 0
    assert math.isnan(scores["ego"].f1)
    assert scores["left_ego"].false_alarms == scores["left_ego"].absent == 1
    assert scores["left_ego"].precision == 0.0


def test_counts_are_pooled_over_images_and_reset_forgets():
    metric = LaneMetric()
    metric.update(perceive(ego=line(TRUTH)), {LaneId.EGO: TRUTH}, WIDTH)
    metric.update(perceive(ego=line(TRUTH[:20])), {LaneId.EGO: TRUTH[:40]}, WIDTH)
    score = metric.compute()["ego"]
    assert score.valid_row_accuracy == pytest.approx((45 + 20) / (45 + 40))
    assert score.f1 == pytest.approx(0.5)
    metric.reset()
    assert metric.compute()["ego"].labelled == 0


def test_over_reach_is_in_labelled_lengths():
    metric = LaneMetric()
    metric.update(perceive(ego=line(TRUTH)), {LaneId.EGO: TRUTH[:23]}, WIDTH)
    assert metric.compute()["ego"].over_reach == pytest.approx(220 / 220)
