# SPDX-License-Identifier: Apache-2.0
"""Where a network is sure of the drivable surface, as a label; in between is ignored."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.images.preprocess import Crop
from shared_encoder_perception.structures import Size
from shared_encoder_perception.tasks.contract.labels import Option
from shared_encoder_perception.tasks.drivable.answer import DrivableMask
from shared_encoder_perception.tasks.drivable.labels import Label, inside
from shared_encoder_perception.tasks.masks.values import NO, NOT_KNOWN, YES


@dataclass(frozen=True)
class Doubt:
    """When a teacher is believed.

    Attributes:
        drivable: Lowest probability that becomes drivable, 0 to 1.
        not_drivable: Highest probability that becomes not drivable.
    """

    drivable: float = 0.9
    not_drivable: float = 0.05

    def __post_init__(self) -> None:
        """Refuse what labels everything, or nothing."""
        if not 0 <= self.not_drivable < self.drivable <= 1:
            raise ValueError(f"{self}: expected 0 <= not_drivable < drivable <= 1")


PRE_LABELS: Final = Doubt(drivable=0.6, not_drivable=0.4)
OPTIONS: Final = (
    Option("--drivable-above", "drivable", "P", "lowest probability that becomes drivable"),
    Option(
        "--not-drivable-below",
        "not_drivable",
        "P",
        "highest probability that becomes not drivable; in between is ignored",
    ),
)


def of_answer(
    answer: DrivableMask, doubt: Doubt, size: Size, crop: Crop, had: Label | None
) -> Label:
    """Return what the teacher saw and is sure of, with its confidence."""
    probability = answer.probability
    sure = Label(sure_mask(probability, doubt), mask_confidence(probability))
    return inside(sure, answer.seen(crop))


def sure_mask(probability: NDArray[np.uint8], doubt: Doubt) -> NDArray[np.uint8]:
    """Turn probabilities into a mask: 255, 0 and, in between, 127.

    Args:
        probability: (H, W) uint8, 0 to 255 for a probability of 0 to 1.
        doubt: When the teacher is believed.
    """
    mask = np.full(probability.shape, NOT_KNOWN, np.uint8)
    mask[probability >= 255 * doubt.drivable] = YES
    mask[probability <= 255 * doubt.not_drivable] = NO
    return mask


def mask_confidence(probability: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return how sure probabilities p are, (H, W) uint8: ``255 * |2p - 1|``."""
    return np.abs(2 * probability.astype(np.int16) - 255).astype(np.uint8)
