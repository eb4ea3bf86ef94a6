# SPDX-License-Identifier: Apache-2.0
"""The shared encoder: timm's, or one of our own, with features at strides 4, 8, 16 and 32."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any, Final

import numpy as np
import timm
import torch
from torch import Tensor, nn
from torch.nn import functional

from shared_encoder_perception.layers.encoder_weights import (
    TIMM,
    WeightsError,
    load_encoder_weights,
)
from shared_encoder_perception.layers.fast_scnn import FastScnnEncoder
from shared_encoder_perception.structures import Size

STRIDES: Final = (4, 8, 16, 32)
PROVEN: Final = (
    "mobilenetv4_conv_small",
    "mobilenetv4_conv_medium",
    "resnet18",
    "resnet34",
    "regnety_004",
    "repvgg_a0",
    "fast_scnn",
)
"""Encoders that a test builds, trains for a step, exports and compares with the export."""

OWN_ENCODERS: Final = MappingProxyType({"fast_scnn": FastScnnEncoder})
"""Encoders that timm has not: name -> class. Made of nothing, they have ``channels`` and return the
features at ``STRIDES`` of normalised images."""

IMAGENET, OWN = "imagenet", "own"
STATISTICS: Final = (IMAGENET, OWN)
"""What images are normalised by: ImageNet's mean and deviation, or those that timm says the encoder
was trained with. Pretrained weights are worth little with another one's."""
IMAGENET_RGB: Final = ((123.675, 116.28, 103.53), (58.395, 57.12, 57.375))
"""Mean and standard deviation in RGB, [0, 255]."""


class Encoder(nn.Module):
    """uint8 BGR images to a pyramid of features."""

    def __init__(self, name: str, pretrained: str = "", statistics: str = IMAGENET) -> None:
        """Build it.

        Args:
            name: A key of ``OWN_ENCODERS``, or of a timm model that offers ``features_only``.
            pretrained: Weights to start from: ``TIMM`` for those that timm downloads, a package or
                a file that carries them (``load_encoder_weights``), or nothing.
            statistics: One of ``STATISTICS``.

        Raises:
            ValueError: No such model, it lacks features at the needed strides, or pretrained
                weights that were trained with other statistics.
            WeightsError: Weights that are not there, or not of this network.
        """
        super().__init__()
        if statistics not in STATISTICS:
            raise ValueError(f"statistics is {statistics!r}, expected one of {STATISTICS}")
        if name in OWN_ENCODERS:
            _expect_no_weights(name, pretrained, statistics)
            self.features = OWN_ENCODERS[name]()
            self._levels = list(range(len(STRIDES)))
            self.channels = list(self.features.channels)
            mean, std = IMAGENET_RGB
        else:
            self.features = _of_timm(name, pretrained == TIMM)
            known = self.features.feature_info
            self._levels = [known.reduction().index(stride) for stride in STRIDES]
            self.channels = [known.channels()[level] for level in self._levels]
            mean, std = _normalisation(name, self.features.pretrained_cfg, pretrained, statistics)
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
        features = self.features(self.normalised(images, size))
        return [features[level] for level in self._levels]

    def normalised(self, images: Tensor, size: Size) -> Tensor:
        """Return (N, 3, h, w) RGB as the features' first layer takes it; see ``forward``."""
        # To float before anything else: TensorRT takes bytes into a cast only.
        rgb = images.float().permute(0, 3, 1, 2).flip(1)
        if tuple(rgb.shape[-2:]) != tuple(size):
            rgb = functional.interpolate(rgb, size=size, mode="bilinear", align_corners=False)
        return (rgb - self.mean) / self.std


def _of_timm(name: str, pretrained: bool) -> Any:
    """Build timm's encoder.

    Raises:
        ValueError: No such model, or it lacks features at the needed strides.
    """
    if not timm.is_model(name):
        near = timm.list_models(f"*{name[:6]}*")[:5]
        known = dict.fromkeys((*OWN_ENCODERS, *PROVEN, *near))
        raise ValueError(
            f"there is no encoder {name!r}, of timm or of our own: use one of {', '.join(known)}"
        )
    features = timm.create_model(name, features_only=True, pretrained=pretrained)
    reductions = features.feature_info.reduction()
    if not set(STRIDES) <= set(reductions):
        raise ValueError(
            f"encoder {name!r} has features at strides {reductions}, "
            "expected 4, 8, 16 and 32 among them"
        )
    return features


def _normalisation(name: str, known: Any, pretrained: str, statistics: str) -> Any:
    """Return mean and deviation of images, RGB, [0, 255].

    Args:
        name: Of the encoder.
        known: What timm says of the weights that it has for it.
        pretrained: As ``Encoder`` takes it.
        statistics: As ``Encoder`` takes them.

    Raises:
        ValueError: Weights that were trained with others.
    """
    own = tuple(tuple(255.0 * value for value in known[key]) for key in ("mean", "std"))
    chosen = own if statistics == OWN else IMAGENET_RGB
    if pretrained and not np.allclose(chosen, own, atol=0.5):
        raise ValueError(
            f"network.statistics is {statistics!r}, but {name} was trained with the mean "
            f"{known['mean']} and deviation {known['std']}: set it to {OWN!r} when "
            "network.pretrained is given"
        )
    return chosen


def _expect_no_weights(name: str, pretrained: str, statistics: str) -> None:
    """Refuse what only an encoder has that somebody has trained before.

    Raises:
        WeightsError: Pretrained weights.
        ValueError: Statistics of pretrained weights.
    """
    if pretrained:
        raise WeightsError(
            f"there are no pretrained weights for {name}, which is an encoder of our own, not "
            "timm's: leave network.pretrained away, and start from a network of yours by "
            "init=RUN/network.pt"
        )
    if statistics == OWN:
        raise ValueError(
            f"network.statistics is {OWN!r}, but {name} has no pretrained weights, and so no "
            f"statistics of its own: set it to {IMAGENET!r}"
        )
