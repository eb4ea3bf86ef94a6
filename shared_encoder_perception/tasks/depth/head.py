# SPDX-License-Identifier: Apache-2.0
"""The head of depth: features -> the depth of each cell of a grid, and how well it is known."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

import torch
from torch import Tensor, nn

from shared_encoder_perception.layers.neck import (
    FeaturePyramid,
    conv_bn_relu,
    coordinates,
    upsample,
)
from shared_encoder_perception.structures import Size
from shared_encoder_perception.tasks.contract.training import Features, Widths
from shared_encoder_perception.tasks.dense_head import dense_head
from shared_encoder_perception.tasks.depth.spec import OUTPUT_DEPTH, OUTPUT_SIGMA, Block
from shared_encoder_perception.tasks.strides import OWN_STRIDE

LOGITS: Final = "depth_logits"
"""(N, 2, rows, columns): logit of the place between nearest and farthest, log of the deviation."""
OWN_NECK: Final = OWN_STRIDE
FARTHER: Final = 1.5
"""How much farther than ``max_m`` a network can say, so that it can be sure that it is beyond."""
NARROWEST, WIDEST = 1e-3, 4.0
"""Deviations of the logarithm that can be said."""
PLANE_CHANNELS: Final = 96
OWN_CHANNELS: Final = 64
"""Of the pyramid that is depth's own."""
USUAL: Final = (0.094, 0.0, 0.16)
"""Inverse depth in the middle, and how it rises to the right and downwards: from 4 m at the lower
edge to the horizon at a fifth of the height."""
SHARP: Final = 0.01
"""Inverse metres within which the plane bends into the sky."""
SMALLEST: Final = 1e-4
"""Inverse depth of the farthest that the plane says."""
LARGEST: Final = 85.0
"""In units of ``SHARP``, nearer than all that can be said; its exponential still is a float."""
NEAR: Final = math.log(Block().min_m)
FAR: Final = math.log(FARTHER * Block().max_m)
LAST_PLACE: Final = -(math.log(SHARP) + NEAR) / (FAR - NEAR)
"""Place of the inverse depth ``SHARP``."""
LEAST: Final = 0.02
"""Of the range that the plane leaves to both of its ends, where a logit has no bound."""


def make_head(widths: Widths, config: Any) -> nn.Module:
    """Return a light head on a pyramid that is shared, a decoder on one of its own."""
    wider = widths._replace(neck=widths.neck + OWN_CHANNELS)
    local = dense_head(wider, config.head_channels, 2, (LOGITS,), places=True)
    return DepthHead(widths.levels, local)


def log_depth(logits: Tensor, block: Block) -> Tensor:
    """Return (N, rows, columns) logarithm of the canonical depth.

    Places between nearest and farthest are even in the logarithm: an error is a share of the depth.
    """
    near, far = math.log(block.min_m), math.log(FARTHER * block.max_m)
    return near + (far - near) * torch.sigmoid(logits[:, 0].float())


def sigma(logits: Tensor) -> Tensor:
    """Return (N, rows, columns) standard deviation of the logarithm."""
    return logits[:, 1].float().clamp(math.log(NARROWEST), math.log(WIDEST)).exp()


def finish(logits: Mapping[str, Tensor], size: Size, block: Block) -> dict[str, Tensor]:
    """Canonical metres, and their deviation."""
    said = logits[LOGITS]
    return {OUTPUT_DEPTH: log_depth(said, block).exp(), OUTPUT_SIGMA: sigma(said)}


class DepthHead(nn.Module):
    """A plane that the whole picture tells, and what each cell differs from it.

    How far an upright thing is shows at its foot, which may be many cells away, and is of no
    interest to the other tasks: a small pyramid of its own joins what all of them share.
    """

    def __init__(self, levels: Sequence[int], local: nn.Module) -> None:
        """Build it.

        Args:
            levels: Channels of the encoder's features, fine to coarse.
            local: Gives ``LOGITS`` of a neck that has ``OWN_CHANNELS`` more than the shared one.
        """
        super().__init__()
        self.own = FeaturePyramid(levels[1:], OWN_CHANNELS, light=True)
        self.local, self.plane = local, GroundPlane(levels[-1])

    def forward(self, features: Features) -> dict[str, Tensor]:
        """Return ``LOGITS``."""
        own = self.own(features.levels[1:])
        if own.shape[-2:] != features.neck.shape[-2:]:
            own = upsample(own, (features.neck.shape[-2], features.neck.shape[-1]))
        joined = features._replace(neck=torch.cat((features.neck, own), dim=1))
        said = self.local(joined)[LOGITS]
        plane = self.plane(features.levels[-1], (int(said.shape[-2]), int(said.shape[-1])))
        return {LOGITS: torch.cat((said[:, :1] + plane, said[:, 1:]), dim=1)}


class GroundPlane(nn.Module):
    """The ground, as far as a plane is one, by the coarsest features of the whole picture.

    Inverse depth of a plane is linear in the picture's coordinates, so that three numbers say it:
    how high the camera is, how it is pitched and how it is rolled. A cell's own features, with the
    few cells around it, cannot know them.
    """

    def __init__(self, channels: int) -> None:
        """``channels`` of the features."""
        super().__init__()
        self.mix = conv_bn_relu(channels, PLANE_CHANNELS, 1)
        self.said = nn.Sequential(
            nn.Linear(3 * PLANE_CHANNELS, PLANE_CHANNELS),
            nn.ReLU(inplace=True),
            nn.Linear(PLANE_CHANNELS, 3),
        )
        with torch.no_grad():
            self.said[2].weight.mul_(0.1)
            self.said[2].bias.copy_(torch.tensor(USUAL))

    def forward(self, coarsest: Tensor, grid: Size) -> Tensor:
        """Return (N, 1, rows, columns), logits of the place between nearest and farthest."""
        mixed = self.mix(coarsest)
        whole = (int(mixed.shape[-2]), int(mixed.shape[-1]))
        places, cells = _plane_basis(mixed, whole), _plane_basis(mixed, grid)
        with torch.autocast(mixed.device.type, enabled=False):  # small numbers tell a plane
            moments = mixed.float().flatten(2) @ (places.mT / places.shape[1])
            inverse = self.said(moments.mT.flatten(1)) @ (cells / SHARP)
        # Above the horizon, and near it, as far as can be said; without a kink: a softplus.
        bent = inverse.clamp(max=LARGEST).exp().log1p().clamp(min=SMALLEST / SHARP)
        place = (bent.log() * (-1 / (FAR - NEAR)) + LAST_PLACE).clamp(LEAST, 1 - LEAST)
        return (place / (1 - place)).log().reshape(-1, 1, *grid)


def _plane_basis(feature: Tensor, grid: Size) -> Tensor:
    """What a plane is summed of, (3, rows * columns) float32: one, column and row in [-1, 1]."""
    cells = feature.new_zeros((1, 1, *grid), dtype=torch.float32)
    places = coordinates(cells)[0].flatten(1)
    return torch.cat((torch.ones_like(places[:1]), places))
