# SPDX-License-Identifier: Apache-2.0
"""Confidence intervals: what is known of them exactly, in the limit, and by symmetry."""

import numpy as np
import pytest

from shared_encoder_perception.evaluation.diff.bootstrap import (
    NO_INTERVAL,
    BlockSums,
    Interval,
    interval,
    resampled_sums,
)


def groups(values, block=1, source="a"):
    sums = BlockSums(block)
    for value in values:
        sums.add(source, np.atleast_1d(value))
    return sums.groups()


def mean_interval(values, block=1):
    """Interval of the mean: sums of values over sums of ones."""
    (drawn,) = resampled_sums(groups([(value, 1.0) for value in values], block))
    return interval(drawn[:, 0] / drawn[:, 1])


def test_what_does_not_vary_is_certain():
    low, high = mean_interval([3.0] * 50)
    assert low == high == 3.0


def test_the_interval_of_a_mean_is_that_of_the_textbook():
    values = np.random.default_rng(1).normal(5.0, 2.0, 400)
    low, high = mean_interval(values)
    half = 1.96 * values.std() / 20
    assert low == pytest.approx(values.mean() - half, abs=0.15 * half)
    assert high == pytest.approx(values.mean() + half, abs=0.15 * half)


def test_the_interval_covers_the_truth_as_often_as_it_says():
    random = np.random.default_rng(2)
    covered = sum(
        low <= 0 <= high
        for low, high in (mean_interval(random.normal(size=60)) for _ in range(200))
    )
    assert 0.88 <= covered / 200 <= 0.99


def test_four_times_the_frames_halve_it():
    random = np.random.default_rng(3)
    few, many = (mean_interval(random.normal(size=count)) for count in (300, 1200))
    assert (many.high - many.low) / (few.high - few.low) == pytest.approx(0.5, rel=0.2)


def test_two_models_are_drawn_on_the_same_frames():
    hard = np.random.default_rng(4).normal(size=100) * 10
    a, b = (resampled_sums(groups(hard + change)) for change in (0.0, 0.5))
    assert np.ptp(b[0] - a[0]) < 1e-3  # what makes a frame hard is the same for both
    again = resampled_sums(groups(hard))
    assert np.array_equal(a[0], again[0])
    assert not np.array_equal(a[0], resampled_sums(groups(hard), seed=1)[0])


def test_each_source_keeps_its_number_of_frames():
    sums = BlockSums()
    for index in range(30):
        sums.add("few" if index % 5 == 0 else "many", [1.0])
    drawn = resampled_sums(sums.groups())
    assert [np.unique(one).tolist() for one in drawn] == [[6.0], [24.0]]


def test_neighbours_that_look_alike_are_drawn_together():
    walk = np.repeat(np.random.default_rng(5).normal(size=40), 10)
    one_by_one, together = mean_interval(walk), mean_interval(walk, 10)
    ratio = (together.high - together.low) / (one_by_one.high - one_by_one.low)
    assert ratio == pytest.approx(np.sqrt(10), rel=0.25)


def test_blocks_sum_up_their_frames_and_the_last_may_be_short():
    (sums,) = groups(range(7), block=3)
    assert sums.ravel().tolist() == [3.0, 12.0, 6.0]
    with pytest.raises(ValueError, match="a block is 0 frames, expected 1 or more"):
        BlockSums(0)


def test_what_cannot_be_counted_is_left_out():
    assert interval([np.nan, np.nan]) is NO_INTERVAL and not NO_INTERVAL.known
    assert interval([np.nan, 2.0, 2.0]) == Interval(2.0, 2.0)
    assert not NO_INTERVAL.excludes_zero
    assert Interval(0.1, 0.2).excludes_zero and Interval(-2, -1).excludes_zero
    assert not Interval(-0.1, 0.2).excludes_zero
