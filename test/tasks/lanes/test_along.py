# SPDX-License-Identifier: Apache-2.0
"""Errors along a line: where it ends too early, where it leaves its label."""

import numpy as np
import pytest
from road_answers import LINE, SIZE, perceive

from shared_encoder_perception.tasks.lanes.answer import LaneId, LaneLine, Lanes, LaneStatus
from shared_encoder_perception.tasks.lanes.metrics.along import PARTS, AlongMetric
from shared_encoder_perception.tasks.lanes.metrics.rows import LaneMetric

WIDTH = 1280
LABEL = np.stack((np.full(50, 600.0), np.arange(700.0, 200.0, -10.0)), axis=1).astype(np.float32)


def ego(points):
    line = LaneLine(LaneId.EGO, LaneStatus.DETECTED, 0.9, points, np.ones(len(points), np.float32))
    return Lanes((line, *(LaneLine(lane) for lane in list(LaneId)[1:])))


def counted(points, label=LABEL):
    metric = AlongMetric()
    metric.update(ego(points), {LaneId.EGO: label}, WIDTH)
    return metric.compute()["ego"]


def test_a_line_on_its_label_is_right_everywhere():
    found = counted(LABEL)
    assert found["rows"] == [10.0] * PARTS
    assert found["short"] == found["beside"] == [0.0] * PARTS


def test_a_line_that_begins_late_is_short_at_the_near_end():
    assert counted(LABEL[4:])["short"] == [0.4, 0, 0, 0, 0]
    assert counted(LABEL[:-15])["short"] == [0, 0, 0, 0.5, 1.0]


def test_a_line_that_leaves_its_label_is_beside():
    bent = LABEL.copy()
    bent[45:, 0] += 60
    found = counted(bent)
    assert found["beside"] == [0, 0, 0, 0, 0.5] and not any(found["short"])


def test_together_they_are_the_rows_that_are_wrong():
    along, lanes = AlongMetric(), LaneMetric()
    for shift in (0.0, 6.0, 40.0):
        answer = perceive(shift).answers["lanes"]
        for metric in (along, lanes):
            metric.update(answer, {LaneId.EGO: LINE}, SIZE[1])
    found, whole = along.compute()["ego"], lanes.compute()["ego"]
    wrong = sum(
        rows * (short + beside)
        for rows, short, beside in zip(*(found[key] for key in found), strict=True)
        if rows
    )
    assert 1 - wrong / sum(found["rows"]) == pytest.approx(whole.valid_row_accuracy)


def test_missing_and_unknown_lanes_do_not_count_and_metrics_merge():
    one, other = AlongMetric(), AlongMetric()
    one.update(Lanes.nothing(), {LaneId.EGO: LABEL, LaneId.LEFT_EGO: None}, WIDTH)
    assert not any(one.compute()["ego"]["rows"])
    assert all(np.isnan(one.compute()["ego"]["short"]))
    for metric in (one, other):
        metric.update(ego(LABEL[4:]), {LaneId.EGO: LABEL}, WIDTH)
    other.update(ego(LABEL), {LaneId.EGO: LABEL}, WIDTH)
    one.merge(other)
    assert one.compute()["ego"]["rows"] == [30.0] * PARTS
    assert one.compute()["ego"]["short"][0] == pytest.approx(8 / 30)
