"""The network: one shared encoder, one light neck, five lane heads and a mask head."""

from __future__ import annotations

from dataclasses import dataclass

import timm
import torch
from torch import Tensor, nn

from shared_encoder_perception.model.heads import LaneHeads, MaskHead
from shared_encoder_perception.model.neck import FeaturePyramid

# ImageNet statistics in RGB, [0, 255]: what timm's pretrained encoders expect.
MEAN_RGB = (123.675, 116.28, 103.53)
STD_RGB = (58.395, 57.12, 57.375)

LANE_LOGITS, MASK_LOGITS = "lane_logits", "mask_logits"


@dataclass(frozen=True)
class NetworkConfig:
    """What the network is built from; stored in checkpoints.

    Attributes:
        encoder: Name of a timm model that offers ``features_only``.
        pretrained: Start from timm's weights (downloads them).
        channels: Width of the neck.
        head_channels: Hidden width of one lane head.
    """

    encoder: str = "mobilenetv4_conv_small"
    pretrained: bool = False
    channels: int = 64
    head_channels: int = 32


class PerceptionNetwork(nn.Module):
    """uint8 images in, raw logits of every task out; trained and deployed as it is."""

    def __init__(self, config: NetworkConfig) -> None:
        """Build encoder, neck and heads.

        Raises:
            ValueError: The encoder lacks features at strides 4, 8, 16 and 32.
        """
        super().__init__()
        self.config = config
        encoder = timm.create_model(
            config.encoder, features_only=True, pretrained=config.pretrained
        )
        reductions = encoder.feature_info.reduction()
        levels = [reductions.index(stride) for stride in (4, 8, 16, 32) if stride in reductions]
        if len(levels) != 4:
            raise ValueError(
                f"encoder {config.encoder!r} has features at strides {reductions}, "
                "expected 4, 8, 16 and 32 among them"
            )
        channels = encoder.feature_info.channels()
        self.encoder = encoder
        self._levels = levels
        self.neck = FeaturePyramid([channels[level] for level in levels[1:]], config.channels)
        self.lanes = LaneHeads(config.channels, config.head_channels)
        self.mask = MaskHead(config.channels, channels[levels[0]])
        self.register_buffer("mean", torch.tensor(MEAN_RGB).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(STD_RGB).view(1, 3, 1, 1), persistent=False)

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """Run the network.

        Args:
            images: uint8 (N, H, W, 3) BGR, [0, 255]; H and W multiples of 32.

        Returns:
            ``lane_logits`` float (N, 5, 5, H / 8, W / 8) in the order of ``spec.LANE_MAPS``: the
            heat map before its sigmoid, the vector to the start in units of the grid's width and
            height, the position in cells; ``mask_logits`` float (N, H, W).
        """
        rgb = images.permute(0, 3, 1, 2).flip(1).float()
        features = self.encoder((rgb - self.mean) / self.std)
        stride4, *pyramid = [features[level] for level in self._levels]
        shared = self.neck(pyramid)
        size = (images.shape[1], images.shape[2])
        return {LANE_LOGITS: self.lanes(shared), MASK_LOGITS: self.mask(shared, stride4, size)}


class DeployWrapper(nn.Module):
    """The network as an artifact: probabilities and cells out, one tensor per task."""

    def __init__(self, network: PerceptionNetwork) -> None:
        """Wrap a trained network; the wrapper is in inference mode."""
        super().__init__()
        self.network = network
        self.eval()

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Run the network and finish its outputs.

        Args:
            image: uint8 (N, H, W, 3) BGR.

        Returns:
            ``lanes`` float32 (N, 5, 5, H / 8, W / 8) as ``spec.OUTPUT_LANES`` and ``mask`` uint8
            (N, H, W) as ``spec.OUTPUT_MASK``.
        """
        logits = self.network(image)
        lanes, mask = lanes_from_logits(logits[LANE_LOGITS]), torch.sigmoid(logits[MASK_LOGITS])
        return lanes, (mask * 255.0 + 0.5).to(torch.uint8)


def lanes_from_logits(logits: Tensor) -> Tensor:
    """Heat map by sigmoid, start vectors from grid units to cells. (N, 5, 5, h, w) both."""
    heat, start, position = logits.split((1, 2, 2), dim=2)
    grid = start.new_tensor((logits.shape[-1], logits.shape[-2])).view(1, 1, 2, 1, 1)
    return torch.cat((torch.sigmoid(heat), start * grid, position), dim=2)
