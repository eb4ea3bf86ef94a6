# SPDX-License-Identifier: Apache-2.0
"""The head of drivable_surface: features -> the probability of each pixel."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import torch
from torch import Tensor, nn

from shared_encoder_perception.layers.neck import conv_bn_relu, separable_bn_relu, upsample
from shared_encoder_perception.structures import Size
from shared_encoder_perception.tasks.contract.training import Features, Widths
from shared_encoder_perception.tasks.drivable.spec import OUTPUT_MASK, Block

LOGITS: Final = "mask_logits"
"""(N, H, W), before the sigmoid; (N, H / s, W / s) on a grid of stride s for all answers."""
OWN_NECK: Final = 4
FORMERLY: Final = {
    "decoder.mask.": "decoder.heads.drivable_surface.",
    "decoder.mask_neck.": "decoder.necks.drivable_surface.",
}
"""Beginnings of the names that weights had while architectures knew the tasks -> those of today."""


def make_head(widths: Widths, config: Any) -> nn.Module:
    """Return a light head on a pyramid that is shared, a decoder on one of its own."""
    if widths.stride is not None:
        return GridMaskHead(widths.neck, widths.finished)
    if widths.shared:
        return MaskHead(widths.neck, widths.levels[0])
    return MaskDecoder(widths.neck)


def finish(logits: Mapping[str, Tensor], size: Size, block: Block) -> dict[str, Tensor]:
    """Probability by sigmoid, in steps of 1/255."""
    probability = torch.sigmoid(logits[LOGITS].float())
    return {OUTPUT_MASK: (probability * 255.0 + 0.5).to(torch.uint8)}


class GridMaskHead(nn.Module):
    """Two separable convolutions on the shared map, logits on its grid."""

    def __init__(self, channels: int, finished: bool = False) -> None:
        """``channels`` of the shared map; logits alone where that is ``finished``."""
        super().__init__()
        layers = [] if finished else [separable_bn_relu(channels, channels) for _ in range(2)]
        self.refine = nn.Sequential(*layers)
        self.logit = nn.Conv2d(channels, 1, 1)

    def forward(self, features: Features) -> dict[str, Tensor]:
        """Return ``LOGITS``."""
        return {LOGITS: self.logit(self.refine(features.neck))[:, 0]}


class MaskDecoder(nn.Module):
    """Two convolutions on a pyramid that ends at stride 4, logits at stride 2."""

    def __init__(self, channels: int) -> None:
        """``channels`` of the pyramid."""
        super().__init__()
        self.stride4 = conv_bn_relu(channels, channels)
        self.stride2 = conv_bn_relu(channels, channels // 2)
        self.logit = nn.Conv2d(channels // 2, 1, 1)

    def forward(self, features: Features) -> dict[str, Tensor]:
        """Return ``LOGITS``."""
        height, width = features.size
        fine = upsample(self.stride4(features.neck), (height // 2, width // 2))
        return {LOGITS: upsample(self.logit(self.stride2(fine)), features.size)[:, 0]}


class MaskHead(nn.Module):
    """Shared map (stride 8) joined with the encoder's stride-4 features for sharp edges."""

    def __init__(self, channels: int, skip: int, hidden: int = 32) -> None:
        """``channels`` of the shared map, ``skip`` of the stride-4 features."""
        super().__init__()
        self.reduce = conv_bn_relu(channels, hidden)
        self.skip = nn.Conv2d(skip, hidden, 1)
        self.refine = conv_bn_relu(hidden, hidden)
        self.logit = nn.Conv2d(hidden, 1, 1)

    def forward(self, features: Features) -> dict[str, Tensor]:
        """Return ``LOGITS``."""
        stride4 = features.levels[0]
        size4 = (stride4.shape[-2], stride4.shape[-1])
        fine = upsample(self.reduce(features.neck), size4) + self.skip(stride4)
        return {LOGITS: upsample(self.logit(self.refine(fine)), features.size)[:, 0]}
