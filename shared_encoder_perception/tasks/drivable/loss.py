# SPDX-License-Identifier: Apache-2.0
"""What the mask is taught by: cross-entropy of its pixels, and a loss of the whole region."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from torch import Tensor, nn

from shared_encoder_perception.tasks.drivable.head import LOGITS
from shared_encoder_perception.tasks.masks.losses import REGION_LOSSES, compared, masked_bce

PARTS: Final = MappingProxyType({"mask": MappingProxyType({"mask_bce": 2.0, "mask_region": 1.0})})
"""Group -> its parts and their weights, chosen so that the terms of all tasks are of the same order
after the first hundred steps."""


@dataclass(frozen=True)
class Config:
    """What is minimised.

    Attributes:
        mask_region: What the mask's cross-entropy is joined with, a key of ``REGION_LOSSES``.
    """

    mask_region: str = "dice"

    def __post_init__(self) -> None:
        """Refuse a loss that nobody knows."""
        if self.mask_region not in REGION_LOSSES:
            raise ValueError(
                f"loss.mask_region is {self.mask_region!r}, expected one of {list(REGION_LOSSES)}"
            )


def make_loss(config: Config) -> nn.Module:
    """Return the losses of all parts."""
    return MaskLoss(REGION_LOSSES[config.mask_region])


class MaskLoss(nn.Module):
    """The losses of one mask."""

    def __init__(self, region: Callable[[Tensor, Tensor, Tensor], Tensor]) -> None:
        """``region`` is a value of ``REGION_LOSSES``."""
        super().__init__()
        self._region = region

    def forward(
        self, logits: Mapping[str, Tensor], targets: Mapping[str, Tensor]
    ) -> dict[str, Tensor]:
        """Compare logits with the targets of ``target.encode``, batched."""
        said, truth, where = compared(logits[LOGITS], targets)
        return {
            "mask_bce": masked_bce(said, truth, where),
            "mask_region": self._region(said, truth, where),
        }
