"""From the mask's values to what they are worth: the calibration stored in a model's spec."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

_WITHIN: Final = np.clip(np.arange(256.0), 0.25, 254.75)
VALUE_LOGITS: Final = np.log(_WITHIN / (255.0 - _WITHIN))
"""(256,) float64: logit of the probability that each mask value stands for. 0 and 255 stand for
what rounds to them, so that no pixel is certain."""


def mask_table(temperature: float, bias: float) -> NDArray[np.uint8]:
    """Return (256,) uint8: the calibrated value of each mask value, never decreasing.

    Args:
        temperature: Above 0; more than 1 makes the mask less sure.
        bias: Added to the logit; more than 0 makes more of it drivable.
    """
    return np.round(255.0 * mask_probability(temperature, bias)).astype(np.uint8)


def mask_probability(
    temperature: float | NDArray[np.float64], bias: float | NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return (..., 256) in [0, 1]: ``sigmoid(logit / temperature + bias)`` of each mask value.

    Args:
        temperature: Above 0, a number or (..., 1).
        bias: Likewise.
    """
    # tanh does not overflow.
    return 0.5 + 0.5 * np.tanh(0.5 * (VALUE_LOGITS / temperature + bias))
