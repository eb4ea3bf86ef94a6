# SPDX-License-Identifier: Apache-2.0
"""The block of drivable_surface in a ModelSpec, and the tensor that it promises."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from shared_encoder_perception.spec import Tensor
from shared_encoder_perception.structures import Size
from shared_encoder_perception.tasks.masks.spec import MaskBlock

OUTPUT_MASK: Final = "mask"
"""Output tensor: uint8 (N, H / stride, W / stride), probability 0..255 of drivable surface."""

IN_VERSION_1: Final = ("mask_threshold", "mask_temperature", "mask_bias")
"""Keys of the block that stood in a spec of version 1."""

ADDED: Final = ("mask_stride",)
"""Keys of the block that specs of version 2 had not from its beginning."""


@dataclass(frozen=True)
class Block(MaskBlock):
    """What a model says of its mask of the drivable surface; see ``MaskBlock``."""

    def outputs(self, input_size: Size) -> dict[str, Tensor]:
        """Return the tensor of the mask."""
        return {OUTPUT_MASK: self.grid(input_size)}

    def inputs(self, input_size: Size) -> dict[str, Tensor]:
        """Return nothing: the image is enough."""
        return {}


def block_at(stride: int, input_size: Size) -> Block:
    """Return the block of a mask that leaves on a grid of that stride."""
    return Block(mask_stride=stride)
