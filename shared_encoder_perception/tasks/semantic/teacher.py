# SPDX-License-Identifier: Apache-2.0
"""Where a network is sure of classes, as a label; the rest is not labelled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from shared_encoder_perception.images.preprocess import Crop
from shared_encoder_perception.structures import Size
from shared_encoder_perception.tasks.contract.labels import Option
from shared_encoder_perception.tasks.semantic.answer import SemanticMask
from shared_encoder_perception.tasks.semantic.classes import UNLABELLED
from shared_encoder_perception.tasks.semantic.label import Label
from shared_encoder_perception.tasks.semantic.labels import inside


@dataclass(frozen=True)
class Doubt:
    """When a teacher is believed.

    Attributes:
        classes: Lowest probability of a pixel's class, 0 to 1.
    """

    classes: float = 0.8

    def __post_init__(self) -> None:
        """Refuse what is no probability."""
        if not 0 <= self.classes <= 1:
            raise ValueError(f"{self}: expected 0 <= classes <= 1")


PRE_LABELS: Final = Doubt(classes=0.0)
OPTIONS: Final = (
    Option("--classes-above", "classes", "P", "lowest probability of a pixel's class"),
)


def of_answer(
    answer: SemanticMask, doubt: Doubt, size: Size, crop: Crop, had: Label | None
) -> Label:
    """Return what the teacher saw and is sure of, with its confidence."""
    sure = answer.confidence >= 255 * doubt.classes
    ids = np.where(sure, answer.ids, np.uint8(UNLABELLED))
    return inside(Label(ids, answer.classes, answer.confidence), answer.seen(crop))
