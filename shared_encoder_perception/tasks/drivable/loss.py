"""What the mask is taught by: cross-entropy of its pixels, and a loss of the whole region."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from shared_encoder_perception.layers.neck import upsample
from shared_encoder_perception.layers.shared_count import divisor
from shared_encoder_perception.tasks.drivable.head import LOGITS
from shared_encoder_perception.tasks.drivable.labels import MASK_DRIVABLE

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
        said = at_size(logits[LOGITS].float(), targets["mask"])
        truth = (targets["mask"] == MASK_DRIVABLE).float()
        where = targets["weight"].float() / 255
        return {
            "mask_bce": masked_bce(said, truth, where),
            "mask_region": self._region(said, truth, where),
        }


def at_size(logits: Tensor, like: Tensor) -> Tensor:
    """Resize (N, h, w) to the size of another (N, H, W), as answers are for the image."""
    if logits.shape[-2:] == like.shape[-2:]:
        return logits
    return upsample(logits[:, None], (like.shape[-2], like.shape[-1]))[:, 0]


def masked_bce(logits: Tensor, target: Tensor, where: Tensor) -> Tensor:
    """Mean binary cross-entropy over the pixels, weighted by ``where``; all (N, H, W)."""
    loss = functional.binary_cross_entropy_with_logits(logits, target, reduction="none")
    return (loss * where).sum() / divisor(where.sum())


def dice(logits: Tensor, target: Tensor, where: Tensor) -> Tensor:
    """Soft Dice loss (Milletari et al. 2016), mean over images with a label.

    Pixels are weighted by ``where``, all (N, H, W).
    """
    p = torch.sigmoid(logits) * where
    overlap = (p * target).sum(dim=(1, 2))
    size = (p + target * where).sum(dim=(1, 2))
    labelled = where.flatten(1).any(dim=1)
    each = (1 - (2 * overlap + 1) / (size + 1)) * labelled
    return each.sum() / divisor(labelled.sum())


def lovasz(logits: Tensor, target: Tensor, where: Tensor) -> Tensor:
    """Lovász hinge (Berman et al. 2018, algorithm 1), mean over labelled images.

    It has no weights: pixels count where ``where`` is above 0.
    """
    where = where > 0
    total = logits.sum() * 0.0
    for image_logits, image_target, image_where in zip(logits, target, where, strict=True):
        truth = image_target[image_where]
        errors, order = (1 - image_logits[image_where] * (2 * truth - 1)).sort(descending=True)
        if len(errors):
            total = total + functional.relu(errors) @ _lovasz_gradient(truth[order])
    return total / divisor(where.flatten(1).any(dim=1).sum())


def _lovasz_gradient(truth: Tensor) -> Tensor:
    """Change of the Jaccard loss with each error, errors sorted from worst to least."""
    drivable = truth.sum()
    jaccard = 1 - (drivable - truth.cumsum(0)) / (drivable + (1 - truth).cumsum(0))
    return torch.cat((jaccard[:1], jaccard.diff()))


REGION_LOSSES: Final = MappingProxyType({"dice": dice, "lovasz": lovasz})
"""What the mask's cross-entropy is joined with."""
