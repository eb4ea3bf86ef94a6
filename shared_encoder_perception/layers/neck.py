# SPDX-License-Identifier: Apache-2.0
"""A light feature pyramid (Lin et al., CVPR 2017): strides 8, 16, 32 into one map at stride 8."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from shared_encoder_perception.structures import Size


def conv_bn_relu(inputs: int, outputs: int, kernel: int = 3) -> nn.Sequential:
    """Convolution that keeps the size, batch norm, ReLU."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


def separable_bn_relu(inputs: int, outputs: int) -> nn.Sequential:
    """Depthwise 3x3 and pointwise convolution, batch norm, ReLU (Howard et al. 2017).

    For a 3x3 convolution to many channels: an eighth of its arithmetic and less.
    """
    return nn.Sequential(
        nn.Conv2d(inputs, inputs, 3, padding=1, groups=inputs, bias=False),
        nn.BatchNorm2d(inputs),
        nn.Conv2d(inputs, outputs, 1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


class FeaturePyramid(nn.Module):
    """Top-down sum of the levels, one 3x3 convolution at the end.

    The coarsest level gets the image coordinates first: which lane is ego depends on where it is.
    """

    def __init__(self, inputs: Sequence[int], channels: int, *, light: bool = False) -> None:
        """Build it.

        Args:
            inputs: Channel counts, fine to coarse.
            channels: Of all levels, and of the result.
            light: With a separable convolution at the end, where most of the arithmetic is.
        """
        super().__init__()
        *finer, coarsest = inputs
        self.laterals = nn.ModuleList(nn.Conv2d(count, channels, 1) for count in finer)
        self.context = nn.Sequential(
            conv_bn_relu(coarsest + 2, channels, 1), conv_bn_relu(channels, channels)
        )
        self.smooth = (separable_bn_relu if light else conv_bn_relu)(channels, channels)

    def forward(self, levels: Sequence[Tensor]) -> Tensor:
        """Merge (N, C_i, H_i, W_i), fine to coarse, into (N, channels, H_0, W_0)."""
        *finer, coarsest = levels
        merged = self.context(torch.cat((coarsest, coordinates(coarsest)), dim=1))
        for lateral, level in zip(reversed(self.laterals), reversed(finer), strict=True):
            size = (level.shape[-2], level.shape[-1])
            merged = functional.interpolate(merged, **_to(merged, size), mode="nearest")
            merged = merged + lateral(level)
        return self.smooth(merged)


def coordinates(feature: Tensor) -> Tensor:
    """Two channels with column and row in [-1, 1], (N, 2, H, W) like ``feature``."""
    batch, _, height, width = feature.shape
    x = torch.linspace(-1, 1, width, dtype=feature.dtype, device=feature.device)
    y = torch.linspace(-1, 1, height, dtype=feature.dtype, device=feature.device)
    grid = torch.stack((x.expand(height, width), y[:, None].expand(height, width)))
    return grid.expand(batch, 2, height, width)


def upsample(feature: Tensor, size: Size) -> Tensor:
    """Bilinear resize to ``(height, width)``, pixel centres kept."""
    return functional.interpolate(
        feature, **_to(feature, size), mode="bilinear", align_corners=False
    )


def _to(feature: Tensor, size: Size) -> dict[str, Any]:
    """Say how ``interpolate`` gets to a size: by a whole factor where there is one.

    ONNX Runtime resizes by constant factors in the layout of its convolutions, by sizes only after
    it has brought the feature into another one and back.
    """
    height, width = feature.shape[-2:]
    factor = size[0] // height
    if factor >= 1 and size == (height * factor, width * factor):
        return {"scale_factor": float(factor)}
    return {"size": size}


def at_stride(feature: Tensor, size: Size, stride: int) -> Tensor:
    """Resize a map (N, C, h, w) to ``stride`` of an input of ``size``, unless it has that already.

    Features are coarser where the encoder saw a smaller picture.
    """
    grid = (size[0] // stride, size[1] // stride)
    return feature if tuple(feature.shape[-2:]) == grid else upsample(feature, grid)
