# SPDX-License-Identifier: Apache-2.0
"""Probabilities of one byte, and what they are worth: fitted, and stored in a model's spec.

Temperature scaling as of Guo et al. (ICML 2017), with a bias as of Platt.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

_WITHIN: Final = np.clip(np.arange(256.0), 0.25, 254.75)
VALUE_LOGITS: Final = np.log(_WITHIN / (255.0 - _WITHIN))
"""(256,) float64: logit of the probability that each value stands for. 0 and 255 stand for
what rounds to them, so that no pixel is certain."""
TEMPERATURES: Final = (0.1, 10.0)
MOST_BIAS: Final = 10.0
"""Bounds of what is fitted, far beyond what a trained network needs."""
PRIOR_PIXELS: Final = 1e-4
"""Share of the pixels that come true as they are, at every value: a perfect answer is no reason for
infinite confidence."""


def calibrated_table(temperature: float, bias: float) -> NDArray[np.uint8]:
    """Return (256,) uint8: the calibrated value of each value, never decreasing.

    Args:
        temperature: Above 0; more than 1 makes it less sure.
        bias: Added to the logit; more than 0 makes more of it probable.
    """
    return np.round(255.0 * calibrated_probability(temperature, bias)).astype(np.uint8)


def calibrated_probability(
    temperature: float | NDArray[np.float64], bias: float | NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return (..., 256) in [0, 1]: ``sigmoid(logit / temperature + bias)`` of each value.

    Args:
        temperature: Above 0, a number or (..., 1).
        bias: Likewise.
    """
    # tanh does not overflow.
    return 0.5 + 0.5 * np.tanh(0.5 * (VALUE_LOGITS / temperature + bias))


def fit_calibration(said: Mapping[str, NDArray[np.int64]]) -> tuple[float, float]:
    """Fit temperature and bias by the log loss of pixels, each source weighing the same.

    At each temperature the best bias is the one whose mean probability is the share that came true.

    Args:
        said: Of each source, (2, 256) pixels of which it did not come true, and did, by the value.

    Returns:
        Temperature and bias; 1 and 0 without a labelled pixel.
    """
    shares = [counts / counts.sum() for counts in said.values() if counts.sum()]
    if not shares:
        return 1.0, 0.0
    stated = calibrated_probability(1.0, 0.0)
    histogram = np.mean(shares, axis=0) + PRIOR_PIXELS / 256 * np.stack((1.0 - stated, stated))
    weight, true = histogram.sum(axis=0), float(histogram[1].sum())
    low, high = np.log(TEMPERATURES)
    for _ in range(3):
        grid = np.exp(np.linspace(low, high, 65))[:, None]
        below, above = np.full_like(grid, -MOST_BIAS), np.full_like(grid, MOST_BIAS)
        for _ in range(40):
            bias = (below + above) / 2.0
            less = (calibrated_probability(grid, bias) * weight).sum(axis=1, keepdims=True) < true
            below, above = np.where(less, bias, below), np.where(less, above, bias)
        logit = VALUE_LOGITS / grid + bias
        loss = histogram[0] * np.logaddexp(0.0, logit) + histogram[1] * np.logaddexp(0.0, -logit)
        best = int(np.argmin(loss.sum(axis=1)))
        step = (high - low) / 64.0
        low, high = np.log(grid[best, 0]) + np.array((-step, step))
    temperature = float(np.clip(grid[best, 0], *TEMPERATURES))
    return round(temperature, 4), round(float(bias[best, 0]), 4)
