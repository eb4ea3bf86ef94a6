# SPDX-License-Identifier: Apache-2.0
"""Features of cameras -> features of voxels of the ground, at places that a table says.

Bilinear sampling at the projected centres of voxels, without learned depth: Harley et al., "Simple-
BEV" (ICRA 2023), section 3. Unlike there, the places are an input, and a voxel is looked up in the
few cameras that see it best, not in all.

Maps of several cameras lie side by side along the columns, so that one sampling serves them all,
however many they are. Sampled by ``GridSample``, or for engines that have it wrong by ``Gather``.
"""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from shared_encoder_perception.layers.neck import conv_bn_relu
from shared_encoder_perception.structures import Size

CHANNELS: Final = 32
"""Of what is sampled: most of the cost grows with it."""
GRID_SAMPLE: Final = "grid_sample"
GATHER: Final = "gather"


class Lift(nn.Module):
    """Samples voxels from the cameras' features, and joins those above one another.

    Attributes:
        sampler: Key of ``SAMPLERS``; the answers are the same.
    """

    def __init__(self, inputs: int, outputs: int, heights: int) -> None:
        """Channels of the cameras' features and of the result; layers of voxels."""
        super().__init__()
        self.narrow = nn.Conv2d(inputs, CHANNELS, 1)
        self.join = conv_bn_relu(heights * CHANNELS, outputs, 1)
        self.sampler = GRID_SAMPLE

    def forward(self, features: Tensor, place: Tensor, weight: Tensor, grid: Size) -> Tensor:
        """Return the features of each cell of the ground, (R, outputs, Y, X).

        Args:
            features: (R * S, inputs, h, w), the cameras of a rig one after another.
            place: (R, K, V, 2) column and row in the maps laid side by side, -1 to 1 from edge to
                edge (``align_corners=False``), of the K best views of V = Z * Y * X voxels.
            weight: (R, K, V) of each view; 0 for none.
            grid: ``(Y, X)``.
        """
        maps = side_by_side(self.narrow(features), place.shape[0])
        seen = SAMPLERS[self.sampler](maps, place, weight)
        joined: Tensor = self.join(seen.reshape(place.shape[0], -1, *grid))
        return joined


def side_by_side(features: Tensor, rigs: int) -> Tensor:
    """Lay the maps of each rig's cameras beside each other.

    Args:
        features: (R * S, C, h, w).
        rigs: R.

    Returns:
        (R, C, h, S * w).
    """
    _, channels, height, width = features.shape
    apart = features.reshape(rigs, -1, channels, height, width)
    return apart.permute(0, 2, 3, 1, 4).reshape(rigs, channels, height, -1)


def by_grid_sample(maps: Tensor, place: Tensor, weight: Tensor) -> Tensor:
    """Return the weighted sum of each voxel's views.

    Args:
        maps: (R, C, h, W).
        place: (R, K, V, 2), as ``Lift`` takes it.
        weight: (R, K, V).

    Returns:
        (R, C, V) float32: places in fewer bits would be off by cells.
    """
    views = functional.grid_sample(
        maps.float(), place, mode="bilinear", padding_mode="border", align_corners=False
    )
    return (views * weight[:, None]).sum(dim=2)


def by_gather(maps: Tensor, place: Tensor, weight: Tensor) -> Tensor:
    """Return the same as ``by_grid_sample``, from the four cells around each place."""
    rigs, channels, height, width = maps.shape
    cells = maps.float().permute(0, 2, 3, 1).reshape(-1, channels)
    first = torch.arange(rigs, device=maps.device)[:, None, None] * (height * width)
    column, left, right = _between(place[..., 0], width)
    row, upper, lower = _between(place[..., 1], height)
    total = cells.new_zeros(())
    for y, share_y in ((upper, 1 - row), (lower, row)):
        for x, share_x in ((left, 1 - column), (right, column)):
            taken = cells[first + y * width + x]
            total = total + taken * (share_x * share_y * weight)[..., None]
    return total.sum(dim=1).transpose(1, 2)


def _between(place: Tensor, count: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return how far a place is from one cell to the next, 0 to 1, and the indices of both."""
    at = ((place + 1) * count / 2 - 0.5).clamp(0, count - 1)
    before = at.floor()
    after = (before + 1).clamp(max=count - 1)
    return at - before, before.long(), after.long()


Sampler = Callable[[Tensor, Tensor, Tensor], Tensor]
SAMPLERS: Final = MappingProxyType[str, Sampler]({GRID_SAMPLE: by_grid_sample, GATHER: by_gather})
"""Name -> how voxels are sampled; arguments as of ``by_grid_sample``."""


def use_sampler(network: nn.Module, name: str) -> None:
    """Sample otherwise from now on, wherever a network lifts (in place).

    Raises:
        ValueError: An unknown name.
    """
    if name not in SAMPLERS:
        raise ValueError(f"unknown sampler {name!r}: use one of {list(SAMPLERS)}")
    for module in network.modules():
        if isinstance(module, Lift):
            module.sampler = name
