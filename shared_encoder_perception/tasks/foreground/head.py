# SPDX-License-Identifier: Apache-2.0
"""The head of foreground: features of two pictures -> the probability of each cell.

The shared encoder has seen both (siamese, as FC-Siam of Daudt et al., ICIP 2018): each level is
joined from both and from their difference, merged by a pyramid of its own, and sharpened by what
the two pictures themselves show at the grid of the answer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from shared_encoder_perception.layers.bottleneck import Bottleneck
from shared_encoder_perception.layers.neck import (
    FeaturePyramid,
    conv_bn_relu,
    separable_bn_relu,
    upsample,
)
from shared_encoder_perception.spec import INPUT_IMAGE
from shared_encoder_perception.structures import Size
from shared_encoder_perception.tasks.contract.training import Features, Widths
from shared_encoder_perception.tasks.foreground.spec import (
    INPUT_BACKGROUND,
    OUTPUT_FOREGROUND,
    STRIDE,
    Block,
)

LOGITS: Final = "foreground_logits"
"""(N, rows, columns), before the sigmoid."""
ENCODES: Final = (INPUT_BACKGROUND,)
READS_NECK: Final = False
GROWN: Final = ("decoder.heads.foreground.sharpen.",)
"""Weights that networks before 1.1 lack; as they begin they change nothing."""
JOINED_CHANNELS: Final = 32
"""Of each level, joined from both pictures."""
CHANNELS: Final = 48
"""Of the pyramid."""
FINE_CHANNELS: Final = 16
"""Of what the pictures themselves show."""
SHARPENERS: Final = 2
"""Bottlenecks at the grid of the answer: an edge is found by the cells on both sides of it."""
WIDER: Final = 3
"""How much wider those are inside: half of the usual, as there are many cells."""
RARE: Final = -3.0
"""Logit of a pixel before anything is learned: one in twenty is foreground."""


def make_head(widths: Widths, config: Any) -> nn.Module:
    """Return the same head for every architecture: it reads the encoder's levels alone."""
    return ForegroundHead(widths.levels)


def finish(logits: Mapping[str, Tensor], size: Size, block: Block) -> dict[str, Tensor]:
    """Probability by sigmoid, in steps of 1/255."""
    probability = torch.sigmoid(logits[LOGITS].float())
    return {OUTPUT_FOREGROUND: (probability * 255.0 + 0.5).to(torch.uint8)}


class ForegroundHead(nn.Module):
    """Joins both pictures at every level."""

    def __init__(self, levels: Sequence[int]) -> None:
        """``levels`` are the channels of the encoder's features, fine to coarse."""
        super().__init__()
        self.join = nn.ModuleList(
            conv_bn_relu(3 * channels, JOINED_CHANNELS, 1) for channels in levels
        )
        self.merge = FeaturePyramid([JOINED_CHANNELS] * len(levels), CHANNELS, light=True)
        self.narrow = conv_bn_relu(CHANNELS, FINE_CHANNELS, 1)
        self.stem = Stem()
        self.refine = separable_bn_relu(2 * FINE_CHANNELS, FINE_CHANNELS)
        self.sharpen = nn.Sequential(
            *(Bottleneck(FINE_CHANNELS, FINE_CHANNELS, 1, WIDER) for _ in range(SHARPENERS))
        )
        for sharpener in self.sharpen:  # begins as nothing (Goyal et al. 2017, section 5.1)
            nn.init.zeros_(sharpener.body[-1].weight)  # type: ignore[arg-type,index,union-attr]
        self.logit = nn.Conv2d(FINE_CHANNELS, 1, 1)
        nn.init.constant_(self.logit.bias, RARE)  # type: ignore[arg-type]

    def forward(self, features: Features) -> dict[str, Tensor]:
        """Return ``LOGITS``."""
        before = features.companions[INPUT_BACKGROUND]
        joined = [
            join(beside(now, then))
            for join, now, then in zip(self.join, features.levels, before, strict=True)
        ]
        coarse = self.narrow(self.merge(joined))
        grid = (features.size[0] // STRIDE, features.size[1] // STRIDE)
        inputs = features.inputs
        fine = self.stem(inputs[INPUT_IMAGE], inputs[INPUT_BACKGROUND], grid)
        refined = self.refine(torch.cat((upsample(coarse, grid), fine), dim=1))
        return {LOGITS: self.logit(self.sharpen(refined))[:, 0]}


class Stem(nn.Module):
    """What both pictures show, at the grid of the answer."""

    def __init__(self) -> None:
        """Make it."""
        super().__init__()
        self.see = nn.Sequential(
            nn.Conv2d(9, FINE_CHANNELS, 3, stride=STRIDE, padding=1, bias=False),
            nn.BatchNorm2d(FINE_CHANNELS),
            nn.ReLU(inplace=True),
        )

    def forward(self, image: Tensor, background: Tensor, grid: Size) -> Tensor:
        """Return (N, ``FINE_CHANNELS``, *grid) of uint8 (N, H, W, 3) pictures."""
        now, then = (one.float().permute(0, 3, 1, 2) / 255 for one in (image, background))
        seen: Tensor = self.see(beside(now, then))
        if tuple(seen.shape[-2:]) == grid:
            return seen
        # Pictures that are given coarser than the answer is wanted.
        return functional.interpolate(seen, size=grid, mode="bilinear", align_corners=False)


def beside(now: Tensor, then: Tensor) -> Tensor:
    """Return both and how far they are apart, (N, 3 C, h, w)."""
    return torch.cat((now, then, (now - then).abs()), dim=1)
