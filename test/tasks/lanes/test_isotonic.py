# SPDX-License-Identifier: Apache-2.0
"""Isotonic regression: rising, true to the means, content with what it made itself."""

import numpy as np
import pytest

from shared_encoder_perception.tasks.lanes.isotonic import (
    MOST_KNOTS,
    fit_lane_calibration,
    pool_adjacent_violators,
)


def test_pooling_rises_keeps_the_mean_and_is_idempotent():
    rng = np.random.default_rng(0)
    for size in (1, 2, 50, 400):
        values, weights = rng.normal(size=size), rng.uniform(0.1, 3, size)
        fitted = pool_adjacent_violators(values, weights)
        assert np.all(np.diff(fitted) >= 0)
        assert np.average(fitted, weights=weights) == pytest.approx(
            np.average(values, weights=weights)
        )
        assert np.array_equal(pool_adjacent_violators(fitted, weights), fitted)


def test_what_rises_stays_and_what_falls_becomes_its_mean():
    rising = np.array([0.1, 0.1, 0.4])
    assert np.array_equal(pool_adjacent_violators(rising, np.ones(3)), rising)
    falling = pool_adjacent_violators(np.array([3.0, 1.0]), np.array([1.0, 3.0]))
    assert falling == pytest.approx([1.5, 1.5])


def test_no_other_rising_sequence_is_closer():
    """The definition, tried on many rising rivals near the answer."""
    rng = np.random.default_rng(1)
    values = rng.normal(size=8) + np.arange(8) / 4
    best = pool_adjacent_violators(values, np.ones(8))
    rivals = np.sort(best + rng.normal(0, 0.1, (500, 8)), axis=1)
    assert (((rivals - values) ** 2).sum(axis=1) >= ((best - values) ** 2).sum()).all()


def test_the_fit_recovers_how_often_lines_are_right():
    rng = np.random.default_rng(2)
    score = rng.uniform(0, 1, 4000)
    curve = fit_lane_calibration(score, rng.uniform(0, 1, 4000) < score**2)
    assert len(curve.score) <= MOST_KNOTS
    x = np.linspace(0.05, 0.95, 50)
    assert np.abs(np.interp(x, curve.score, curve.probability) - x**2).mean() < 0.03


@pytest.mark.parametrize("right", [True, False])
def test_few_events_give_no_certainty(right):
    curve = fit_lane_calibration(np.array([0.4, 0.5, 0.6]), np.full(3, right))
    assert 0.1 < min(curve.probability) <= max(curve.probability) < 0.9


def test_nothing_known_is_one_half():
    assert fit_lane_calibration(np.zeros(0), np.zeros(0, bool)).probability == (0.5,)


def test_only_relative_weights_count_and_weight_is_repetition():
    rng = np.random.default_rng(3)
    score, right = rng.uniform(0, 1, 60), rng.uniform(0, 1, 60) < 0.5
    once = fit_lane_calibration(score, right)
    assert fit_lane_calibration(score, right, np.full(60, 7.0)) == once
    heavy = np.where(right, 20.0, 1.0)
    assert np.mean(fit_lane_calibration(score, right, heavy).probability) > np.mean(
        once.probability
    )


def test_equal_scores_are_one_knot():
    curve = fit_lane_calibration(np.array([0.5, 0.5, 0.5, 0.5]), np.array([1, 0, 1, 0], bool))
    assert (curve.score, curve.probability) == ((0.5,), (0.5,))
