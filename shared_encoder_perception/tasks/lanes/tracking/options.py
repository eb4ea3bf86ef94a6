# SPDX-License-Identifier: Apache-2.0
"""What the tracker is told by the parameters ``tracking.*``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any


@dataclass(frozen=True)
class TrackingOptions:
    """Values of the parameters ``tracking.*``, by the same names; see there for what they mean."""

    enabled: bool = False
    on_confidence: float = 0.5
    off_confidence: float = 0.3
    max_coasting_s: float = 0.5
    reset_gap_s: float = 1.0
    gate_m: float = 1.2
    agility: float = 1.0
    pixel_std_px: float = 2.0

    def __post_init__(self) -> None:
        """Refuse a hysteresis that is upside down."""
        if self.off_confidence > self.on_confidence:
            raise ValueError(
                f"tracking.off_confidence is {self.off_confidence:g}, expected at most "
                f"tracking.on_confidence, which is {self.on_confidence:g}"
            )

    def decode_thresholds(self, own: tuple[float, ...]) -> tuple[float, ...]:
        """Return the lanes' thresholds for the decoder while tracking.

        What the decoder rejects has no points: a track could be kept by it no longer.

        Args:
            own: Those that hold without tracking.
        """
        return tuple(min(one, self.off_confidence) for one in own) if self.enabled else own


def tracking_options(value: Callable[[str], Any]) -> TrackingOptions:
    """Take the options from the node's parameters.

    Args:
        value: Returns the value of the parameter of a name.

    Raises:
        ValueError: Two parameters contradict each other.
    """
    return TrackingOptions(
        **{field.name: value(f"tracking.{field.name}") for field in fields(TrackingOptions)}
    )
