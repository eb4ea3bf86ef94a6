# SPDX-License-Identifier: Apache-2.0
"""Optional parts that let a cell see far: self-attention and feature aggregation."""

from __future__ import annotations

import math
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from shared_encoder_perception.layers.neck import conv_bn_relu

POINTS: Final = 7
"""Places from which the aggregation gathers, as in GANet's small variants."""
FIRST_REACH: Final = 6.0
"""Cells above and below at which the first and last of them lie before training."""
TEMPERATURE: Final = 10_000.0


class AttentionBottleneck(nn.Module):
    """Two self-attention blocks on the coarsest features (GANet, CVPR 2022, section 3).

    Each is a 3x3 convolution, attention over all cells with sine position codes, and another 3x3
    convolution. A factor that starts at zero makes it begin as plain convolutions.
    """

    def __init__(self, inputs: int, channels: int) -> None:
        """``inputs`` channels in, ``channels`` (a multiple of 4) out."""
        super().__init__()
        self.blocks = nn.Sequential(
            _AttentionBlock(inputs, channels), _AttentionBlock(channels, channels)
        )

    def forward(self, feature: Tensor) -> Tensor:
        """(N, inputs, h, w) to (N, channels, h, w)."""
        return self.blocks(feature)


class _AttentionBlock(nn.Module):
    def __init__(self, inputs: int, channels: int) -> None:
        super().__init__()
        self.before = conv_bn_relu(inputs, channels)
        self.query = nn.Conv2d(channels, channels // 4, 1)
        self.key = nn.Conv2d(channels, channels // 4, 1)
        self.value = nn.Conv2d(channels, channels, 1)
        self.gain = nn.Parameter(torch.zeros(()))
        self.after = conv_bn_relu(channels, channels)

    def forward(self, feature: Tensor) -> Tensor:
        feature = self.before(feature)
        placed = feature + position_code(feature)
        query, key, value = (
            # One head: its axis is there because ONNX's attention asks for it.
            part(placed).flatten(2).transpose(1, 2)[:, None]
            for part in (self.query, self.key, self.value)
        )
        mixed = functional.scaled_dot_product_attention(query, key, value)
        mixed = mixed[:, 0].transpose(1, 2).unflatten(2, feature.shape[-2:])
        return self.after(feature + self.gain * mixed)


def position_code(feature: Tensor) -> Tensor:
    """Sine code (1, C, H, W) of rows and columns (Vaswani et al. 2017, in two dimensions)."""
    _, channels, height, width = feature.shape
    quarter = channels // 4
    rate = torch.arange(quarter, device=feature.device, dtype=torch.float32) / quarter
    rate = torch.exp(-math.log(TEMPERATURE) * rate)[:, None]
    rows = torch.arange(height, device=feature.device, dtype=torch.float32) * rate
    columns = torch.arange(width, device=feature.device, dtype=torch.float32) * rate
    rows, columns = rows[:, :, None].expand(-1, -1, width), columns[:, None].expand(-1, height, -1)
    code = torch.cat((rows.sin(), rows.cos(), columns.sin(), columns.cos()))
    return code.to(feature.dtype)[None]


class FeatureAggregation(nn.Module):
    """Each cell gathers features from ``POINTS`` places that it chooses itself (GANet's LFA).

    Sampled with ``grid_sample``, which every engine has, instead of a deformable convolution; and
    added to the feature, so that it begins as the identity. GANet's auxiliary loss on the places,
    which matches them to label points by a Hungarian assignment on the CPU, is left out.
    """

    def __init__(self, channels: int) -> None:
        """``channels`` in and out."""
        super().__init__()
        self.places = nn.Sequential(
            conv_bn_relu(channels, channels), nn.Conv2d(channels, 2 * POINTS, 1)
        )
        self.mix = nn.Conv2d(POINTS * channels, channels, 1, bias=False)
        first = torch.zeros(POINTS, 2)
        first[:, 1] = torch.linspace(-FIRST_REACH, FIRST_REACH, POINTS)
        with torch.no_grad():
            self.places[1].weight.zero_()
            self.places[1].bias.copy_(first.flatten())
            self.mix.weight.zero_()

    def forward(self, feature: Tensor) -> Tensor:
        """(N, C, h, w) to the same."""
        height, width = feature.shape[-2:]
        # Positions in float32: bfloat16 cannot tell neighbouring cells of a wide grid apart.
        shift = self.places(feature).float().unflatten(1, (POINTS, 2)).permute(0, 1, 3, 4, 2)
        x = torch.arange(width, device=feature.device).view(1, 1, 1, width) + shift[..., 0]
        y = torch.arange(height, device=feature.device).view(1, 1, height, 1) + shift[..., 1]
        grid = torch.stack(((2 * x + 1) / width - 1, (2 * y + 1) / height - 1), dim=-1)
        sampled = functional.grid_sample(feature.float(), grid.flatten(1, 2), align_corners=False)
        gathered = sampled.unflatten(2, (POINTS, height)).transpose(1, 2).flatten(1, 2)
        return feature + self.mix(gathered.to(feature.dtype))
