# SPDX-License-Identifier: Apache-2.0
"""Lanes that a network is sure of, as labels.

What it finds is usually right, what it does not find may be there: a lane without an answer is
unknown, not absent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from shared_encoder_perception.images.preprocess import Crop
from shared_encoder_perception.structures import Size
from shared_encoder_perception.tasks.contract.labels import Option
from shared_encoder_perception.tasks.lanes.answer import LaneId, Lanes
from shared_encoder_perception.tasks.lanes.labels import Label

LEAST_CONFIDENCE: Final = 0.001
"""Of a lane that becomes a label: a set keeps three decimals, and a weight of 0 is none."""


@dataclass(frozen=True)
class Doubt:
    """When a teacher is believed.

    Attributes:
        lane: Lowest confidence of a lane that becomes a label, 0 to 1.
    """

    lane: float = 0.6

    def __post_init__(self) -> None:
        """Refuse what is no probability."""
        if not 0 <= self.lane <= 1:
            raise ValueError(f"{self}: expected lane from 0 to 1")

    @property
    def least(self) -> float:
        """Lowest confidence of a lane that becomes a label, above 0."""
        return max(self.lane, LEAST_CONFIDENCE)


PRE_LABELS: Final = Doubt(lane=0.0)
OPTIONS: Final = (
    Option("--lane", "lane", "P", "lowest confidence of a lane that becomes a label"),
)


def of_answer(
    answer: Lanes, doubt: Doubt, size: Size, crop: Crop, had: Label | None
) -> Label | None:
    """Return the lanes that the teacher is sure of, with its confidence; boundaries are kept."""
    height, width = size
    corner = np.array((width - 1, height - 1), np.float32)
    sure = [line for line in answer if line.detected and line.confidence >= doubt.least]
    if not sure:
        return None
    return Label(
        {line.lane_id: np.clip(line.points_px, 0, corner) for line in sure},
        {line.lane_id: line.confidence for line in sure},
        had.boundaries if had else (),
    )


def names(label: Label) -> Sequence[str]:
    """Return the names of the lanes that are labelled."""
    return [LaneId(lane).label for lane in label.lines]
