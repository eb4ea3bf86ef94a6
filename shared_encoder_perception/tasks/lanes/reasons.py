# SPDX-License-Identifier: Apache-2.0
"""When lanes are worth labelling."""

from __future__ import annotations

from typing import Final

from shared_encoder_perception.images.preprocess import Crop
from shared_encoder_perception.tasks.contract.comparisons import Reason
from shared_encoder_perception.tasks.lanes.answer import Lanes

UNSURE_LANE: Final = "unsure_lane"
REASONS: Final = {UNSURE_LANE: "the model does not know whether a lane is there"}
NOTHING: Final = "no lane"


def reasons(answer: Lanes, crop: Crop) -> dict[str, Reason]:
    """Return how unsure the model is of a lane.

    ``4 p (1 - p)`` of the confidence p nearest to one half: 1 for a coin's toss, 0 for certainty.
    The confidence of a calibrated model is a probability, so this is the variance of "the line is
    right", up to its scale.
    """
    line = max(answer, key=lambda line: line.confidence * (1 - line.confidence))
    score = 4 * line.confidence * (1 - line.confidence)
    return {UNSURE_LANE: Reason(score, f"{line.lane_id.label} {line.confidence:.2f}")}


def planes(answer: Lanes, crop: Crop) -> tuple[()]:
    """Return nothing: what lanes look like the image shows."""
    return ()
