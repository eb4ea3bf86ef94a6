# SPDX-License-Identifier: Apache-2.0
"""From a lane's raw score to what it is worth: the calibration stored in a model's spec."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.tasks.lanes.spec import LaneCalibration


def lane_probability(
    score: NDArray[np.float64], calibration: Sequence[LaneCalibration]
) -> NDArray[np.float64]:
    """Turn raw scores into probabilities.

    Args:
        score: One for each lane, (lanes,) in [0, 1]; 0 = there is no line.
        calibration: One for each lane, or none: then the scores stay as they are.

    Returns:
        (lanes,) in [0, 1]; 0 where the score is 0.
    """
    if not calibration:
        return score
    values = [
        np.interp(raw, lane.score, lane.probability)
        for raw, lane in zip(score, calibration, strict=True)
    ]
    return np.where(score > 0.0, values, 0.0)
