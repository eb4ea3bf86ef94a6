"""The network: a shared encoder, and an architecture that answers every task from its features."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from timm.utils.model import reparameterize_model
from torch import Tensor, nn

from shared_encoder_perception.layers.context import AttentionBottleneck
from shared_encoder_perception.layers.encoder import STRIDES, Encoder
from shared_encoder_perception.model.architectures import ARCHITECTURES, LANE_LOGITS, MASK_LOGITS
from shared_encoder_perception.structures import Size


@dataclass(frozen=True)
class NetworkConfig:
    """What the network is built from; stored in checkpoints.

    Attributes:
        encoder: Name of a timm model that offers ``features_only``.
        pretrained: Start from timm's weights (downloads them).
        architecture: A key of ``ARCHITECTURES``.
        channels: Width of the necks, a multiple of 4.
        head_channels: Hidden width of one lane head (of one branch of it in ``baseline``).
        attention: Self-attention on the coarsest features.
        aggregation: GANet's feature aggregation in front of the lane heads.
        encoder_scale: Size of the picture that the encoder sees, relative to the input. Below 1 a
            small encoder sees more of the road at once, for less work; answers keep the input's
            grid.
    """

    encoder: str = "mobilenetv4_conv_small"
    pretrained: bool = False
    architecture: str = "shared_fpn"
    channels: int = 64
    head_channels: int = 32
    attention: bool = False
    aggregation: bool = False
    encoder_scale: float = 1.0


class PerceptionNetwork(nn.Module):
    """uint8 images in, raw logits of every task out; trained and deployed as it is."""

    def __init__(self, config: NetworkConfig) -> None:
        """Build it.

        Raises:
            ValueError: An unknown encoder or architecture, channels that do not divide by 4, or a
                scale out of range.
        """
        super().__init__()
        if config.architecture not in ARCHITECTURES:
            raise ValueError(
                f"unknown architecture {config.architecture!r}: use one of {list(ARCHITECTURES)}"
            )
        if config.channels < 4 or config.channels % 4 or config.head_channels < 1:
            raise ValueError(
                f"channels is {config.channels} and head_channels {config.head_channels}, "
                "expected a positive multiple of 4 and a positive number"
            )
        if not 0.1 <= config.encoder_scale <= 1.0:
            raise ValueError(f"encoder_scale is {config.encoder_scale}, expected 0.1 to 1")
        self.config = config
        self.encoder = Encoder(config.encoder, config.pretrained)
        *finer, coarsest = self.encoder.channels
        self.attention: nn.Module = nn.Identity()
        if config.attention:
            self.attention = AttentionBottleneck(coarsest, config.channels)
            coarsest = config.channels
        self.decoder = ARCHITECTURES[config.architecture](
            (*finer, coarsest), config.channels, config.head_channels, config.aggregation
        )

    def forward(self, images: Tensor, size: Size | None = None) -> dict[str, Tensor]:
        """Run the network.

        Args:
            images: uint8 (N, H, W, 3) BGR, [0, 255]; H and W multiples of 32.
            size: ``(H, W)`` of the answers where the images are given in another one: coarse
                pictures in training, when the encoder sees no more of them anyway.

        Returns:
            ``lane_logits`` float (N, 5, 5, H / 8, W / 8) in the order of ``spec.LANE_MAPS``: the
            heat map before its sigmoid, the vector to the start in units of the grid's width and
            height, the position in cells; ``mask_logits`` float (N, H, W).

        Raises:
            ValueError: H or W is no multiple of 32.
        """
        size = size or (images.shape[1], images.shape[2])
        check_input_size(size)
        *finer, coarsest = self.encoder(images, scaled_size(size, self.config.encoder_scale))
        return self.decoder((*finer, self.attention(coarsest)), size)

    def last_shared(self) -> nn.Parameter:
        """Return the weights of the last layer that every task uses (for gradient norms)."""
        weight = self.decoder.last_shared()
        if weight is None:
            shared = self.attention if self.config.attention else self.encoder
            weight = [parameter for parameter in shared.parameters() if parameter.ndim == 4][-1]
        return weight

    def shared_parameters(self) -> list[nn.Parameter]:
        """Return all parameters that more than one task uses."""
        return [
            *self.encoder.parameters(),
            *self.attention.parameters(),
            *self.decoder.shared(),
        ]


def scaled_size(size: Size, scale: float = 1.0) -> Size:
    """Return the size nearest to ``scale`` times ``size`` that can be halved five times."""
    unit = STRIDES[-1]
    height, width = (max(round(side * scale / unit), 1) * unit for side in size)
    return height, width


def check_input_size(size: Size) -> None:
    """Refuse a ``(height, width)`` that the encoder cannot halve five times.

    Raises:
        ValueError: Names the nearest size that works.
    """
    unit = STRIDES[-1]
    if min(size) < unit or size[0] % unit or size[1] % unit:
        height, width = scaled_size(size)
        raise ValueError(
            f"input size is {size[0]}x{size[1]} (height x width), expected multiples of {unit}: "
            f"use {height}x{width}"
        )


class DeployWrapper(nn.Module):
    """The network as an artifact: probabilities and cells out, one tensor per task."""

    def __init__(self, network: PerceptionNetwork) -> None:
        """Wrap a copy of a trained network, in inference mode, its parallel branches merged."""
        super().__init__()
        self.network = reparameterize_model(network.eval())
        self.eval()

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Run the network and finish its outputs.

        Args:
            image: uint8 (N, H, W, 3) BGR.

        Returns:
            ``lanes`` float32 (N, 5, 5, H / 8, W / 8) as ``spec.OUTPUT_LANES`` and ``mask`` uint8
            (N, H, W) as ``spec.OUTPUT_MASK``.
        """
        return finish(self.network(image))


def finish(logits: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
    """Turn logits into what the artifact gives: see ``DeployWrapper.forward``."""
    lanes = lanes_from_logits(logits[LANE_LOGITS].float())
    mask = torch.sigmoid(logits[MASK_LOGITS].float())
    return lanes, (mask * 255.0 + 0.5).to(torch.uint8)


def lanes_from_logits(logits: Tensor) -> Tensor:
    """Heat map by sigmoid, start vectors from grid units to cells. (N, 5, 5, h, w) both."""
    heat, start, position = logits.split((1, 2, 2), dim=2)
    grid = start.new_tensor((logits.shape[-1], logits.shape[-2])).view(1, 1, 2, 1, 1)
    return torch.cat((torch.sigmoid(heat), start * grid, position), dim=2)
