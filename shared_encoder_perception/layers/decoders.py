# SPDX-License-Identifier: Apache-2.0
"""Decoders of the field as references: five to nine times an encoder's work, and not the default.

``PanopticFpn``: Kirillov et al., "Panoptic Feature Pyramid Networks" (CVPR 2019), in the widths
that are usual for segmentation. ``UnetDecoder``: Ronneberger et al. (MICCAI 2015), with transposed
convolutions of 4x4, whose kernel is a multiple of their stride, so that no checkerboard appears.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

GROUPS: Final = 32
"""Of the group norms."""
DROPOUT: Final = 0.2


class PanopticFpn(nn.Module):
    """Features of strides 4 to 32 into one map of stride 4."""

    def __init__(self, levels: Sequence[int], pyramid: int = 256, width: int = 128) -> None:
        """Channels: ``levels`` fine to coarse, ``pyramid`` of the sums, ``width`` of the map."""
        super().__init__()
        self.laterals = nn.ModuleList(nn.Conv2d(count, pyramid, 1) for count in levels)
        self.branches = nn.ModuleList(
            nn.Sequential(*_climb(pyramid, width, index)) for index in range(len(levels))
        )
        self.dropout = nn.Dropout2d(DROPOUT)

    def forward(self, levels: Sequence[Tensor]) -> Tensor:
        """Merge (N, C_i, H_i, W_i), fine to coarse, into (N, width, H_0, W_0)."""
        merged: Tensor | None = None
        maps = []
        pairs = list(zip(self.laterals, levels, self.branches, strict=True))
        for lateral, level, branch in reversed(pairs):
            here = lateral(level)
            if merged is not None:
                here = here + functional.interpolate(merged, here.shape[-2:], mode="nearest")
            merged = here
            maps.append(branch(here))
        size = levels[0].shape[-2:]
        total = maps[-1]
        for one in maps[:-1]:
            total = total + _at(one, size)
        return self.dropout(total)


def _climb(pyramid: int, width: int, level: int) -> list[nn.Module]:
    """Convolutions from a level up to the finest one: one, and as many as there are doublings."""
    steps: list[nn.Module] = []
    for index in range(max(level, 1)):
        steps += [
            nn.Conv2d(width if index else pyramid, width, 3, padding=1, bias=False),
            nn.GroupNorm(min(GROUPS, width), width),
            nn.ReLU(inplace=True),
        ]
        if level:
            steps.append(nn.UpsamplingBilinear2d(scale_factor=2))
    return steps


class UnetDecoder(nn.Module):
    """Features of strides 4 to 32 into one map of stride 2."""

    def __init__(self, levels: Sequence[int], width: int = 64, residual: bool = False) -> None:
        """Build it.

        Args:
            levels: Channels of the features, fine to coarse.
            width: A quarter of the map's; the coarser blocks are up to four times as wide.
            residual: With a residual block behind each of the four.
        """
        super().__init__()
        middles = (16 * width, 16 * width, 8 * width, 4 * width)
        self.outputs = (8 * width, 8 * width, 2 * width, 4 * width)
        skips = [0, *list(levels)[-2::-1]]
        inputs = [levels[-1], *self.outputs[:-1]]
        self.blocks = nn.ModuleList(
            _up_block(come + skip, middle, out)
            for come, skip, middle, out in zip(inputs, skips, middles, self.outputs, strict=True)
        )
        self.residual = nn.ModuleList(
            ResidualBlock(out) if residual else nn.Identity() for out in self.outputs
        )
        self.dropout = nn.Dropout2d(DROPOUT)

    def forward(self, levels: Sequence[Tensor]) -> Tensor:
        """Merge (N, C_i, H_i, W_i), fine to coarse, into (N, 4 * width, 2 H_0, 2 W_0)."""
        *finer, merged = levels
        skips: list[Tensor | None] = [None, *reversed(finer)]
        for block, residual, skip in zip(self.blocks, self.residual, skips, strict=True):
            if skip is not None:
                merged = torch.cat((_at(merged, skip.shape[-2:]), skip), dim=1)
            merged = residual(block(self.dropout(merged)))
        return merged


def _up_block(inputs: int, middle: int, outputs: int) -> nn.Sequential:
    """Convolution, and a transposed one that doubles the size."""
    return nn.Sequential(
        nn.Conv2d(inputs, middle, 3, padding=1),
        nn.ReLU(inplace=True),
        nn.ConvTranspose2d(middle, outputs, 4, stride=2, padding=1),
        nn.ReLU(inplace=True),
    )


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions between three batch norms, added to what came in."""

    def __init__(self, channels: int) -> None:
        """Keep ``channels``."""
        super().__init__()
        self.body = nn.Sequential(
            nn.BatchNorm2d(channels),
            nn.ReLU(),  # not in place: what came in is added below
            nn.Conv2d(channels, channels, 3, padding=1),
            nn.BatchNorm2d(channels),
            nn.ReLU(inplace=True),
            nn.Conv2d(channels, channels, 3, padding=1),
            nn.BatchNorm2d(channels),
        )

    def forward(self, feature: Tensor) -> Tensor:
        """Return (N, C, H, W) like ``feature``."""
        return feature + self.body(feature)


def _at(feature: Tensor, size: Sequence[int]) -> Tensor:
    """Resize, unless it has the size already: pictures whose sides are no multiples of 32."""
    if tuple(feature.shape[-2:]) == tuple(size):
        return feature
    return functional.interpolate(feature, tuple(size), mode="bilinear", align_corners=False)
