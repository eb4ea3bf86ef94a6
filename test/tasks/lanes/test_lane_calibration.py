# SPDX-License-Identifier: Apache-2.0
"""Calibration of lines: thresholds that separate, confidence that comes true."""

import numpy as np
import pytest

from shared_encoder_perception.tasks.lanes.answer import LaneId
from shared_encoder_perception.tasks.lanes.calibrate import (
    Said,
    best_threshold,
    event_weights,
    fitted,
    uncalibrated,
)
from shared_encoder_perception.tasks.lanes.spec import Block


def test_threshold_separates_right_from_wrong():
    confidence = np.array([0.7, 0.6, 0.8, 0.3, 0.2, -1.0])
    found = np.array([True, True, True, False, False, False])
    assert 0.3 < best_threshold(confidence, found, labelled=4)[0] <= 0.6


def test_threshold_without_a_right_one_accepts_little():
    assert best_threshold(np.array([0.5, 0.4]), np.array([False, False]), labelled=2)[0] >= 0.5


def test_mostly_wrong_lines_are_kept_out():
    """A head that is right now and then must not raise alarms for the sake of its F1."""
    confidence = np.tile([0.3, 0.5, 0.7], 30)
    wrong = np.zeros(90, bool)
    wrong[::9] = True
    assert best_threshold(confidence, wrong, 20)[0] == pytest.approx(0.9)
    reliable = confidence > 0.6
    assert 0.5 < best_threshold(confidence, reliable, 40)[0] <= 0.7


def test_weights_count_as_repetition():
    confidence, found = np.array([0.3, 0.5, 0.7]), np.array([True, False, True])
    weight = np.array([3.0, 1.0, 2.0])
    copies = weight.astype(int)
    repeated = np.repeat(confidence, copies), np.repeat(found, copies)
    assert best_threshold(confidence, found, 5, weight)[0] == best_threshold(*repeated, 5)[0]


def said(real, worlds, seed=0):
    """Lines of which those on real frames are right as often as they say, those on worlds never."""
    rng = np.random.default_rng(seed)
    count = real + worlds
    photograph = np.arange(count) < real
    score = rng.uniform(0, 1, (count, 5))
    right = (rng.uniform(0, 1, (count, 5)) < score) & photograph[:, None]
    known = np.ones((count, 5), bool)
    return Said(photograph, known, known, score, right)


def test_enough_real_frames_weigh_as_much_as_all_worlds():
    few, enough = said(19, 300), said(20, 300)
    assert np.all(event_weights(few, LaneId.EGO) == 1.0)
    weight = event_weights(enough, LaneId.EGO)
    assert weight[:20].sum() == pytest.approx(weight[20:].sum())
    high = [fitted(Block(), {0.3: item}).lane_calibration[0] for item in (few, enough)]
    assert high[0].probability[-1] < 0.3 < high[1].probability[-1]


def test_frames_that_never_show_a_lane_do_not_outvote_those_that_do():
    silent = said(30, 300)
    silent.present[:30, LaneId.LEFT_SPLIT_EGO] = False
    assert np.all(event_weights(silent, LaneId.LEFT_SPLIT_EGO) == 1.0)


def test_calibrated_confidence_comes_true_and_thresholds_are_on_its_scale():
    rng = np.random.default_rng(5)
    for size, most, highest in ((2000, 0.04, 0.6), (60, 0.2, 0.9)):
        score = rng.uniform(0, 1, (size, 5))
        right = rng.uniform(0, 1, score.shape) < score**3
        known = np.ones(score.shape, bool)
        found = {0.3: Said(np.zeros(size, bool), known, known, score, right)}
        block = fitted(Block(), found)
        assert block.confidence_calibrated
        new = np.linspace(0, 1, 200)
        for lane, threshold in zip(block.lane_calibration, block.lane_thresholds, strict=True):
            stated = np.interp(new, lane.score, lane.probability)
            assert np.abs(stated - new**3).mean() < most
            assert 0.1 < threshold <= highest
        raw = uncalibrated(block)
        assert raw.lane_thresholds == block.lane_thresholds
        assert (raw.lane_calibration, raw.confidence_calibrated) == ((), False)


def test_the_keypoint_threshold_that_finds_more_is_kept():
    rng = np.random.default_rng(6)
    score = rng.uniform(0.2, 1, (400, 5))
    known, worlds = np.ones(score.shape, bool), np.zeros(400, bool)
    found = {
        threshold: Said(worlds, known, known, score, rng.uniform(0, 1, score.shape) < share)
        for threshold, share in ((0.1, 0.6), (0.2, 0.95), (0.3, 0.8))
    }
    assert fitted(Block(), found).keypoint_threshold == 0.2


def test_a_few_lucky_lines_do_not_make_a_reliable_head():
    """Two of three right, by calibration one of four: it stays silent."""
    found = np.array([True, True, False])
    assert best_threshold(np.full(3, 0.25), found, 3)[0] == pytest.approx(0.9)
    assert best_threshold(np.full(3, 0.65), found, 3)[0] == pytest.approx(0.65)
