# SPDX-License-Identifier: Apache-2.0
"""What the classes are taught by: cross-entropy of their cells, and a loss of whole regions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from shared_encoder_perception.layers.shared_count import divisor, shared_count
from shared_encoder_perception.tasks.semantic.classes import UNLABELLED
from shared_encoder_perception.tasks.semantic.head import LOGITS

PARTS: Final = MappingProxyType(
    {"semantic": MappingProxyType({"class_ce": 1.0, "class_region": 0.5})}
)
WEIGHTS: Final = ("none", "inverse_log")
REGIONS: Final = ("none", "dice")
INVERSE_LOG: Final = 1.02
"""Paszke et al. (ENet, 2016): the weight of a class with a share p is 1 / ln(1.02 + p)."""


@dataclass(frozen=True)
class Config:
    """What is minimised.

    Attributes:
        class_weights: How much a class counts: ``none`` for its cells' number, ``inverse_log`` for
            more the rarer it is in the batch (at most 50 times).
        class_region: What the cross-entropy is joined with: ``dice``, or ``none``.
    """

    class_weights: str = "none"
    class_region: str = "dice"

    def __post_init__(self) -> None:
        """Refuse what nobody knows."""
        for name, known in (("class_weights", WEIGHTS), ("class_region", REGIONS)):
            if (said := getattr(self, name)) not in known:
                raise ValueError(f"loss.{name} is {said!r}, expected one of {list(known)}")


def make_loss(config: Config) -> nn.Module:
    """Return the losses of all parts."""
    return ClassLoss(config)


class ClassLoss(nn.Module):
    """The losses of one map of classes."""

    def __init__(self, config: Config) -> None:
        """Keep the config."""
        super().__init__()
        self._config = config

    def forward(
        self, logits: Mapping[str, Tensor], targets: Mapping[str, Tensor]
    ) -> dict[str, Tensor]:
        """Compare logits with the targets of ``target.encode``, batched."""
        said = logits[LOGITS].float()
        ids, weight = on_grid(targets, said)
        counted = weight
        if self._config.class_weights == "inverse_log":
            counted = weight * rarity(ids, weight, said.shape[1])[ids]
        region = dice(said, ids, weight) if self._config.class_region == "dice" else said.sum() * 0
        return {"class_ce": cross_entropy(said, ids, counted), "class_region": region}


def on_grid(targets: Mapping[str, Tensor], logits: Tensor) -> tuple[Tensor, Tensor]:
    """Take the targets at the middle of each cell: what the answer says of all its pixels.

    Returns:
        (N, h, w) ids, 0 where nothing is labelled, and weights from 0 to 1, which are 0 there.
    """
    size = logits.shape[-2:]
    planes = [
        functional.interpolate(targets[name][:, None].float(), size, mode="nearest-exact")[:, 0]
        for name in ("ids", "class_weight")
    ]
    ids = planes[0].long()
    known = ids != UNLABELLED
    return ids * known, planes[1] / 255 * known


def rarity(ids: Tensor, weight: Tensor, classes: int) -> Tensor:
    """Return (classes,) weights by the share of each class in the batch, of all processes."""
    counts = weight.new_zeros(classes).index_add(0, ids.flatten(), weight.flatten())
    counts = shared_count(counts)
    return 1 / torch.log(INVERSE_LOG + counts / counts.sum().clamp(min=1e-6))


def cross_entropy(logits: Tensor, ids: Tensor, weight: Tensor) -> Tensor:
    """Mean over the cells, weighted; logits (N, C, h, w), the others (N, h, w)."""
    each = functional.cross_entropy(logits, ids, reduction="none")
    return (each * weight).sum() / divisor(weight.sum())


def dice(logits: Tensor, ids: Tensor, weight: Tensor) -> Tensor:
    """Soft Dice loss (Milletari et al. 2016) of each class that is labelled, their mean.

    Sums run over the images of the batch.
    """
    probability = torch.softmax(logits, dim=1) * weight[:, None]
    truth = functional.one_hot(ids, logits.shape[1]).movedim(-1, 1) * weight[:, None]
    overlap, said, there = (
        part.sum(dim=(0, 2, 3)) for part in (probability * truth, probability, truth)
    )
    labelled = there > 0
    each = (1 - (2 * overlap + 1) / (said + there + 1)) * labelled
    return each.sum() / divisor(labelled.sum())
