# SPDX-License-Identifier: Apache-2.0
"""What the projection of lanes is told by its own parameters ``ground.*``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

CURVE, INDEPENDENT = "curve", "independent"
"""Values of ``ground.pixel_errors``."""

OFF, PITCH, PITCH_HEIGHT = "off", "pitch", "pitch_height"
"""Values of ``ground.correction``."""


@dataclass(frozen=True)
class RoadOptions:
    """Values of the lanes' parameters ``ground.*``, by the same names; see there what they mean."""

    max_range_m: float = 100.0
    polynomial_degree: int = 3
    pixel_std_px: float = 2.0
    pixel_errors: str = CURVE
    correction: str = OFF
    correction_limit_deg: float = 2.0
    lane_width_m: float = 3.5


def road_options(value: Callable[[str], Any]) -> RoadOptions:
    """Take the options from the node's parameters; ``value`` returns the one of a name."""
    return RoadOptions(
        **{field.name: value(f"ground.{field.name}") for field in fields(RoadOptions)}
    )
