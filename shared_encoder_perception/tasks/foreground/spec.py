# SPDX-License-Identifier: Apache-2.0
"""The block of foreground in a ModelSpec, and the tensors that it takes and promises."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from shared_encoder_perception.spec import Tensor
from shared_encoder_perception.structures import Size
from shared_encoder_perception.tasks.masks.spec import MaskBlock

INPUT_BACKGROUND: Final = "background"
"""Input tensor: uint8 (N, H, W, 3) BGR, the empty place as the image shows it."""
OUTPUT_FOREGROUND: Final = "foreground"
"""Output tensor: uint8 (N, H / stride, W / stride), probability 0..255 of foreground."""
STRIDE: Final = 2
"""Input pixels per cell of what networks say: edges are what foreground is about."""


@dataclass(frozen=True)
class Block(MaskBlock):
    """What a model says of its mask of the foreground; see ``MaskBlock``."""

    def outputs(self, input_size: Size) -> dict[str, Tensor]:
        """Return the tensor of the mask."""
        return {OUTPUT_FOREGROUND: self.grid(input_size)}

    def inputs(self, input_size: Size) -> dict[str, Tensor]:
        """Return the picture of the empty place."""
        return {INPUT_BACKGROUND: Tensor("uint8", (*input_size, 3))}


def block_of(config: Any, stride: int | None, input_size: Size) -> Block:
    """Return the block of a network, whatever grid other tasks' answers have."""
    return Block(mask_stride=STRIDE)
