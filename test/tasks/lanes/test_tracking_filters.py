# SPDX-License-Identifier: Apache-2.0
"""The filters: right in the limits, as sure as they say, and quick to learn the noise."""

from dataclasses import replace

import numpy as np
import pytest
from ground_world import projector
from tracking_drives import AHEAD, DRIVES, HZ, Noise, columns, lateral, parallel, perceive, scene
from tracking_world import followed, sampled, track

from shared_encoder_perception.tasks.lanes.answer import LaneId
from shared_encoder_perception.tasks.lanes.tracking.motion import FADING_S, Motion
from shared_encoder_perception.tasks.lanes.tracking.noise import FIRST, NoiseScale, deviation
from shared_encoder_perception.tasks.lanes.tracking.road import RoadFilters, RoadLines, powers
from shared_encoder_perception.tasks.lanes.tracking.rows import RowFilters

ONE = np.zeros(1, np.int64)
STEP = np.array([1 / HZ])


def test_two_half_steps_are_one_step():
    half, whole = Motion.over(0.05), Motion.over(0.1)
    assert half.keep**2 == pytest.approx(whole.keep)
    assert half.gain * (1 + half.keep) == pytest.approx(whole.gain)
    assert half.noise_vv * (1 + half.keep**2) == pytest.approx(whole.noise_vv, rel=0.01)


@pytest.mark.parametrize("step_s", [1e-3, 1 / 30, 0.2, 1.0, 60.0])
def test_the_process_noise_is_a_covariance_and_the_velocity_fades(step_s):
    step = Motion.over(step_s)
    assert step.noise_pp * step.noise_vv > step.noise_pv**2
    assert 0.0 < step.keep < 1.0 and step.gain < FADING_S


@pytest.mark.parametrize("true", [0.3, 1.0, 5.0])
def test_the_noise_is_learnt_from_what_trembles_not_from_what_moves_evenly(true):
    rng, scale = np.random.default_rng(3), NoiseScale(1)
    values = 40.0 * np.arange(400)[:, None] / HZ + rng.normal(0, np.sqrt(true), (400, 12))
    for before, last, now in zip(values, values[1:], values[2:], strict=False):
        off = deviation(now[None], last[None], before[None], np.ones(1))
        scale.learn(ONE, off, np.ones((1, 12)), np.ones(1))
    assert scale.value[0] == pytest.approx(true, rel=0.35)


def test_one_jump_is_hardly_taken_for_noise_and_nothing_known_for_none():
    scale = NoiseScale(1)
    scale.learn(ONE, np.full((1, 12), 1e6), np.ones((1, 12)), np.ones(1))
    assert FIRST < scale.value[0] < 2 * FIRST
    before = scale.value[0]
    scale.learn(ONE, np.full((1, 12), np.nan), np.ones((1, 12)), np.ones(1))
    assert scale.value[0] == before
    scale.restart(0)
    assert scale.value[0] == FIRST


def feed_road(filters, line, std_px, step_s):
    if filters.known[0]:
        filters.predict(1 / HZ)
    filters.update(ONE, RoadLines.of([line.ground], np.array([std_px])), np.array([step_s]))


def test_a_line_that_was_off_the_road_meanwhile_is_not_taken_for_noisy():
    filters, road = RoadFilters(1, agility=1.0), scene()
    for _ in range(20):
        feed_road(filters, road.project(perceive(parallel()))[LaneId.EGO], 1.0, STEP[0])
    before = filters.noise.value[0]
    filters.skip(ONE)
    feed_road(filters, road.project(perceive(parallel(0.5)))[LaneId.EGO], 1.0, STEP[0])
    assert filters.noise.value[0] == before


@pytest.mark.parametrize("drive", ["straight", "winding"])
def test_errors_on_the_road_are_those_of_the_filters_covariance(drive):
    """Mean NEES of four values, of which 4 is expected; noise is new in every image."""
    basis, found = powers(AHEAD), []
    recording, _, _ = followed(DRIVES[drive], 1.5)
    for lane in (LaneId.EGO, LaneId.LEFT_EGO):
        filters = RoadFilters(1, agility=1.0)
        for index, seen in enumerate(recording.seen):
            line = seen[lane]
            feed_road(filters, line, line.x_std_px.mean(), 1 / HZ if index else 0.0)
            if index >= 45:
                error = basis @ filters.coefficients()[0] - recording.lateral[index, lane]
                spread = basis @ filters.covariance()[0] @ basis.T
                found.append(error @ np.linalg.solve(spread, error))
    assert 2.4 < np.mean(found) < 5.6


@pytest.mark.parametrize("std_px", [0.5, 3.0])
def test_errors_in_the_image_are_those_of_the_filters_variance(std_px):
    """Columns that move by the model's own random accelerations, seen with noise."""
    rng, count = np.random.default_rng(5), 500
    filters = RowFilters(1, (720, 1280), agility=1.0)
    size = filters.rows.shape
    speed = np.cumsum(rng.normal(0, 0.1 * 1280 / np.sqrt(HZ), (count, *size)), axis=0)
    truth = 600.0 + np.cumsum(speed, axis=0) / HZ
    seen = truth + rng.normal(0, std_px, truth.shape)
    ratios = []
    for index in range(count):
        if index:
            filters.predict(1 / HZ)
        variance = np.full((1, *size), std_px**2)
        filters.update(ONE, seen[index][None], variance, STEP * bool(index))
        ratios.append((filters.column[0] - truth[index]) ** 2 / filters.variance[0])
    assert 0.7 < np.mean(ratios[60:]) < 1.3


def test_the_covariances_stay_symmetric_and_positive_over_a_long_drive():
    rng, filters = np.random.default_rng(6), RoadFilters(1, agility=1.0)
    line = scene().project(perceive(parallel(), Noise(1.0)))[LaneId.EGO]
    for index in range(3000):
        if rng.random() < 0.8:
            feed_road(filters, line, 1.0, 1 / HZ if index else 0.0)
        else:
            filters.predict(rng.choice([1e-3, 1 / HZ, 0.5]))
        if index % 100 == 0:
            covariance = filters.covariance()[0]
            scale = np.sqrt(np.diag(covariance))
            assert np.allclose(covariance, covariance.T, rtol=1e-9, atol=0)
            assert np.linalg.eigvalsh(covariance / np.outer(scale, scale)).min() > 0


@pytest.mark.parametrize("degree", [1, 2, 3])
def test_a_polynomial_of_any_degree_is_followed_to_where_it_is(degree):
    """Of a straight road, which all of them can say."""
    road = projector(polynomial_degree=degree)
    seen = [road.project(perceive(parallel(0.3, 0.01)))] * 60
    last = track(seen)[-1][LaneId.LEFT_EGO]
    assert len(last.ground.polynomial) == 4
    assert lateral(last) == pytest.approx(3.5 - 0.3 + 0.01 * AHEAD, abs=2e-3)


def test_a_polynomial_of_too_high_a_degree_is_refused_in_words():
    line = scene().project(perceive(parallel()))[LaneId.EGO].ground
    quartic = replace(line, polynomial=np.zeros(5), covariance=np.eye(5))
    with pytest.raises(ValueError, match="5 coefficients, expected 1 to 4 for tracking"):
        RoadLines.of([quartic], np.ones(1))


@pytest.mark.parametrize("metres_per_s", [0.5, -1.0])
def test_lines_that_move_evenly_are_not_followed_late(metres_per_s):
    """Without noise, what remains is less than one millisecond of the motion."""
    seen = [scene().project(perceive(parallel(metres_per_s * i / HZ))) for i in range(75)]
    got = track(seen)
    for sample in (columns, lateral):
        off = (sampled(got, sample) - sampled(seen, sample))[45:]
        speed = np.diff(sampled(seen, sample)[45:], axis=0).mean(axis=0) * HZ
        assert np.nanmax(np.abs(off)) < 1e-3 * np.nanmax(np.abs(speed))


@pytest.mark.parametrize("std_px", [0.5, 2.0])
def test_noisy_lines_that_move_evenly_have_no_steady_error(std_px):
    """The mean error is that of the measurements within 10 ms of the motion."""
    noise, road = Noise(std_px, seed=7), scene()
    lanes = [parallel(-2.0 + 0.5 * index / HZ) for index in range(180)]
    seen = [road.project(perceive(each, noise)) for each in lanes]
    got = track(seen)
    for sample, metres_per_s in ((lateral, -0.5), (columns, None)):
        off = np.nanmean((sampled(got, sample) - sampled(seen, sample))[60:], axis=0)
        speed = metres_per_s or np.nanmean(np.diff(sampled(seen, sample), axis=0), axis=0) * HZ
        assert np.nanmax(np.abs(off / speed)) < 0.010
