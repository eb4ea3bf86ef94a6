"""Parameters ``lanes.*`` and ``mask.*``: what counts as found."""

from __future__ import annotations

from typing import Final

from shared_encoder_perception.tasks.parameter import Parameter

MODEL_OWN: Final = -1.0
"""Threshold value that stands for what the model was shipped with."""


def _threshold(name: str, description: str) -> Parameter:
    """Build the parameter of one threshold."""
    special = (MODEL_OWN, "the model's own")
    return Parameter(name, MODEL_OWN, description, (0.0, 1.0), special, read_only=False)


PARAMETERS: Final = (
    _threshold("lanes.keypoint_threshold", "Lowest heat-map value of a lane keypoint."),
    _threshold(
        "lanes.confidence_threshold",
        "Lowest confidence of a detected lane, one value for all five lanes.",
    ),
    _threshold("mask.threshold", "Lowest probability of a drivable pixel."),
)
