# SPDX-License-Identifier: Apache-2.0
"""What a teacher's lane maps teach.

Where people have labelled, a teacher's heat maps count in full beside the labels. Where nobody has,
it is believed as far as it is sure: its positives are usually right, but a lane that it does not
see is not thereby absent.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor
from torch.nn import functional

from shared_encoder_perception.layers.shared_count import shared_count
from shared_encoder_perception.tasks.lanes.head import LOGITS
from shared_encoder_perception.tasks.lanes.loss import TYPICAL_CELLS, masked_l1

SEEN: Final = 0.3
"""Heat from which a teacher's vectors are learned: elsewhere nobody taught it any."""
FOCUS: Final = 2.0
"""Exponent of the quality focal loss; 2 in the paper."""


@dataclass(frozen=True)
class Config:
    """What a teacher adds to the loss.

    Attributes:
        heat: Weight of its heat maps.
        vectors: Weight of its start vectors and positions.
    """

    heat: float = 1.0
    vectors: float = 0.5

    def __post_init__(self) -> None:
        """Refuse weights that would reward disagreement."""
        for name, weight in vars(self).items():
            if weight < 0:
                raise ValueError(f"distill.{name} is {weight}, expected 0 or more")


def make_distill(config: Config) -> Callable[..., dict[str, Tensor]]:
    """Return the comparison of a student with its teacher."""

    def compare(
        logits: Mapping[str, Tensor], taught: Mapping[str, Tensor], targets: Mapping[str, Tensor]
    ) -> dict[str, Tensor]:
        """Return ``distill_heat`` and ``distill_vectors``, weighted.

        Raises:
            ValueError: The teacher answers on another grid.
        """
        lanes, teacher = logits[LOGITS].float(), taught[LOGITS]
        if lanes.shape != teacher.shape:
            (own, its) = ("x".join(map(str, one.shape[-2:])) for one in (lanes, teacher))
            raise ValueError(
                f"the teacher answers lanes on a grid of {its} cells, the student on {own}: it was "
                "made for another one. Take a teacher of a network.architecture with the student's "
                "grid, or let it label pictures instead (dataset label --model)"
            )
        heat = torch.sigmoid(teacher[:, :, 0])
        believed = torch.maximum(targets["known"], heat.amax(dim=(2, 3)))[..., None, None]
        where = heat * (heat >= SEEN)
        vectors = masked_l1(lanes[:, :, 1:3], teacher[:, :, 1:3], where) + masked_l1(
            lanes[:, :, 3:], teacher[:, :, 3:], where
        )
        return {
            "distill_heat": config.heat * soft_heat_loss(lanes[:, :, 0], heat, believed),
            "distill_vectors": config.vectors * vectors,
        }

    return compare


def soft_heat_loss(logits: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Quality focal loss (Li et al. 2020, eq. 5) of each head, mean over heads.

    It is least where the student says exactly the target, and cells of which that is nearly true
    count little, so that the many empty ones do not drown the lane.

    Args:
        logits: (N, 5, h, w) before the sigmoid.
        target: Same shape, [0, 1].
        weight: Broadcasts to it, [0, 1].
    """
    entropy = functional.binary_cross_entropy_with_logits(logits, target, reduction="none")
    # Above the entropy of the target itself, which no student can go below.
    entropy = (
        entropy + torch.special.xlogy(target, target) + torch.special.xlogy(1 - target, 1 - target)
    )
    focus = (target - torch.sigmoid(logits)).abs() ** FOCUS
    heads = shared_count(torch.tensor(float(target.shape[0] * target.shape[1])).to(target))
    return (focus * entropy * weight).sum() / (heads * TYPICAL_CELLS)
