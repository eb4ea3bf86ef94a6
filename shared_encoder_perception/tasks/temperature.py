# SPDX-License-Identifier: Apache-2.0
"""Temperature and bias of a calibrated probability, as blocks of a ModelSpec hold them."""

from __future__ import annotations

from typing import Final

from shared_encoder_perception.spec import expect

MOST_TEMPERATURE: Final = 1e4
MOST_BIAS: Final = 1e4
"""Beyond them the same is said everywhere, or float32 overflows: no calibration ends there."""


def expect_temperature(name: str, temperature: float, bias: float) -> None:
    """Refuse a calibration that a decoder could not honour.

    Args:
        name: What the keys of the block begin with: ``NAME_temperature`` and ``NAME_bias``.
        temperature: A probability p becomes ``sigmoid(logit(p) / temperature + bias)``.
        bias: As above.

    Raises:
        ValueError: As ``spec.expect`` does.
    """
    expect(
        1.0 / MOST_TEMPERATURE <= temperature <= MOST_TEMPERATURE,
        f"{name}_temperature",
        temperature,
        f"a number above 0, from {1.0 / MOST_TEMPERATURE:g} to {MOST_TEMPERATURE:g}",
    )
    expect(
        abs(bias) <= MOST_BIAS,
        f"{name}_bias",
        bias,
        f"a number from -{MOST_BIAS:g} to {MOST_BIAS:g}",
    )
