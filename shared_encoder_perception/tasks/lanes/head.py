# SPDX-License-Identifier: Apache-2.0
"""The lanes' heads: features on a grid of stride 8 -> five maps for each lane."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import torch
from torch import Tensor, nn

from shared_encoder_perception.layers.context import FeatureAggregation
from shared_encoder_perception.layers.neck import at_stride, conv_bn_relu, separable_bn_relu
from shared_encoder_perception.structures import Size
from shared_encoder_perception.tasks.contract.training import Features, Widths
from shared_encoder_perception.tasks.lanes.answer import LANE_NAMES
from shared_encoder_perception.tasks.lanes.spec import FINEST, LANE_MAPS, OUTPUT_LANES, Block

LOGITS: Final = "lane_logits"
"""(N, 5, 5, rows, columns) in the order of ``spec.LANE_MAPS``: the heat map before its sigmoid, the
vector to the start in units of the grid's width and height, the position in cells."""
STRIDE: Final = 8
"""Input pixels per cell of the maps, where no grid is given; as ``Block.stride`` has it."""
BRANCHES: Final = (1, 2, 2)
"""Maps of heat, start and position, in the order of ``spec.LANE_MAPS``."""
HEAT_BIAS: Final = -2.19
"""Heat maps start near 0.1 everywhere, as in CenterNet: almost all cells are background."""
FORMERLY: Final = {
    "decoder.lanes.": "decoder.heads.lanes.",
    "decoder.aggregation.": "decoder.heads.lanes.aggregation.",
    "decoder.lane_neck.": "decoder.necks.lanes.",
}
"""Beginnings of the names that weights had while architectures knew the tasks -> those of today."""


def make_head(widths: Widths, config: Any) -> nn.Module:
    """Return light heads on a pyramid that is shared, those of GANet on one of their own."""
    if widths.stride is not None:
        hidden = separable_bn_relu(widths.neck, 2 * config.head_channels)
        return LaneHeads(hidden, 2 * config.head_channels, 1, config, widths)
    if widths.shared:
        count = len(LANE_NAMES) * config.head_channels
        return LaneHeads(conv_bn_relu(widths.neck, count), count, len(LANE_NAMES), config, widths)
    return BranchedLaneHeads(widths.neck, config.head_channels, config.aggregation)


def finish(logits: Mapping[str, Tensor], size: Size, block: Block) -> dict[str, Tensor]:
    """Heat map by sigmoid, start vectors from grid units to cells. (N, 5, 5, h, w) both."""
    lanes = logits[LOGITS].float()
    heat, start, position = lanes.split(BRANCHES, dim=2)
    grid = start.new_tensor((lanes.shape[-1], lanes.shape[-2])).view(1, 1, 2, 1, 1)
    return {OUTPUT_LANES: torch.cat((torch.sigmoid(heat), start * grid, position), dim=2)}


class LaneHeads(nn.Module):
    """The maps of five lanes, computed side by side as one convolution."""

    def __init__(
        self, hidden: nn.Module, width: int, groups: int, config: Any, widths: Widths
    ) -> None:
        """All heads are ``hidden``, conv 1x1 to five maps each.

        Args:
            hidden: From the neck to ``width`` channels.
            width: Of all heads together.
            groups: Parts of ``hidden`` that the heads read: each its own, or all of them the whole.
                Engines are slow at groups of five outputs: on a fine grid a narrow map that all
                read costs less than what lies between a wide one and its groups.
            config: ``NetworkConfig``.
            widths: Of what it stands on.
        """
        super().__init__()
        lanes, maps = len(LANE_NAMES), len(LANE_MAPS)
        self._stride = max(widths.stride or STRIDE, FINEST)
        self.aggregation = FeatureAggregation(widths.neck) if config.aggregation else nn.Identity()
        self.hidden = hidden
        self.maps = nn.Conv2d(width, lanes * maps, 1, groups=groups)
        with torch.no_grad():
            self.maps.bias.zero_()
            self.maps.bias.view(lanes, maps)[:, 0] = HEAT_BIAS
            self.maps.bias.view(lanes, maps)[:, 3:] = 0.5  # a point's mean place in its cell

    def forward(self, features: Features) -> dict[str, Tensor]:
        """Return ``LOGITS``."""
        grid = self.aggregation(at_stride(features.neck, features.size, self._stride))
        maps = self.maps(self.hidden(grid))
        return {LOGITS: maps.unflatten(1, (len(LANE_NAMES), len(LANE_MAPS)))}


class BranchedLaneHeads(nn.Module):
    """GANet's heads, one set per lane: heat map, start vector and position each have a branch.

    All branches read the same map, so they are computed as one convolution to their joint width.
    """

    def __init__(self, channels: int, hidden: int, aggregation: bool) -> None:
        """Each branch is conv 3x3 to ``hidden``, batch norm, ReLU, conv 1x1 to one or two maps."""
        super().__init__()
        lanes = len(LANE_NAMES)
        self.aggregation = FeatureAggregation(channels) if aggregation else nn.Identity()
        self.hidden = conv_bn_relu(channels, lanes * len(BRANCHES) * hidden)
        self.heat, self.start, self.position = (
            nn.Conv2d(lanes * hidden, lanes * maps, 1, groups=lanes) for maps in BRANCHES
        )
        with torch.no_grad():
            for branch, bias in ((self.heat, HEAT_BIAS), (self.start, 0.0), (self.position, 0.5)):
                branch.bias.fill_(bias)

    def forward(self, features: Features) -> dict[str, Tensor]:
        """Return ``LOGITS``."""
        grid = self.aggregation(at_stride(features.neck, features.size, STRIDE))
        parts = self.hidden(grid).chunk(len(BRANCHES), dim=1)
        branches = (self.heat, self.start, self.position)
        maps = [
            branch(part).unflatten(1, (len(LANE_NAMES), count))
            for branch, part, count in zip(branches, parts, BRANCHES, strict=True)
        ]
        return {LOGITS: torch.cat(maps, dim=2)}
