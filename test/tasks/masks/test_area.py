# SPDX-License-Identifier: Apache-2.0
"""Intersection over union: limits, and what is not labelled."""

import numpy as np
import pytest

from shared_encoder_perception.tasks.masks.area import MaskMetric


def test_mask_iou_limits_and_ignore():
    metric = MaskMetric()
    truth = np.array([[255, 255, 0, 127]], np.uint8)
    metric.update(np.array([[255, 255, 0, 255]], np.uint8), truth)
    assert metric.compute().iou == 1.0
    metric.update(np.array([[0, 255, 255, 0]], np.uint8), truth)
    score = metric.compute()
    assert score.iou == pytest.approx((2 + 1) / (2 + 3))
    assert score.mean_iou == pytest.approx((1 + 1 / 3) / 2)
    assert score.below == 1
    assert score.images == 2


def test_mask_of_another_size_is_refused():
    with pytest.raises(ValueError, match="prediction is"):
        MaskMetric().update(np.zeros((2, 2), np.uint8), np.zeros((2, 3), np.uint8))
