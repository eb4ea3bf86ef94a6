# SPDX-License-Identifier: Apache-2.0
"""Errors by range: together they are the lateral error, and width tells how far a row is."""

import numpy as np
import pytest
from road_answers import LINE, SIZE, perceive

from shared_encoder_perception.tasks.lanes.answer import LaneId
from shared_encoder_perception.tasks.lanes.metrics.lateral import LateralMetric
from shared_encoder_perception.tasks.lanes.metrics.range_bins import BINS, RangeBinMetric

NEIGHBOUR = LINE + np.float32([100, 0])
WIDTH = SIZE[1]


def lines(shift):
    return perceive(shift).answers["lanes"]


def test_ranges_together_are_the_lateral_error():
    whole, parts = LateralMetric(), RangeBinMetric()
    lanes = {LaneId.EGO: LINE, LaneId.RIGHT_EGO: NEIGHBOUR}
    for shift in (0.0, 6.0, -2.0):
        whole.update(lines(shift), lanes)
        parts.update(lines(shift), lanes, WIDTH)
    scores, bins = whole.compute(), parts.compute()
    # The neighbours are 100 px of 320 apart in every row: near, all of it.
    assert bins["ego/near/error_widths"] == pytest.approx(scores["ego/error_widths"])
    assert bins["ego/near/bias_widths"] == pytest.approx(4 / 3 / 100)
    assert bins["ego/middle/rows"] == bins["ego/far/rows"] == 0
    assert np.isnan(bins["ego/far/error_widths"])
    assert bins["right_ego/near/missed"] == 1.0  # not detected
    assert np.isnan(bins["left_ego/near/missed"])


def test_a_row_is_as_far_as_its_lane_is_narrow():
    rows = np.array([170.0, 150.0, 130.0, 110.0])
    widths = np.array([0.26, 0.24, 0.11, 0.09]) * 320
    ego = np.stack((np.full(4, 160.0), rows), axis=1)
    right = ego + np.stack((widths, np.zeros(4)), axis=1)
    metric = RangeBinMetric()
    metric.update(lines(8.0), {LaneId.EGO: ego, LaneId.RIGHT_EGO: right}, WIDTH)
    found = metric.compute()
    assert [found[f"ego/{place}/rows"] for place in BINS] == [1, 2, 1]
    assert found["ego/far/error_widths"] == pytest.approx(8 / widths[3])
    assert found["ego/middle/error_widths"] == pytest.approx((8 / widths[1:3]).mean())


def test_ranges_merge():
    whole, one, other = RangeBinMetric(), RangeBinMetric(), RangeBinMetric()
    for index, metric in enumerate((one, other)):
        for target in (whole, metric):
            target.update(
                lines(3.0 * index), {LaneId.EGO: LINE, LaneId.RIGHT_EGO: NEIGHBOUR}, WIDTH
            )
    one.merge(other)
    assert one.compute() == pytest.approx(whole.compute(), nan_ok=True)
