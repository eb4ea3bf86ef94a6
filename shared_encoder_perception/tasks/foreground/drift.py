# SPDX-License-Identifier: Apache-2.0
"""How two models differ about the foreground: counts of an image, scores of their sums."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from shared_encoder_perception.structures import Crop, Size
from shared_encoder_perception.tasks.contract.comparisons import (
    LOWER,
    DriftTexts,
    Limit,
    SummedScore,
)
from shared_encoder_perception.tasks.foreground.answer import ForegroundMask
from shared_encoder_perception.tasks.foreground.metric import COLUMNS as CELLS
from shared_encoder_perception.tasks.masks import drift
from shared_encoder_perception.tasks.masks.drift import agreement_counts, answer_counts
from shared_encoder_perception.tasks.sums import share

__all__ = ["agreement_counts", "answer_counts"]

SHARES: Final = CELLS[:2]
FALSE: Final = CELLS[2]
COLUMNS: Final = (*drift.columns(SHARES), "false", "empty")
MASK: Final = "foreground"
THINGS: Final = None
TEXTS: Final = DriftTexts(
    whole="the foreground",
    faults="one minus the IoU of the foreground, or what is false of an empty pair",
    apart="one minus the IoU of the foregrounds",
)
SCORES: Final = (
    *drift.scores(MASK, *SHARES),
    SummedScore(FALSE, LOWER, share("false", "empty"), limit=Limit(0.05), place=20, glance=True),
)


def label_counts(metric: Any, full: Any, shares: Mapping[str, float]) -> dict[str, float]:
    """Take the counts from the metrics of one image; of an empty pair what is false, in percent."""
    false, empty = metric.empty.pixels.tolist()
    counts = drift.label_counts(metric, full, shares)
    return {**counts, "false": 100.0 * false, "empty": float(empty)}


def apart(
    one: ForegroundMask, other: ForegroundMask, image_size: Size, crop: Crop
) -> dict[str, float]:
    """Return one minus the IoU of the foregrounds."""
    return {MASK: drift.apart(one, other, crop)}


def words(answer: ForegroundMask) -> tuple[str, ...]:
    """Return nothing: a picture says it."""
    return ()
