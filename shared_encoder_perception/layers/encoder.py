"""The shared encoder: any timm model with features at strides 4, 8, 16 and 32."""

from __future__ import annotations

from typing import Final

import numpy as np
import timm
import torch
from torch import Tensor, nn
from torch.nn import functional

from shared_encoder_perception.layers.encoder_weights import TIMM, load_encoder_weights
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

IMAGENET, OWN = "imagenet", "own"
STATISTICS: Final = (IMAGENET, OWN)
"""What images are normalised by: ImageNet's mean and deviation, or those that timm says the encoder
was trained with. Pretrained weights are worth little with another one's."""
IMAGENET_RGB: Final = ((123.675, 116.28, 103.53), (58.395, 57.12, 57.375))
"""Mean and standard deviation in RGB, [0, 255]."""


class Encoder(nn.Module):
    """uint8 BGR images to a pyramid of features."""

    def __init__(self, name: str, pretrained: str = "", statistics: str = IMAGENET) -> None:
        """Build timm's ``name``.

        Args:
            name: Name of a timm model that offers ``features_only``.
            pretrained: Weights to start from: ``TIMM`` for those that timm downloads, a package or
                a file that carries them (``load_encoder_weights``), or nothing.
            statistics: One of ``STATISTICS``.

        Raises:
            ValueError: No such model, it lacks features at the needed strides, or pretrained
                weights that were trained with other statistics.
            WeightsError: Weights that are not there, or not of this network.
        """
        super().__init__()
        if not timm.is_model(name):
            near = timm.list_models(f"*{name[:6]}*")[:5]
            raise ValueError(
                f"timm has no encoder {name!r}: use one of {', '.join((*PROVEN, *near))}"
            )
        self.features = timm.create_model(name, features_only=True, pretrained=pretrained == TIMM)
        reductions = self.features.feature_info.reduction()
        if not set(STRIDES) <= set(reductions):
            raise ValueError(
                f"encoder {name!r} has features at strides {reductions}, "
                "expected 4, 8, 16 and 32 among them"
            )
        self._levels = [reductions.index(stride) for stride in STRIDES]
        self.channels = [self.features.feature_info.channels()[level] for level in self._levels]
        if statistics not in STATISTICS:
            raise ValueError(f"statistics is {statistics!r}, expected one of {STATISTICS}")
        known = self.features.pretrained_cfg
        own = tuple(tuple(255.0 * value for value in known[key]) for key in ("mean", "std"))
        mean, std = own if statistics == OWN else IMAGENET_RGB
        if pretrained and not np.allclose((mean, std), own, atol=0.5):
            raise ValueError(
                f"network.statistics is {statistics!r}, but {name} was trained with the mean "
                f"{known['mean']} and deviation {known['std']}: set it to {OWN!r} when "
                "network.pretrained is given"
            )
        if pretrained not in ("", TIMM):
            load_encoder_weights(self.features, name, pretrained)
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(1, 3, 1, 1), persistent=False)

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
