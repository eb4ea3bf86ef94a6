# SPDX-License-Identifier: Apache-2.0
"""How two models differ about the drivable surface: counts of an image, scores of their sums."""

from __future__ import annotations

from typing import Final

from shared_encoder_perception.structures import Crop, Size
from shared_encoder_perception.tasks.contract.comparisons import DriftTexts
from shared_encoder_perception.tasks.drivable.answer import DrivableMask
from shared_encoder_perception.tasks.masks import drift
from shared_encoder_perception.tasks.masks.drift import (
    agreement_counts,
    answer_counts,
    label_counts,
)

__all__ = ["agreement_counts", "answer_counts", "label_counts"]

SHARES: Final = ("mask_iou", "boundary_f")
COLUMNS: Final = drift.columns(SHARES)
MASK: Final = "mask"
THINGS: Final = None
TEXTS: Final = DriftTexts(
    whole="the mask",
    faults="one minus the IoU of the mask",
    apart="one minus the IoU of the masks",
)
SCORES: Final = drift.scores(MASK, *SHARES)


def apart(one: DrivableMask, other: DrivableMask, image_size: Size, crop: Crop) -> dict[str, float]:
    """Return one minus the IoU of the masks."""
    return {MASK: drift.apart(one, other, crop)}


def words(answer: DrivableMask) -> tuple[str, ...]:
    """Return nothing: a picture says it."""
    return ()
