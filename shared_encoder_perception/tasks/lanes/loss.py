# SPDX-License-Identifier: Apache-2.0
"""What the lanes' heads are taught by: focal loss of the heat maps, distances of the vectors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from shared_encoder_perception.layers.shared_count import divisor, shared_count
from shared_encoder_perception.tasks.lanes.answer import LaneId
from shared_encoder_perception.tasks.lanes.head import LOGITS

PARTS: Final = MappingProxyType(
    {
        "heat": MappingProxyType({"heat": 1.0}),
        "position": MappingProxyType({"position": 1.0}),
        "start": MappingProxyType({"start": 2.0}),
    }
)
"""Group -> its parts and their weights, chosen so that the terms of all tasks are of the same order
after the first hundred steps."""

TYPICAL_CELLS: Final = 40.0
"""Cells of an average lane. A head's heat-map loss is divided by this and the number of images that
label the lane, not by the lanes that happen to be there: a head without a positive in the batch
keeps its negatives, and none of them is silent."""


@dataclass(frozen=True)
class Config:
    """What is minimised.

    Attributes:
        split_heat: Weight of the split lanes' heat maps relative to the others': few images show
            one, so that their heads hear of a lane seldom.
    """

    split_heat: float = 1.0

    def __post_init__(self) -> None:
        """Refuse a weight that would silence heads."""
        if not self.split_heat > 0:
            raise ValueError(f"loss.split_heat is {self.split_heat}, not > 0")


def make_loss(config: Config) -> nn.Module:
    """Return the losses of all parts."""
    return LaneLoss(config.split_heat)


class LaneLoss(nn.Module):
    """The losses of five heads."""

    def __init__(self, split_heat: float = 1.0) -> None:
        """``split_heat`` as in ``Config``."""
        super().__init__()
        heads = [split_heat if lane.is_split else 1.0 for lane in LaneId]
        self.register_buffer("heads", torch.tensor(heads), persistent=False)

    def forward(
        self, logits: Mapping[str, Tensor], targets: Mapping[str, Tensor]
    ) -> dict[str, Tensor]:
        """Compare logits with the targets of ``target.encode``, batched."""
        lanes, maps = logits[LOGITS].float(), targets["maps"]
        grid = lanes.new_tensor((lanes.shape[-1], lanes.shape[-2])).view(1, 1, 2, 1, 1)
        where = targets["supervised"] * targets["known"][..., None, None]
        return {
            "heat": heat_loss(lanes[:, :, 0], maps[:, :, 0], targets["known"], self.heads),
            "position": masked_l1(lanes[:, :, 3:], maps[:, :, 3:], where),
            "start": masked_l1(lanes[:, :, 1:3], maps[:, :, 1:3] / grid, where),
        }


def heat_loss(logits: Tensor, target: Tensor, known: Tensor, heads: Tensor | None = None) -> Tensor:
    """Focal loss of each head, normalised per head, mean over the heads that anybody labelled.

    Args:
        logits: (N, 5, h, w) before the sigmoid.
        target: Same shape, [0, 1], exactly 1 on keypoints.
        known: (N, 5) weights from 0 to 1; an unknown head, 0, costs nothing.
        heads: (5,) weights of the heads; ``None`` for 1.
    """
    cost = (focal(logits, target) * known[..., None, None]).sum(dim=(0, 2, 3))
    images = shared_count(known.sum(dim=0))
    per_head = cost / (images.clamp(min=1e-6) * TYPICAL_CELLS)
    if heads is not None:
        per_head = per_head * heads
    return per_head.sum() / (images > 0).sum().clamp(min=1)


def focal(logits: Tensor, target: Tensor, gamma: float = 2.0, beta: float = 4.0) -> Tensor:
    """Penalty-reduced focal loss per cell (CornerNet, Law & Deng 2018, eq. 1).

    Args:
        logits: Any shape, before the sigmoid.
        target: Same shape, [0, 1], exactly 1 on keypoints.
        gamma: How much easy cells are discounted; 0 leaves the cross-entropy.
        beta: How much cells near a keypoint are.
    """
    log_p, log_not_p = functional.logsigmoid(logits), functional.logsigmoid(-logits)
    p = log_p.exp()
    negative = -((1 - target) ** beta) * p**gamma * log_not_p
    return torch.where(target >= 1.0, -((1 - p) ** gamma) * log_p, negative)


def masked_l1(prediction: Tensor, target: Tensor, where: Tensor) -> Tensor:
    """Mean over cells of the summed |dx| + |dy|, weighted by ``where`` (N, 5, h, w).

    Prediction and target are (N, 5, 2, h, w).
    """
    distance = (prediction - target).abs().sum(dim=2)
    return (distance * where).sum() / divisor(where.sum())
