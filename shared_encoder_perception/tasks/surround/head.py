# SPDX-License-Identifier: Apache-2.0
"""The head of surround: features of all cameras of a rig -> what is on each cell of the ground.

The one head whose answer has another leading axis than the images: that of the rigs, as the tables
have that it takes beside them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import torch
from torch import Tensor, nn

from shared_encoder_perception.layers.bev import WIDTHS, BevDecoder
from shared_encoder_perception.layers.lift import Lift
from shared_encoder_perception.layers.neck import FeaturePyramid, at_stride
from shared_encoder_perception.rig.grid import BevGrid
from shared_encoder_perception.structures import Size
from shared_encoder_perception.tasks.contract.training import Features, Widths
from shared_encoder_perception.tasks.surround.spec import (
    INPUT_PLACE,
    INPUT_WEIGHT,
    OUTPUT_SURROUND,
    Block,
)

LOGITS: Final = "surround_logits"
"""(R, 5, Y, X): vehicle, drivable and centre before the sigmoid, offset x and y in metres."""
GROWN: Final = ("decoder.heads.surround.own.", "decoder.heads.surround.add.")
"""Weights that networks before 1.2 lack; as they begin they change nothing."""
OWN_CHANNELS: Final = 64
"""Of the pyramid that is surround's own."""
PROBABILITIES: Final = 3
RARE: Final = (-3.0, 0.0, -3.0, 0.0, 0.0)
"""Logits before anything is learned: one cell in twenty has a vehicle, and half are drivable."""


def make_head(widths: Widths, config: Any) -> nn.Module:
    """Return the same head for every architecture."""
    return SurroundHead(widths.neck, widths.levels, config.grid, config.view_stride)


def finish(logits: Mapping[str, Tensor], size: Size, block: Block) -> dict[str, Tensor]:
    """Probabilities by sigmoid; metres as they are."""
    said = logits[LOGITS].float()
    sure = torch.sigmoid(said[:, :PROBABILITIES])
    return {OUTPUT_SURROUND: torch.cat((sure, said[:, PROBABILITIES:]), dim=1)}


class SurroundHead(nn.Module):
    """Lifts the cameras' features onto the ground and decodes them there.

    The map that all tasks share was made for what single images are asked. Where the encoder's
    levels say more of the ground, beside the road and behind, a small pyramid of its own adds it.
    """

    def __init__(self, neck: int, levels: Sequence[int], grid: BevGrid, stride: int) -> None:
        """Make it.

        Args:
            neck: Channels of the map that all tasks share.
            levels: Channels of the encoder's features, fine to coarse.
            grid: The cells of the ground.
            stride: Input pixels per cell of the maps that are sampled, as the tables have it.
        """
        super().__init__()
        self._stride = stride
        self._shape, self._heights = grid.shape, len(grid.heights_m)
        self.lift = Lift(neck, WIDTHS[0], self._heights)
        self.decode = BevDecoder(WIDTHS[0])
        self.logits = nn.Conv2d(WIDTHS[0], len(RARE), 1)
        with torch.no_grad():
            self.logits.bias.copy_(torch.tensor(RARE))  # type: ignore[union-attr]
        self.own = FeaturePyramid(levels, OWN_CHANNELS, light=True)
        self.add = nn.Conv2d(OWN_CHANNELS, neck, 1)  # begins as nothing
        nn.init.zeros_(self.add.weight)
        nn.init.zeros_(self.add.bias)  # type: ignore[arg-type]

    def forward(self, features: Features) -> dict[str, Tensor]:
        """Return ``LOGITS``.

        Raises:
            ValueError: The rigs' calibration is missing, or is of another number of rigs.
        """
        place, weight = self._tables(features)
        shared = at_stride(features.neck, features.size, self._stride)
        own = at_stride(self.add(self.own(features.levels)), features.size, self._stride)
        maps = shared + own
        lifted = self.lift(maps, place, weight, self._shape)
        views = weight.sum(dim=1).reshape(-1, self._heights, *self._shape)
        return {LOGITS: self.logits(self.decode(lifted, views.mean(dim=1, keepdim=True)))}

    def _tables(self, features: Features) -> tuple[Tensor, Tensor]:
        """Return the places and weights of the rigs' views."""
        needed = (INPUT_PLACE, INPUT_WEIGHT)
        if missing := [name for name in needed if name not in features.inputs]:
            raise ValueError(
                f"the network takes {', '.join(missing)} beside the images: the view table of each "
                "rig, see rig.table"
            )
        place, weight = (features.inputs[name] for name in needed)
        rigs, images = place.shape[0], features.levels[0].shape[0]
        if rigs != 1 and images % rigs:
            raise ValueError(
                f"there are {images} images for {rigs} rigs, expected as many for each of them"
            )
        return place, weight
