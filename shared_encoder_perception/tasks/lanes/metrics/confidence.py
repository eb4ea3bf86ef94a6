# SPDX-License-Identifier: Apache-2.0
"""Reliability of lane confidence.

Every detected line of a labelled lane is a statement. It is right where the lane is there and
``line_is_right``; a line of a lane that is labelled absent, a false alarm, is wrong.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.tasks.lanes.answer import LANE_NAMES, LaneId, LaneLine, Lanes
from shared_encoder_perception.tasks.lanes.metrics.rows import (
    MATCH_ACCURACY,
    Lines,
    rows_within_tolerance,
)
from shared_encoder_perception.tasks.reliability import BINS, reliability_of


class LaneReliability:
    """Stated against true confidence of lines, pooled over images.

    Attributes:
        counts: (5, BINS, 3) by lane and bin: statements, sum of their confidence, how many are
            right.
    """

    def __init__(self) -> None:
        """Start empty."""
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        self.counts = np.zeros((len(LaneId), BINS, 3))

    def update(self, lanes: Lanes, truth: Lines, image_width: int) -> None:
        """Add the lanes of one image; arguments as of ``LaneMetric.update``."""
        for lane, points in truth.items():
            line = lanes[lane]
            if line.detected:
                right = line_is_right(line, points, image_width)
                index = min(int(line.confidence * BINS), BINS - 1)
                self.counts[lane, index] += (1.0, line.confidence, right)

    def merge(self, other: LaneReliability) -> None:
        """Add the counts of another metric."""
        self.counts += other.counts

    def compute(self) -> dict[str, Any]:
        """Return what JSON can hold.

        Returns:
            ``{"ece", "count", "bins", "each": {lane: {"ece", "count"}}}``: a ``Reliability`` of all
            lanes pooled, and of each lane.
        """
        scores = asdict(reliability_of(*self.counts.sum(axis=0).T))
        scores["each"] = {}
        for name, sums in zip(LANE_NAMES, self.counts, strict=True):
            one = reliability_of(*sums.T)
            scores["each"][name] = {"ece": one.ece, "count": one.count}
        return scores


def line_is_right(line: LaneLine, truth: NDArray | None, image_width: int) -> bool:
    """Whether the lane is there and ``MATCH_ACCURACY`` of its labelled rows are within tolerance.

    Args:
        line: The prediction.
        truth: (N, 2) labelled points, near to far; ``None`` for a lane that is not there.
        image_width: Width of the labelled image, pixels.
    """
    if truth is None:
        return False
    return bool(rows_within_tolerance(line, truth, image_width).mean() >= MATCH_ACCURACY)
