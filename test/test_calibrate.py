"""Calibration of the decoder: thresholds that separate, priors from where lanes start."""

import numpy as np
import pytest

from shared_encoder_perception.spec import ModelSpec
from shared_encoder_perception.structures import LaneId
from shared_encoder_perception.training.calibrate import _best_threshold, learn_start_priors
from shared_encoder_perception.training.sample import Sample


def test_threshold_separates_right_from_wrong():
    confidence = np.array([0.7, 0.6, 0.8, 0.3, 0.2, -1.0])
    found = np.array([True, True, True, False, False, False])
    assert 0.3 < _best_threshold(confidence, found, labelled=4) <= 0.6


def test_threshold_without_a_right_one_accepts_little():
    assert _best_threshold(np.array([0.5, 0.4]), np.array([False, False]), labelled=2) >= 0.5


def samples(count, seed=0):
    rng = np.random.default_rng(seed)
    image = np.zeros((64, 160, 3), np.uint8)
    for _ in range(count):
        x = 80 + rng.normal(0, 8)
        line = np.array([[x, 60], [x, 20]], np.float32)
        yield Sample(image, dict.fromkeys(LaneId, line), None)


def test_priors_are_where_lanes_start():
    prior = learn_start_priors(ModelSpec("m", "0", input_size=(64, 160)), samples(200))[0]
    assert prior.u == pytest.approx(10, abs=0.5)
    assert prior.v == pytest.approx(7.5)
    assert prior.sigma_u == prior.sigma_v == 3.0  # the floor


def test_too_few_samples_are_no_statistics():
    with pytest.raises(ValueError, match="only 5 samples show ego"):
        learn_start_priors(ModelSpec("m", "0", input_size=(64, 160)), samples(5))


def test_mostly_wrong_lines_are_kept_out():
    """A head that is right now and then must not raise alarms for the sake of its F1."""
    confidence = np.tile([0.3, 0.5, 0.7], 30)
    wrong = np.zeros(90, bool)
    wrong[::9] = True
    assert _best_threshold(confidence, wrong, 20) == pytest.approx(0.9)
    reliable = confidence > 0.6
    assert 0.5 < _best_threshold(confidence, reliable, 40) <= 0.7
