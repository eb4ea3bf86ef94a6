# SPDX-License-Identifier: Apache-2.0
"""A decoder of maps of the ground: a small U of three levels (Ronneberger et al., MICCAI 2015).

Up again by adding, as in a feature pyramid, not by joining channels: at the finest grid, where most
of the arithmetic is, that halves it.
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor, nn

from shared_encoder_perception.layers.neck import conv_bn_relu, coordinates, upsample

WIDTHS: Final = (64, 96, 128)
"""Channels at one, two and four cells a step."""
KNOWN_CHANNELS: Final = 3
"""What is told beside the features: x, y, and how much of the cell's column is seen."""


class BevDecoder(nn.Module):
    """Features of the ground's cells -> features from which a 1x1 convolution can answer."""

    def __init__(self, inputs: int) -> None:
        """``inputs`` channels in, ``WIDTHS[0]`` out."""
        super().__init__()
        fine, middle, coarse = WIDTHS
        self.enter = nn.Sequential(
            conv_bn_relu(inputs + KNOWN_CHANNELS, fine), conv_bn_relu(fine, fine)
        )
        self.down = nn.ModuleList((_Down(fine, middle), _Down(middle, coarse)))
        self.bottom = nn.Sequential(conv_bn_relu(coarse, coarse), conv_bn_relu(coarse, coarse))
        self.up = nn.ModuleList((_Up(coarse, middle), _Up(middle, fine)))
        self.leave = conv_bn_relu(fine, fine)

    def forward(self, features: Tensor, seen: Tensor) -> Tensor:
        """Decode.

        Args:
            features: (R, inputs, Y, X), any Y and X.
            seen: (R, 1, Y, X), how much of what stands on the cell some camera sees, 0 to 1.

        Returns:
            (R, ``WIDTHS[0]``, Y, X).
        """
        known = torch.cat((coordinates(features), seen.to(features.dtype)), dim=1)
        levels = [self.enter(torch.cat((features, known), dim=1))]
        for down in self.down:
            levels.append(down(levels[-1]))
        merged: Tensor = self.bottom(levels.pop())
        for up in self.up:
            merged = up(merged, levels.pop())
        decoded: Tensor = self.leave(merged)
        return decoded


class _Down(nn.Module):
    """Half as many cells in both directions."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.convolve = nn.Sequential(
            nn.Conv2d(inputs, outputs, 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(inplace=True),
            conv_bn_relu(outputs, outputs),
        )

    def forward(self, features: Tensor) -> Tensor:
        halved: Tensor = self.convolve(features)
        return halved


class _Up(nn.Module):
    """As many cells as a finer level has, and what that knows."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.narrow = nn.Conv2d(inputs, outputs, 1)
        self.mix = conv_bn_relu(outputs, outputs)

    def forward(self, coarse: Tensor, fine: Tensor) -> Tensor:
        narrow, size = self.narrow(coarse), (fine.shape[-2], fine.shape[-1])
        # With an odd number of cells the coarser level reaches half a cell further.
        even = (2 * coarse.shape[-2], 2 * coarse.shape[-1])
        larger = upsample(narrow, even)[..., : size[0], : size[1]]
        mixed: Tensor = self.mix(larger + fine)
        return mixed
