# SPDX-License-Identifier: Apache-2.0
"""A larger encoder teaches a smaller one what to look for (FitNets: Romero et al., ICLR 2015).

The student's features, through a 1x1 convolution of their own, are to be those of a frozen encoder
at the same stride. No label is needed for that, and the convolutions are thrown away afterwards.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from shared_encoder_perception.layers.encoder import OWN, STRIDES, Encoder
from shared_encoder_perception.structures import Size


class FeatureTeacher(nn.Module):
    """A frozen encoder, and what joins a student's features with its."""

    def __init__(self, name: str, weights: str, channels: Sequence[int]) -> None:
        """Load it.

        Args:
            name: Of timm's encoder.
            weights: As ``NetworkConfig.pretrained``.
            channels: Of the student's features, at ``STRIDES``.

        Raises:
            ValueError: No such encoder, or weights that are not its.
        """
        super().__init__()
        teacher = Encoder(name, weights, OWN).eval().requires_grad_(False)
        self._hidden = (teacher.to(memory_format=torch.channels_last),)  # neither trained nor saved
        pairs = zip(channels, teacher.channels, strict=True)
        self.joints = nn.ModuleList(nn.Conv2d(own, other, 1) for own, other in pairs)

    def forward(self, features: Sequence[Tensor], images: Tensor, size: Size) -> Tensor:
        """Return the mean squared difference of both, each channel of the teacher's in its spread.

        Args:
            features: The student's, (N, C_i, h / s, w / s) at ``STRIDES``.
            images: uint8 (N, H, W, 3) BGR, that the student saw.
            size: ``(h, w)`` at which it looked at them.
        """
        (teacher,) = self._hidden
        with torch.no_grad():
            taught = [one.float() for one in teacher.to(images.device)(images, size)]
        total = images.new_zeros((), dtype=torch.float32)
        for joint, own, other in zip(self.joints, features, taught, strict=True):
            deviation, mean = torch.std_mean(other, dim=(0, 2, 3), keepdim=True)
            total = total + functional.mse_loss(joint(own), (other - mean) / (deviation + 1e-6))
        return total / len(STRIDES)
