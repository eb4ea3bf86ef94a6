# SPDX-License-Identifier: Apache-2.0
"""What a teacher's mask teaches: its probabilities, as far as it or somebody else is sure.

Where people have labelled, they count in full beside the labels; elsewhere a probability near one
half says nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from shared_encoder_perception.tasks.drivable.head import LOGITS
from shared_encoder_perception.tasks.masks.losses import at_size, masked_bce


@dataclass(frozen=True)
class Config:
    """What a teacher adds to the loss.

    Attributes:
        mask: Weight of its mask.
    """

    mask: float = 1.0

    def __post_init__(self) -> None:
        """Refuse a weight that would reward disagreement."""
        if self.mask < 0:
            raise ValueError(f"distill.mask is {self.mask}, expected 0 or more")


def make_distill(config: Config) -> Callable[..., dict[str, Tensor]]:
    """Return the comparison of a student with its teacher."""

    def compare(
        logits: Mapping[str, Tensor], taught: Mapping[str, Tensor], targets: Mapping[str, Tensor]
    ) -> dict[str, Tensor]:
        """Return ``distill_mask``, weighted."""
        said = at_size(logits[LOGITS].float(), targets["weight"])
        probability = torch.sigmoid(at_size(taught[LOGITS], targets["weight"]))
        sure = torch.maximum(targets["weight"].float() / 255, (2 * probability - 1).abs())
        loss = masked_bce(said, probability, sure)
        return {"distill_mask": config.mask * loss}

    return compare
