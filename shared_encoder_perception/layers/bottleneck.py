# SPDX-License-Identifier: Apache-2.0
"""Inverted residuals (MobileNetV2, Sandler et al. 2018), and the convolutions they are made of."""

from __future__ import annotations

from typing import Final

from torch import Tensor, nn

from shared_encoder_perception.layers.neck import conv_bn_relu

EXPANSION: Final = 6
"""How much wider a bottleneck is inside than where it begins."""


class Bottleneck(nn.Module):
    """Widen, look around, narrow; added to what came in (MobileNetV2, Sandler et al. 2018)."""

    def __init__(self, inputs: int, outputs: int, stride: int, wider: int = EXPANSION) -> None:
        """Build it; what came in is added where it has the result's shape.

        Args:
            inputs: Channels.
            outputs: Channels.
            stride: Of the convolution that looks around.
            wider: How many times as wide as ``inputs`` it is inside.
        """
        super().__init__()
        wide = wider * inputs
        self.body = nn.Sequential(
            *conv_bn_relu(inputs, wide, 1),
            *depthwise(wide, stride),
            nn.ReLU(inplace=True),
            *pointwise(wide, outputs),
        )
        self._adds = stride == 1 and inputs == outputs

    def forward(self, feature: Tensor) -> Tensor:
        """(N, inputs, H, W) to (N, outputs, H / stride, W / stride)."""
        found: Tensor = self.body(feature)
        return feature + found if self._adds else found


def depthwise(channels: int, stride: int, dilation: int = 1) -> nn.Sequential:
    """Convolution of each channel for itself, batch norm."""
    return nn.Sequential(
        nn.Conv2d(
            *(channels, channels, 3, stride, dilation, dilation), groups=channels, bias=False
        ),
        nn.BatchNorm2d(channels),
    )


def pointwise(inputs: int, outputs: int) -> nn.Sequential:
    """Convolution of each cell for itself, batch norm."""
    return nn.Sequential(nn.Conv2d(inputs, outputs, 1, bias=False), nn.BatchNorm2d(outputs))
