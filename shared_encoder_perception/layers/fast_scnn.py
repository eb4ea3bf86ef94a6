# SPDX-License-Identifier: Apache-2.0
"""Fast-SCNN's parts (Poudel, Liwicki and Cipolla, BMVC 2019): a network for fast training.

``FastScnnEncoder`` is what its table 1 has down to the pyramid pooling, ``FastScnnDecoder`` the
fusion of both branches and the classifier without its last convolution. The pooling's bins, and
how wide they are, the paper leaves to PSPNet (Zhao et al., CVPR 2017): 1, 2, 3 and 6, a quarter
each. Its dropout and its two auxiliary losses are left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from shared_encoder_perception.layers.bottleneck import Bottleneck, depthwise, pointwise
from shared_encoder_perception.layers.neck import conv_bn_relu, separable_bn_relu, upsample

STAGE_BLOCKS: Final = 3
BINS: Final = (1, 2, 3, 6)
"""Rows, and columns, of what the pyramid pooling averages to."""
FINE: Final = 1
"""Of the levels at strides 4 to 32, the one that is fused with the coarsest."""
FUSED_REACH: Final = 4
"""Dilation of the convolution on the coarse branch: as much as that was enlarged."""


class FastScnnEncoder(nn.Module):
    """Normalised images to features at strides 4, 8, 16 and 32; pooled pyramids in the last."""

    channels: ClassVar = (48, 64, 64, 128)

    def __init__(self) -> None:
        """Build it; it has no sizes to choose."""
        super().__init__()
        fine, shared, middle, coarse = self.channels
        self.stem = nn.Sequential(
            nn.Conv2d(3, 32, 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(32),
            nn.ReLU(inplace=True),
            *halving_separable(32, fine),
        )
        self.shared = halving_separable(fine, shared)
        self.middle = _stage(shared, middle, 2)
        self.coarse = nn.Sequential(_stage(middle, 96, 2), _stage(96, coarse, 1))
        self.pooling = PyramidPooling(coarse)

    def forward(self, images: Tensor) -> list[Tensor]:
        """(N, 3, H, W) to (N, ``channels[i]``, H / s, W / s), s of 4, 8, 16, 32."""
        fine = self.stem(images)
        shared = self.shared(fine)
        middle = self.middle(shared)
        return [fine, shared, middle, self.pooling(self.coarse(middle))]


class FastScnnDecoder(nn.Module):
    """Features of strides 8 and 32 into one map of stride 8, one convolution before an answer."""

    def __init__(self, levels: Sequence[int], width: int = 128) -> None:
        """Channels: ``levels`` at strides 4 to 32, ``width`` of the map."""
        super().__init__()
        coarse = levels[-1]
        self.low = nn.Sequential(
            *depthwise(coarse, 1, FUSED_REACH), nn.ReLU(inplace=True), *pointwise(coarse, width)
        )
        self.high = pointwise(levels[FINE], width)
        self.after = nn.ReLU(inplace=True)
        self.classify = nn.Sequential(
            separable_bn_relu(width, width), separable_bn_relu(width, width)
        )

    def forward(self, levels: Sequence[Tensor]) -> Tensor:
        """Merge (N, C_i, H / s, W / s), s of 4 to 32, into (N, width, H / 8, W / 8)."""
        fine, coarse = levels[FINE], levels[-1]
        low = upsample(coarse, (fine.shape[-2], fine.shape[-1]))
        fused: Tensor = self.classify(self.after(self.low(low) + self.high(fine)))
        return fused


class PyramidPooling(nn.Module):
    """Means of the whole picture and of parts of it beside each cell (PSPNet).

    Without batch norm on the means, which PSPNet has: that of a picture is one number for each
    channel, whose spread over a small batch is noise, and over a single image nothing.
    """

    def __init__(self, channels: int) -> None:
        """``channels`` in and out, a multiple of 4."""
        super().__init__()
        quarter = channels // len(BINS)
        self.parts = nn.ModuleList(nn.Conv2d(channels, quarter, 1) for _ in BINS)
        self.join = conv_bn_relu(channels + len(BINS) * quarter, channels, 1)

    def forward(self, feature: Tensor) -> Tensor:
        """(N, C, h, w) to the same."""
        size = (feature.shape[-2], feature.shape[-1])
        pooled = [
            upsample(functional.relu(part(means(feature, bins))), size)
            for part, bins in zip(self.parts, BINS, strict=True)
        ]
        joined: Tensor = self.join(torch.cat((feature, *pooled), dim=1))
        return joined


def means(feature: Tensor, bins: int) -> Tensor:
    """Average (N, C, h, w) to (N, C, bins, bins), as ``adaptive_avg_pool2d`` does.

    By two products with matrices, which every engine has; an adaptive pooling is exported only
    where ``bins`` divides both sides.
    """
    height, width = feature.shape[-2:]
    rows, columns = (_parts_of(side, bins, feature) for side in (height, width))
    return rows @ feature @ columns.transpose(0, 1)


def _parts_of(side: int, bins: int, like: Tensor) -> Tensor:
    """Return (bins, side), weights of the cells that lie in each part; parts may share a cell."""
    number = torch.arange(bins, device=like.device)[:, None]
    first = number * side // bins
    behind = ((number + 1) * side + bins - 1) // bins
    cell = torch.arange(side, device=like.device)
    inside = (cell >= first) & (cell < behind)
    return inside.to(like.dtype) / (behind - first).to(like.dtype)


def halving_separable(inputs: int, outputs: int) -> nn.Sequential:
    """``separable_bn_relu`` to half the size."""
    return nn.Sequential(*depthwise(inputs, 2), *pointwise(inputs, outputs), nn.ReLU(inplace=True))


def _stage(inputs: int, outputs: int, stride: int) -> nn.Sequential:
    """Bottlenecks, of which the first one changes width and size."""
    first = Bottleneck(inputs, outputs, stride)
    return nn.Sequential(first, *(Bottleneck(outputs, outputs, 1) for _ in range(STAGE_BLOCKS - 1)))
