"""What a network is built from."""

from __future__ import annotations

from dataclasses import dataclass, field

from shared_encoder_perception import tasks


@dataclass(frozen=True)
class NetworkConfig:
    """What the network is built from; stored in checkpoints and artifacts.

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
        tasks: What the network answers; names of the tasks' table.
    """

    encoder: str = "mobilenetv4_conv_small"
    pretrained: bool = False
    architecture: str = "shared_fpn"
    channels: int = 64
    head_channels: int = 32
    attention: bool = False
    aggregation: bool = False
    encoder_scale: float = 1.0
    tasks: list[str] = field(default_factory=lambda: list(tasks.DEFAULT))
