"""Heads: what each task reads from the shared feature map."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from shared_encoder_perception.layers.neck import conv_bn_relu
from shared_encoder_perception.structures import Size
from shared_encoder_perception.tasks.lanes.answer import LANE_NAMES
from shared_encoder_perception.tasks.lanes.spec import LANE_MAPS

BRANCHES: Final = (1, 2, 2)
"""Maps of heat, start and position, in the order of ``spec.LANE_MAPS``."""
HEAT_BIAS: Final = -2.19
"""Heat maps start near 0.1 everywhere, as in CenterNet: almost all cells are background."""


class LaneHeads(nn.Module):
    """Five independent heads of one shape, computed side by side as one grouped convolution."""

    def __init__(self, channels: int, hidden: int) -> None:
        """Each head is conv 3x3 to ``hidden``, batch norm, ReLU, conv 1x1 to five maps."""
        super().__init__()
        lanes, maps = len(LANE_NAMES), len(LANE_MAPS)
        self.hidden = conv_bn_relu(channels, lanes * hidden)
        self.maps = nn.Conv2d(lanes * hidden, lanes * maps, 1, groups=lanes)
        with torch.no_grad():
            self.maps.bias.zero_()
            self.maps.bias.view(lanes, maps)[:, 0] = HEAT_BIAS
            self.maps.bias.view(lanes, maps)[:, 3:] = 0.5  # a point's mean place in its cell

    def forward(self, shared: Tensor) -> Tensor:
        """(N, C, h, w) to (N, lanes, maps, h, w)."""
        return self.maps(self.hidden(shared)).unflatten(1, (len(LANE_NAMES), len(LANE_MAPS)))


class BranchedLaneHeads(nn.Module):
    """GANet's heads, one set per lane: heat map, start vector and position each have a branch.

    All branches read the same map, so they are computed as one convolution to their joint width.
    """

    def __init__(self, channels: int, hidden: int) -> None:
        """Each branch is conv 3x3 to ``hidden``, batch norm, ReLU, conv 1x1 to one or two maps."""
        super().__init__()
        self._hidden = hidden
        lanes = len(LANE_NAMES)
        self.hidden = conv_bn_relu(channels, lanes * len(BRANCHES) * hidden)
        self.heat, self.start, self.position = (
            nn.Conv2d(lanes * hidden, lanes * maps, 1, groups=lanes) for maps in BRANCHES
        )
        with torch.no_grad():
            for branch, bias in ((self.heat, HEAT_BIAS), (self.start, 0.0), (self.position, 0.5)):
                branch.bias.fill_(bias)

    def forward(self, feature: Tensor) -> Tensor:
        """(N, C, h, w) to (N, lanes, maps, h, w)."""
        lanes = len(LANE_NAMES)
        parts = self.hidden(feature).chunk(len(BRANCHES), dim=1)
        branches = (self.heat, self.start, self.position)
        maps = [
            branch(part).unflatten(1, (lanes, count))
            for branch, part, count in zip(branches, parts, BRANCHES, strict=True)
        ]
        return torch.cat(maps, dim=2)


class MaskDecoder(nn.Module):
    """A decoder of its own for the mask: stride 4, two convolutions, logits at stride 2."""

    def __init__(self, channels: int) -> None:
        """``channels`` of the mask's feature pyramid."""
        super().__init__()
        self.stride4 = conv_bn_relu(channels, channels)
        self.stride2 = conv_bn_relu(channels, channels // 2)
        self.logit = nn.Conv2d(channels // 2, 1, 1)

    def forward(self, stride4: Tensor, size: Size) -> Tensor:
        """(N, C, H / 4, W / 4) to logits (N, H, W) of ``size``."""
        fine = upsample(self.stride4(stride4), (size[0] // 2, size[1] // 2))
        return upsample(self.logit(self.stride2(fine)), size)[:, 0]


class MaskHead(nn.Module):
    """Shared map (stride 8) joined with the encoder's stride-4 features for sharp edges."""

    def __init__(self, channels: int, skip: int, hidden: int = 32) -> None:
        """``channels`` of the shared map, ``skip`` of the stride-4 features."""
        super().__init__()
        self.reduce = conv_bn_relu(channels, hidden)
        self.skip = nn.Conv2d(skip, hidden, 1)
        self.refine = conv_bn_relu(hidden, hidden)
        self.logit = nn.Conv2d(hidden, 1, 1)

    def forward(self, shared: Tensor, stride4: Tensor, size: Size) -> Tensor:
        """Return logits (N, H, W) of ``size``."""
        fine = upsample(self.reduce(shared), stride4.shape[-2:]) + self.skip(stride4)
        return upsample(self.logit(self.refine(fine)), size)[:, 0]


def upsample(feature: Tensor, size: Size) -> Tensor:
    """Bilinear resize to ``(height, width)``, pixel centres kept."""
    return functional.interpolate(feature, size=size, mode="bilinear", align_corners=False)
