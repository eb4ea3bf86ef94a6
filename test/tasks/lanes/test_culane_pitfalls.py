# SPDX-License-Identifier: Apache-2.0
"""Pitfalls of CULane's metric, each with its number."""

import math

import numpy as np
import pytest
from test_culane_metric import count, upright

from shared_encoder_perception.tasks.lanes.metrics.culane import (
    CANVAS,
    CulaneMetric,
    assign,
    line_iou,
)


def test_pitfall_pairs_are_for_the_greatest_sum_not_for_the_most_above_one_half():
    """0.95 + 0.3 beats 0.6 + 0.6: one true positive where two were to be had."""
    similarity = np.array([[0.95, 0.6], [0.6, 0.3]])
    pairs = assign(similarity)
    assert sum(similarity[pair] > 0.5 for pair in pairs) == 1


def test_pitfall_without_a_true_line_f1_is_zero_and_without_predictions_precision_unknown():
    metric = CulaneMetric()
    metric.update([], [upright(5)])
    assert math.isnan(metric.compute()["precision"])
    assert metric.compute()["f1"] == metric.compute()["recall"] == 0.0


@pytest.mark.parametrize(
    "line",
    [np.zeros((0, 2)), [], upright(500)[:1], np.repeat(upright(500), 2, axis=0)],
    ids=["empty", "nothing", "one_point", "repeated_points"],
)
def test_pitfall_a_line_that_cannot_be_drawn_counts_and_finds_nothing(line):
    assert count([line], [upright(500)]) == (0, 1, 1)
    assert count([upright(500)], [line]) == (0, 1, 1)
    assert line_iou(line, upright(500)) == 0.0


def test_pitfall_what_leaves_the_canvas_is_not_there():
    assert math.isnan(line_iou(upright(5000), upright(-5000)))
    assert count([upright(5000)], [upright(5000)]) == (0, 1, 1)
    wider = (CANVAS[0], 6000)
    assert count([upright(5000)], [upright(5000)], canvas=wider) == (1, 0, 0)


def test_pitfall_length_matters_as_much_as_position():
    line = upright(500)
    assert count([line[:9]], [line]) == (1, 0, 0)
    assert count([line[:7]], [line]) == (0, 1, 1)


def test_pitfall_noise_in_dense_points_makes_the_curve_swing():
    rows = np.arange(580.0, 280.0, -1.0)
    line = upright(500, rows)
    noisy = line + np.random.default_rng(0).normal(0, 6, line.shape) * (1, 0)
    assert line_iou(noisy[::20], line) > line_iou(noisy, line) + 0.1


@pytest.mark.parametrize(
    ("options", "true"), [({}, 1), ({"line_width_px": 10}, 0), ({"match_iou": 0.7}, 0)]
)
def test_pitfall_the_tools_defaults_are_not_the_benchmark(options, true):
    assert count([upright(508)], [upright(500)], **options)[0] == true
