# SPDX-License-Identifier: Apache-2.0
"""Calibration error of pixels: nothing for an honest mask, the gap for one that boasts."""

import math

import numpy as np
import pytest

from shared_encoder_perception.tasks.masks.reliability import MaskReliability, mask_histogram


def test_mask_error_of_an_honest_and_of_a_boasting_mask():
    rng = np.random.default_rng(1)
    said = rng.integers(0, 256, (200, 300), np.uint8)
    truth = np.where(rng.uniform(0, 1, said.shape) < said / 255.0, 255, 0).astype(np.uint8)
    metric = MaskReliability()
    metric.update(said, truth)
    assert metric.compute()["ece"] < 0.01
    metric.reset()
    metric.update(np.full_like(said, 204), truth)
    assert metric.compute()["ece"] == pytest.approx(0.8 - (truth > 0).mean())


def test_ignored_pixels_do_not_count():
    said = np.array([[0, 255, 9]], np.uint8)
    counts = mask_histogram(said, np.array([[0, 255, 127]], np.uint8))
    assert counts.sum() == 2
    assert counts[0, 0] == counts[1, 255] == 1
    with pytest.raises(ValueError, match="prediction is"):
        mask_histogram(said, said[:, :2])


def test_nothing_said_is_not_a_number():
    scores = MaskReliability().compute()
    assert math.isnan(scores["ece"])
    assert scores["bins"] == ()
