"""The head of semantic: features -> the class of each cell of a grid, and how sure that is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import torch
from torch import Tensor, nn

from shared_encoder_perception.layers.neck import at_stride, conv_bn_relu, separable_bn_relu
from shared_encoder_perception.structures import Size
from shared_encoder_perception.tasks.contract.training import Features, Widths
from shared_encoder_perception.tasks.semantic.spec import (
    OUTPUT_CONFIDENCE,
    OUTPUT_IDS,
    STRIDE,
    Block,
)
from shared_encoder_perception.tasks.semantic.tables import table_of

LOGITS: Final = "semantic_logits"
"""(N, classes, rows, columns), before the softmax."""
FEATURES: Final = "semantic_features"
"""(N, C, h, w), what the logits are made of, for a teacher to compare parts of it."""
OWN_NECK: Final = 4


def make_head(widths: Widths, config: Any) -> nn.Module:
    """Return a light head on a pyramid that is shared, a decoder on one of its own."""
    classes = len(table_of(config.classes))
    if widths.finished and widths.stride is not None:
        return ClassHead(nn.Identity(), widths.neck, classes, widths.stride)
    if widths.stride is not None:
        hidden = config.head_channels  # as wide as the neck it would cost more than lanes and mask
        refine = nn.Sequential(
            separable_bn_relu(widths.neck, hidden), separable_bn_relu(hidden, hidden)
        )
        return ClassHead(refine, hidden, classes, widths.stride)
    if widths.shared:
        return SkipClassHead(widths.neck, widths.levels[0], classes)
    refine = nn.Sequential(
        conv_bn_relu(widths.neck, widths.neck), conv_bn_relu(widths.neck, widths.neck)
    )
    return ClassHead(refine, widths.neck, classes, STRIDE)


def finish(logits: Mapping[str, Tensor], size: Size, block: Block) -> dict[str, Tensor]:
    """The most probable class of each cell, and its probability in steps of 1/255."""
    said = logits[LOGITS].float()
    probability = torch.softmax(said, dim=1).amax(dim=1)
    return {
        OUTPUT_IDS: said.argmax(dim=1).to(torch.uint8),
        OUTPUT_CONFIDENCE: (probability * 255.0 + 0.5).to(torch.uint8),
    }


class ClassHead(nn.Module):
    """Convolutions on the shared map, logits on the grid of the answers."""

    def __init__(self, refine: nn.Module, channels: int, classes: int, stride: int) -> None:
        """``refine`` gives ``channels``; answers have one cell per ``stride``."""
        super().__init__()
        self._stride = stride
        self.refine = refine
        self.logit = nn.Conv2d(channels, classes, 1)

    def forward(self, features: Features) -> dict[str, Tensor]:
        """Return ``LOGITS`` and ``FEATURES``."""
        refined = self.refine(at_stride(features.neck, features.size, self._stride))
        return {LOGITS: self.logit(refined), FEATURES: refined}


class SkipClassHead(nn.Module):
    """Shared map (stride 8) joined with the encoder's stride-4 features for sharp edges."""

    def __init__(self, channels: int, skip: int, classes: int, hidden: int = 64) -> None:
        """``channels`` of the shared map, ``skip`` of the stride-4 features."""
        super().__init__()
        self.reduce = conv_bn_relu(channels, hidden)
        self.skip = nn.Conv2d(skip, hidden, 1)
        self.refine = conv_bn_relu(hidden, hidden)
        self.logit = nn.Conv2d(hidden, classes, 1)

    def forward(self, features: Features) -> dict[str, Tensor]:
        """Return ``LOGITS`` and ``FEATURES``."""
        coarse = at_stride(self.reduce(features.neck), features.size, STRIDE)
        fine = coarse + at_stride(self.skip(features.levels[0]), features.size, STRIDE)
        refined = self.refine(fine)
        return {LOGITS: self.logit(refined), FEATURES: refined}
