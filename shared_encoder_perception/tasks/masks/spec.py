# SPDX-License-Identifier: Apache-2.0
"""What a ModelSpec says of a mask, whatever it is a mask of."""

from __future__ import annotations

from dataclasses import dataclass

from shared_encoder_perception.spec import Tensor, expect
from shared_encoder_perception.structures import Size
from shared_encoder_perception.tasks.temperature import expect_temperature


@dataclass(frozen=True)
class MaskBlock:
    """What a model says of its mask.

    Attributes:
        mask_threshold: Lowest mask probability (calibrated, if the model is) that counts as
            yes, 0 to 1.
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

    def grid(self, input_size: Size) -> Tensor:
        """Return the tensor of the mask: uint8, probability of 0 to 1 as 0 to 255."""
        height, width = input_size
        return Tensor("uint8", (height // self.mask_stride, width // self.mask_stride))
