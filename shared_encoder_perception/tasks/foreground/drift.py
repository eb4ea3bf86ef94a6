"""How two models differ about the foreground: counts of an image, scores of their sums."""

from __future__ import annotations

from typing import Final

from shared_encoder_perception.structures import Crop, Size
from shared_encoder_perception.tasks.contract.comparisons import DriftTexts
from shared_encoder_perception.tasks.foreground.answer import ForegroundMask
from shared_encoder_perception.tasks.foreground.metric import COLUMNS as CELLS
from shared_encoder_perception.tasks.masks import drift
from shared_encoder_perception.tasks.masks.drift import (
    agreement_counts,
    answer_counts,
    label_counts,
)

__all__ = ["agreement_counts", "answer_counts", "label_counts"]

SHARES: Final = CELLS[:2]
COLUMNS: Final = drift.columns(SHARES)
MASK: Final = "foreground"
THINGS: Final = None
TEXTS: Final = DriftTexts(
    whole="the foreground",
    faults="one minus the IoU of the foreground, or what is false of an empty pair",
    apart="one minus the IoU of the foregrounds",
)
SCORES: Final = drift.scores(MASK, *SHARES)


def apart(
    one: ForegroundMask, other: ForegroundMask, image_size: Size, crop: Crop
) -> dict[str, float]:
    """Return one minus the IoU of the foregrounds."""
    return {MASK: drift.apart(one, other, crop)}


def words(answer: ForegroundMask) -> tuple[str, ...]:
    """Return nothing: a picture says it."""
    return ()
