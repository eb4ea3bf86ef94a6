# SPDX-License-Identifier: Apache-2.0
"""Heads of tasks that say something of each cell of a grid, for every kind of architecture."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor, nn

from shared_encoder_perception.layers.neck import (
    at_stride,
    conv_bn_relu,
    coordinates,
    separable_bn_relu,
)
from shared_encoder_perception.tasks.contract.training import Features, Widths
from shared_encoder_perception.tasks.strides import OWN_STRIDE

SKIP_CHANNELS: Final = 64
PLACES: Final = 2
"""Channels of a cell's column and row."""


def dense_head(
    widths: Widths, hidden: int, outputs: int, names: tuple[str, ...], *, places: bool = False
) -> nn.Module:
    """Return a light head on a pyramid that is shared, a decoder on one of its own.

    Args:
        widths: What the architecture offers.
        hidden: Channels on a shared grid: as wide as the pyramid it would cost more than the rest.
        outputs: Channels of what is said of a cell.
        names: What it calls that and, if there is a second one, the map that it is made of.
        places: Whether a cell is told where it is.
    """
    extra = PLACES * places
    if widths.finished and widths.stride is not None:
        channels = widths.neck + extra
        return GridHead(nn.Identity(), channels, outputs, widths.stride, names, places)
    if widths.stride is not None:
        refine = nn.Sequential(
            separable_bn_relu(widths.neck + extra, hidden), separable_bn_relu(hidden, hidden)
        )
        return GridHead(refine, hidden, outputs, widths.stride, names, places)
    if widths.shared:
        return SkipHead(widths.neck, widths.levels[0], outputs, names, places)
    refine = nn.Sequential(
        conv_bn_relu(widths.neck + extra, widths.neck), conv_bn_relu(widths.neck, widths.neck)
    )
    return GridHead(refine, widths.neck, outputs, OWN_STRIDE, names, places)


class GridHead(nn.Module):
    """Convolutions on the shared map, one more to what is said of each cell."""

    def __init__(
        self,
        refine: nn.Module,
        channels: int,
        outputs: int,
        stride: int,
        names: tuple[str, ...],
        places: bool,
    ) -> None:
        """``refine`` gives ``channels``; answers have one cell per ``stride``."""
        super().__init__()
        self._stride, self._names, self._places = stride, names, places
        self.refine = refine
        self.logit = nn.Conv2d(channels, outputs, 1)

    def forward(self, features: Features) -> dict[str, Tensor]:
        """Return (N, outputs, h, w), and the map before it where it has a name."""
        neck = at_stride(features.neck, features.size, self._stride)
        refined = self.refine(with_places(neck) if self._places else neck)
        return dict(zip(self._names, (self.logit(refined), refined), strict=False))


class SkipHead(nn.Module):
    """Shared map (stride 8) joined with the encoder's stride-4 features for sharp edges."""

    def __init__(
        self, channels: int, skip: int, outputs: int, names: tuple[str, ...], places: bool
    ) -> None:
        """``channels`` of the shared map, ``skip`` of the stride-4 features."""
        super().__init__()
        self._names, self._places = names, places
        self.reduce = conv_bn_relu(channels + PLACES * places, SKIP_CHANNELS)
        self.skip = nn.Conv2d(skip, SKIP_CHANNELS, 1)
        self.refine = conv_bn_relu(SKIP_CHANNELS, SKIP_CHANNELS)
        self.logit = nn.Conv2d(SKIP_CHANNELS, outputs, 1)

    def forward(self, features: Features) -> dict[str, Tensor]:
        """See ``GridHead``."""
        neck = with_places(features.neck) if self._places else features.neck
        coarse = at_stride(self.reduce(neck), features.size, OWN_STRIDE)
        fine = coarse + at_stride(self.skip(features.levels[0]), features.size, OWN_STRIDE)
        refined = self.refine(fine)
        return dict(zip(self._names, (self.logit(refined), refined), strict=False))


def with_places(feature: Tensor) -> Tensor:
    """Add each cell's column and row, (N, C + 2, h, w)."""
    return torch.cat((feature, coordinates(feature)), dim=1)
