# SPDX-License-Identifier: Apache-2.0
"""What the map of the ground is taught by; docs/surround_losses.md says why.

After Harley et al., "Simple-BEV" (ICRA 2023): cross-entropy of vehicles with a weight for the few
cells that have one (2.13, of Philion and Fidler, "Lift, Splat, Shoot", ECCV 2020), the squared
error of the centres balanced between bumps and the rest, the absolute error of the offsets where
vehicles are. Added: where one may drive, as the other tasks learn areas. Cells of which nothing is
known cost nothing in any of them. Ground that something hides can only be guessed: where it counts
as much as what is in plain view, most of what is to be learned of the drivable surface is noise.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from shared_encoder_perception.layers.shared_count import divisor
from shared_encoder_perception.rig.ground_map import NOT_KNOWN, YES
from shared_encoder_perception.tasks.masks.losses import dice, masked_bce
from shared_encoder_perception.tasks.surround.head import LOGITS

PARTS: Final = MappingProxyType(
    {
        "surround_vehicle": MappingProxyType({"vehicle": 1.0}),
        "surround_drivable": MappingProxyType({"drivable_bev": 1.0}),
        "surround_centre": MappingProxyType({"centre": 1.0}),
        "surround_offset": MappingProxyType({"offset": 1.0}),
    }
)
"""Group -> its parts and their weights: each of its own, so that weightings can balance them."""
BUMP: Final = 0.5
"""Truth of the centre above which a cell belongs to a bump."""


@dataclass(frozen=True)
class Config:
    """What is minimised.

    Attributes:
        surround_positive: Weight of a cell with a vehicle against one without.
        surround_vehicle: What the vehicles' cross-entropy is multiplied by; 10 in the original.
        surround_drivable: What the loss of the drivable surface is multiplied by.
        surround_hidden: Weight in it of a cell whose ground something hides against one in plain
            view, up to 1; 0 for not at all.
    """

    surround_positive: float = 2.13
    surround_vehicle: float = 10.0
    surround_drivable: float = 1.0
    surround_hidden: float = 1.0

    def __post_init__(self) -> None:
        """Refuse weights that teach nothing or the contrary."""
        for name in ("surround_positive", "surround_vehicle", "surround_drivable"):
            if not 0 < (weight := getattr(self, name)) < float("inf"):
                raise ValueError(f"loss.{name} is {weight}, expected a number above 0")
        if not 0 <= self.surround_hidden <= 1:
            raise ValueError(f"loss.surround_hidden is {self.surround_hidden}, expected 0 to 1")


def make_loss(config: Config) -> nn.Module:
    """Return the losses of all parts."""
    return SurroundLoss(config)


class SurroundLoss(nn.Module):
    """The losses of one map of the ground."""

    def __init__(self, config: Config) -> None:
        """Keep the weights."""
        super().__init__()
        self._config = config

    def forward(
        self, logits: Mapping[str, Tensor], targets: Mapping[str, Tensor]
    ) -> dict[str, Tensor]:
        """Compare logits with the targets of ``target.encode``, batched."""
        said = logits[LOGITS].float()
        vehicle, drivable = targets["surround_vehicle"], targets["surround_drivable"]
        known, there = vehicle != NOT_KNOWN, vehicle == YES
        area, where = (drivable == YES).float(), (drivable != NOT_KNOWN).float()
        where = where * (
            1 - (1 - self._config.surround_hidden) * targets["surround_hidden"].float()
        )
        ground = masked_bce(said[:, 1], area, where) + dice(said[:, 1], area, where)
        found = positive_bce(said[:, 0], there, known, self._config.surround_positive)
        return {
            "vehicle": self._config.surround_vehicle * found,
            "drivable_bev": self._config.surround_drivable * ground,
            "centre": balanced_error(
                torch.sigmoid(said[:, 2]), targets["surround_centre"].float(), known
            ),
            "offset": way_error(said[:, 3:], targets["surround_offset"].float(), there),
        }


def positive_bce(logits: Tensor, truth: Tensor, known: Tensor, positive: float) -> Tensor:
    """Mean binary cross-entropy over the cells that are known, all (R, Y, X).

    ``positive`` is the weight of those that are true; the divisor counts each cell once.
    """
    weight = logits.new_tensor(positive)
    loss = functional.binary_cross_entropy_with_logits(
        logits, truth.float(), reduction="none", pos_weight=weight
    )
    return (loss * known).sum() / divisor(known.sum())


def balanced_error(said: Tensor, truth: Tensor, known: Tensor) -> Tensor:
    """Half the mean squared error over bumps, half that over the rest; all (R, Y, X)."""
    square = (said - truth).square()
    bump = known & (truth > BUMP)
    rest = known & ~bump
    parts = [(square * cells).sum() / divisor(cells.sum()) for cells in (bump, rest)]
    return torch.stack(parts).mean()


def way_error(said: Tensor, truth: Tensor, there: Tensor) -> Tensor:
    """Mean over the cells ``there`` (R, Y, X) of |dx| + |dy| of (R, 2, Y, X), metres."""
    apart = (said - truth).abs().sum(dim=1)
    return (apart * there).sum() / divisor(there.sum())
