# SPDX-License-Identifier: Apache-2.0
"""Intervals over seeds: Student's t against his density, and against coins that are tossed."""

import math

import numpy as np
import pytest

from shared_encoder_perception.continual.intervals import interval, paired, student_t


@pytest.mark.parametrize("freedom", [1, 2, 3, 4, 5, 8, 9, 30, 101])
@pytest.mark.parametrize("confidence", [0.5, 0.95, 0.99])
def test_between_minus_t_and_t_lies_the_confidence(freedom, confidence):
    """By the midpoint rule over the density that the distribution is defined by."""
    t = student_t(freedom, confidence)
    x = (np.arange(400_000) + 0.5) / 400_000 * t
    scale = math.lgamma((freedom + 1) / 2) - math.lgamma(freedom / 2)
    density = math.exp(scale) / math.sqrt(freedom * math.pi)
    values = density * (1 + x**2 / freedom) ** (-(freedom + 1) / 2)
    assert 2 * values.mean() * t == pytest.approx(confidence, abs=1e-6)


def test_with_many_seeds_it_is_the_normal_distributions():
    assert student_t(100_000) == pytest.approx(1.95996, abs=1e-4)


def test_the_interval_covers_the_truth_as_often_as_it_says():
    dice = np.random.default_rng(0)
    draws = dice.normal(0.3, 2.0, (4000, 3))
    hit = [abs((found := interval(row)).mean - 0.3) <= found.half for row in draws.tolist()]
    assert np.mean(hit) == pytest.approx(0.95, abs=0.012)


def test_three_seeds_by_hand():
    found = interval([0.5, 0.6, 0.7])
    assert found.mean == pytest.approx(0.6) and found.count == 3
    assert found.half == pytest.approx(4.302653 * 0.1 / math.sqrt(3), rel=1e-6)
    assert found.excludes_zero and not interval([-0.1, 0.1]).excludes_zero


def test_it_moves_and_grows_with_its_numbers():
    plain, moved = interval([1.0, 2.0, 4.0]), interval([11.0, 12.0, 14.0])
    assert moved.mean == pytest.approx(plain.mean + 10)
    assert moved.half == pytest.approx(plain.half)
    assert interval([3.0, 6.0, 12.0]).half == pytest.approx(3 * plain.half)


def test_one_seed_says_nothing_of_the_others_and_none_says_nothing():
    one, none = interval([0.5]), interval([math.nan])
    assert (one.mean, one.count) == (0.5, 1) and math.isnan(one.half)
    assert math.isnan(none.mean) and none.count == 0
    assert not one.excludes_zero and not none.excludes_zero


def test_what_a_seed_does_to_both_does_not_blur_their_difference():
    easy = {0: 0.1, 1: 0.5, 2: 0.9}
    better = {seed: value + 0.05 for seed, value in easy.items()}
    found = paired(better, easy)
    assert found.mean == pytest.approx(0.05) and found.half == pytest.approx(0, abs=1e-12)
    assert found.excludes_zero and interval(better.values()).half > 0.5
    assert paired(easy, better).mean == pytest.approx(-0.05)


def test_only_seeds_that_both_have_are_paired():
    assert paired({0: 1.0, 1: 2.0, 7: math.nan}, {1: 1.5, 2: 0.0, 7: 1.0}).count == 1


@pytest.mark.parametrize(("freedom", "confidence"), [(0, 0.95), (2, 0.0), (2, 1.0)])
def test_what_has_no_t_is_refused(freedom, confidence):
    with pytest.raises(ValueError, match="expected 1 or more, and between 0 and 1"):
        student_t(freedom, confidence)
