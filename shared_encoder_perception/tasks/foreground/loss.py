# SPDX-License-Identifier: Apache-2.0
"""What the foreground is taught by: one of several losses, by name, or several of them together."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import torch
from torch import Tensor, nn

from shared_encoder_perception.tasks.foreground.head import LOGITS
from shared_encoder_perception.tasks.masks.losses import (
    compared,
    dice,
    edges,
    lovasz,
    masked_bce,
    mean_error,
    ssim,
)

PARTS: Final = MappingProxyType({"foreground": MappingProxyType({"foreground_mask": 1.0})})
"""Group -> its parts and their weights."""
Term = Callable[[Tensor, Tensor, Tensor], Tensor]
LOSSES: Final[Mapping[str, Sequence[Term]]] = MappingProxyType(
    {
        "bce": (masked_bce,),
        "dice": (dice,),
        "ssim": (ssim,),
        "l1": (mean_error,),
        "lovasz": (lovasz,),
        "bce_dice": (masked_bce, dice),
        "bce_lovasz": (masked_bce, lovasz),
        "bce_dice_edges": (masked_bce, dice, edges),
    }
)
"""Name -> the terms that are summed."""


@dataclass(frozen=True)
class Config:
    """What is minimised.

    Attributes:
        foreground: A key of ``LOSSES``.
    """

    foreground: str = "bce_dice"

    def __post_init__(self) -> None:
        """Refuse a loss that nobody knows."""
        if self.foreground not in LOSSES:
            raise ValueError(
                f"loss.foreground is {self.foreground!r}, expected one of {list(LOSSES)}"
            )


def make_loss(config: Config) -> nn.Module:
    """Return the loss."""
    return ForegroundLoss(LOSSES[config.foreground])


class ForegroundLoss(nn.Module):
    """The sum of some terms."""

    def __init__(self, terms: Sequence[Term]) -> None:
        """``terms`` are a value of ``LOSSES``."""
        super().__init__()
        self._terms = tuple(terms)

    def forward(
        self, logits: Mapping[str, Tensor], targets: Mapping[str, Tensor]
    ) -> dict[str, Tensor]:
        """Compare logits with the targets of ``target.encode``, batched."""
        said, truth, where = compared(logits[LOGITS], targets)
        terms = [term(said, truth, where) for term in self._terms]
        return {"foreground_mask": torch.stack(terms).sum()}
