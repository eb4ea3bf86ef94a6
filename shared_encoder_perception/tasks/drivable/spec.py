"""The block of drivable_surface in a ModelSpec, and the tensor that it promises."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from shared_encoder_perception.spec import Tensor, expect
from shared_encoder_perception.structures import Size
from shared_encoder_perception.tasks.temperature import expect_temperature

OUTPUT_MASK: Final = "mask"
"""Output tensor: uint8 (N, H / stride, W / stride), probability 0..255 of drivable surface."""

IN_VERSION_1: Final = ("mask_threshold", "mask_temperature", "mask_bias")
"""Keys of the block that stood in a spec of version 1."""

ADDED: Final = ("mask_stride",)
"""Keys of the block that specs of version 2 had not from its beginning."""


@dataclass(frozen=True)
class Block:
    """What a model says of its mask.

    Attributes:
        mask_threshold: Lowest mask probability (calibrated, if the model is) that counts as
            drivable, 0 to 1.
        mask_temperature: Above 0; the mask's probability p becomes
            ``sigmoid(logit(p) / mask_temperature + mask_bias)``.
        mask_bias: As above; with temperature 1 and bias 0 the network's own p stays.
        mask_stride: Input pixels per cell of the mask.
    """

    mask_threshold: float = 0.5
    mask_temperature: float = 1.0
    mask_bias: float = 0.0
    mask_stride: int = 1

    def __post_init__(self) -> None:
        """Refuse a block that the decoder could not honour."""
        threshold = self.mask_threshold
        expect(0.0 < threshold < 1.0, "mask_threshold", threshold, "between 0 and 1")
        expect_temperature("mask", self.mask_temperature, self.mask_bias)
        strides = (1, 2, 4, 8, 16, 32)
        expect(self.mask_stride in strides, "mask_stride", self.mask_stride, f"one of {strides}")

    def outputs(self, input_size: Size) -> dict[str, Tensor]:
        """Return the tensor of the mask."""
        height, width = input_size
        grid = (height // self.mask_stride, width // self.mask_stride)
        return {OUTPUT_MASK: Tensor("uint8", grid)}

    def inputs(self, input_size: Size) -> dict[str, Tensor]:
        """Return nothing: the image is enough."""
        return {}


def block_at(stride: int, input_size: Size) -> Block:
    """Return the block of a mask that leaves on a grid of that stride."""
    return Block(mask_stride=stride)
