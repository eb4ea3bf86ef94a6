"""The shared encoder: any timm model with features at strides 4, 8, 16 and 32."""

from __future__ import annotations

from typing import Final

import timm
import torch
from torch import Tensor, nn
from torch.nn import functional

from shared_encoder_perception.structures import Size

STRIDES: Final = (4, 8, 16, 32)
PROVEN: Final = (
    "mobilenetv4_conv_small",
    "mobilenetv4_conv_medium",
    "resnet18",
    "resnet34",
    "regnety_004",
    "repvgg_a0",
)
"""Encoders that a test builds, trains for a step, exports and compares with the export."""

# ImageNet statistics in RGB, [0, 255]: what timm's pretrained encoders expect.
MEAN_RGB: Final = (123.675, 116.28, 103.53)
STD_RGB: Final = (58.395, 57.12, 57.375)


class Encoder(nn.Module):
    """uint8 BGR images to a pyramid of features."""

    def __init__(self, name: str, pretrained: bool) -> None:
        """Build timm's ``name``.

        Args:
            name: Name of a timm model that offers ``features_only``.
            pretrained: Start from timm's weights (downloads them).

        Raises:
            ValueError: No such model, or it lacks features at the needed strides.
        """
        super().__init__()
        if not timm.is_model(name):
            near = timm.list_models(f"*{name[:6]}*")[:5]
            raise ValueError(
                f"timm has no encoder {name!r}: use one of {', '.join((*PROVEN, *near))}"
            )
        self.features = timm.create_model(name, features_only=True, pretrained=pretrained)
        reductions = self.features.feature_info.reduction()
        if not set(STRIDES) <= set(reductions):
            raise ValueError(
                f"encoder {name!r} has features at strides {reductions}, "
                "expected 4, 8, 16 and 32 among them"
            )
        self._levels = [reductions.index(stride) for stride in STRIDES]
        self.channels = [self.features.feature_info.channels()[level] for level in self._levels]
        self.register_buffer("mean", torch.tensor(MEAN_RGB).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(STD_RGB).view(1, 3, 1, 1), persistent=False)

    def forward(self, images: Tensor, size: Size) -> list[Tensor]:
        """uint8 (N, H, W, 3) BGR to (N, ``channels[i]``, h / s, w / s), s = ``STRIDES[i]``.

        Args:
            images: Of any size.
            size: ``(h, w)`` at which they are looked at.
        """
        # To float before anything else: TensorRT takes bytes into a cast only.
        rgb = images.float().permute(0, 3, 1, 2).flip(1)
        if tuple(rgb.shape[-2:]) != tuple(size):
            rgb = functional.interpolate(rgb, size=size, mode="bilinear", align_corners=False)
        features = self.features((rgb - self.mean) / self.std)
        return [features[level] for level in self._levels]
