# SPDX-License-Identifier: Apache-2.0
"""The gate: what lets a model through, and each thing that does not."""

import numpy as np
import pytest

from shared_encoder_perception.adapt import gate
from shared_encoder_perception.adapt.counts import DriveCounts, gain_interval

GUARD = {"val": {"mask_iou": 0.90, "lane_f1": 0.80}}


def counts(ground, sky=0.0, pictures=40, noise=0.0):
    """Return what is said of a drive of 1 m a picture, evenly but for some noise."""
    rng = np.random.default_rng(0)
    shares = np.clip(ground + rng.normal(0, noise, pictures), 0, 1)
    rows = [(round(1000 * one), 1000, round(1000 * sky), 1000) for one in shares]
    return DriveCounts(
        np.zeros(pictures, np.intp), np.arange(float(pictures)), np.array(rows, float)
    )


def verdict(after=GUARD, before=0.6, now=0.9, learned=0.95, sky=0.0):
    """Return a verdict where all is well but for what is said otherwise."""
    told = counts(learned) if np.isscalar(learned) else learned
    return gate.verdict(GUARD, after, counts(before), counts(now, sky), told)


def test_a_drive_that_gains_and_a_guard_that_stays_pass():
    found = verdict()
    assert found.passed
    assert found.ground == pytest.approx((0.6, 0.9))
    assert found.gain.low > 0.25
    assert found.to_json()["passed"] is True


@pytest.mark.parametrize(("lane_f1", "passes"), [(0.7951, True), (0.7949, False)])
def test_no_score_of_the_guard_may_fall_by_more_than_half_a_point(lane_f1, passes):
    found = verdict(after={"val": {"mask_iou": 0.95, "lane_f1": lane_f1}})
    assert found.passed is passes
    assert passes or "lane_f1 of the guard val falls from 0.8000 to 0.7949" in found.reasons[0]


def test_a_score_that_is_gone_is_a_loss():
    assert not verdict(after={"val": {"mask_iou": 0.95}}).passed
    assert not verdict(after={"val": {"mask_iou": float("nan"), "lane_f1": 0.8}}).passed


@pytest.mark.parametrize("now", [0.6, 0.604, 0.3])
def test_a_drive_that_does_not_gain_is_refused(now):
    assert "nothing is gained" in verdict(now=now).reasons[0]


def test_a_gain_that_may_be_chance_is_refused():
    before, after = counts(0.5, noise=0.2), counts(0.51)
    found = gate.verdict(GUARD, GUARD, before, after, counts(0.9))
    assert found.ground[1] > found.ground[0] + gate.GAIN or "gained" in found.reasons[0]
    assert not found.passed


def test_a_sky_that_becomes_drivable_is_refused():
    assert "far above the horizon" in verdict(sky=0.01).reasons[0]


def test_ground_that_is_denied_though_it_was_trained_on_is_refused_with_its_place():
    learned = counts(0.95)
    learned.counts[20:30, 0] = 300
    found = verdict(learned=learned)
    assert "1 of 4 stretches" in found.reasons[0]
    assert "at 20 m of drive 1: 30%" in found.reasons[0]


def test_the_interval_is_paired_what_is_hard_for_both_cancels():
    hard = np.random.default_rng(1).uniform(0.2, 0.9, 60)
    rows = np.stack((1000 * hard, np.full(60, 1000.0), np.zeros(60), np.zeros(60)), axis=1)
    before = DriveCounts(np.zeros(60, np.intp), np.arange(60.0), rows)
    after = DriveCounts(before.source, before.driven_m, rows + (20.0, 0, 0, 0))
    found = gain_interval(before, after)
    assert found.low == pytest.approx(0.02, abs=1e-6)
    assert found.high == pytest.approx(0.02, abs=1e-6)


def test_of_a_few_pictures_there_is_no_interval():
    assert not gain_interval(counts(0.5, pictures=5), counts(0.9, pictures=5)).known
