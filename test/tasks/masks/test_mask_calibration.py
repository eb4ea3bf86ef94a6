# SPDX-License-Identifier: Apache-2.0
"""Calibration of the mask: temperature, bias and threshold."""

import numpy as np
import pytest

from shared_encoder_perception.tasks.byte_confidence import calibrated_probability, fit_calibration
from shared_encoder_perception.tasks.masks.calibrate import (
    fit_mask_threshold,
)


@pytest.mark.parametrize(("temperature", "bias"), [(1.0, 0.0), (2.5, -0.7), (0.6, 0.4)])
def test_mask_calibration_is_recovered(temperature, bias):
    pixels = np.random.default_rng(0).integers(10, 1000, 256)
    share = calibrated_probability(temperature, bias)
    masks = {"road": np.stack((pixels * (1 - share), pixels * share)).round().astype(np.int64)}
    found = fit_calibration(masks)
    assert found == pytest.approx((temperature, bias), rel=0.01, abs=0.01)
    masks["large"] = masks["road"] * 1000
    assert fit_calibration(masks) == found
    assert fit_calibration({**masks, "empty": np.zeros((2, 256), np.int64)}) == found


def test_sources_weigh_the_same_and_extremes_stay_finite():
    sure = np.zeros((2, 256), np.int64)
    sure[1, 255] = sure[0, 0] = 100
    temperature, bias = fit_calibration({"road": sure})
    assert temperature < 1.0 and abs(bias) < 0.1
    assert fit_calibration({"road": sure[::-1]})[0] == 10.0
    drivable = np.zeros((2, 256), np.int64)
    drivable[1, 128] = 10**6
    small = np.zeros_like(drivable)
    small[0, 128] = 10
    _, bias = fit_calibration({"a": drivable, "b": small})
    assert bias == pytest.approx(0.0, abs=0.05)
    assert fit_calibration({}) == (1.0, 0.0)


def test_the_mask_threshold_has_the_best_iou():
    rng = np.random.default_rng(7)
    values = np.arange(256)
    masks = {
        "road": (np.stack((255 - values, values)) * rng.integers(5, 50, 256)),
        "street": (np.stack((255 - values, 2 * values)) * rng.integers(5, 50, 256)),
    }

    def iou(counts, value):
        said = values >= value
        return counts[1, said].sum() / (counts[1].sum() + counts[0, said].sum())

    mean = np.array([np.mean([iou(m, v) for m in masks.values()]) for v in range(1, 255)])
    for temperature, bias in ((1.0, 0.0), (2.0, -0.5)):
        threshold = fit_mask_threshold(masks, temperature, bias)
        value = int(np.argmin(np.abs(calibrated_probability(temperature, bias) - threshold)))
        assert mean[value - 1] >= mean.max() - 1e-3
        assert threshold < 0.5 or bias == 0.0  # the IoU forgives what is added to a large road
    assert fit_mask_threshold({}, 1.0, 0.0) == 0.5
