"""From the encoder's features to the logits of every task: two ways, in one literal table.

``shared_fpn`` merges the features once and hangs light heads on the result; ``baseline`` gives each
task a neck and a decoder of its own, so that only the encoder is shared.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import MappingProxyType
from typing import Final

from torch import Tensor, nn

from shared_encoder_perception.layers.context import FeatureAggregation
from shared_encoder_perception.layers.neck import FeaturePyramid
from shared_encoder_perception.model.heads import (
    BranchedLaneHeads,
    LaneHeads,
    MaskDecoder,
    MaskHead,
    upsample,
)
from shared_encoder_perception.structures import Size

GRID_STRIDE: Final = 8
"""Input pixels per cell of the lane maps."""
LANE_LOGITS: Final = "lane_logits"
MASK_LOGITS: Final = "mask_logits"


class TaskDecoder(nn.Module):
    """What both architectures are to the network; see ``SharedFpn`` and ``SeparateDecoders``."""

    def shared(self) -> list[nn.Parameter]:
        """Return the parameters of this decoder that several tasks use."""
        return []

    def last_shared(self) -> nn.Parameter | None:
        """Return the weights of its last layer that all tasks use, if there is one."""
        return None


class SharedFpn(TaskDecoder):
    """One feature pyramid for all tasks, light heads."""

    def __init__(
        self, inputs: Sequence[int], channels: int, head_channels: int, aggregation: bool
    ) -> None:
        """``inputs`` are the encoder's channels at strides 4, 8, 16, 32."""
        super().__init__()
        self.neck = FeaturePyramid(inputs[1:], channels)
        self.aggregation = FeatureAggregation(channels) if aggregation else nn.Identity()
        self.lanes = LaneHeads(channels, head_channels)
        self.mask = MaskHead(channels, inputs[0])

    def forward(self, levels: Sequence[Tensor], size: Size) -> dict[str, Tensor]:
        """Return the logits, as ``PerceptionNetwork.forward``."""
        shared = self.neck(levels[1:])
        return {
            LANE_LOGITS: self.lanes(self.aggregation(on_grid(shared, size))),
            MASK_LOGITS: self.mask(shared, levels[0], size),
        }

    def shared(self) -> list[nn.Parameter]:
        """Return the neck's parameters."""
        return list(self.neck.parameters())

    def last_shared(self) -> nn.Parameter | None:
        """Return the weights of the neck's last convolution."""
        return self.neck.smooth[0].weight


class SeparateDecoders(TaskDecoder):
    """A neck and a decoder for each task."""

    def __init__(
        self, inputs: Sequence[int], channels: int, head_channels: int, aggregation: bool
    ) -> None:
        """``inputs`` are the encoder's channels at strides 4, 8, 16, 32."""
        super().__init__()
        self.lane_neck = FeaturePyramid(inputs[1:], channels)
        self.aggregation = FeatureAggregation(channels) if aggregation else nn.Identity()
        self.lanes = BranchedLaneHeads(channels, head_channels)
        self.mask_neck = FeaturePyramid(inputs, channels)
        self.mask = MaskDecoder(channels)

    def forward(self, levels: Sequence[Tensor], size: Size) -> dict[str, Tensor]:
        """Return the logits, as ``PerceptionNetwork.forward``."""
        return {
            LANE_LOGITS: self.lanes(self.aggregation(on_grid(self.lane_neck(levels[1:]), size))),
            MASK_LOGITS: self.mask(self.mask_neck(levels), size),
        }


def on_grid(feature: Tensor, size: Size) -> Tensor:
    """Resize a map at stride 8 of what the encoder saw to stride 8 of the input of ``size``."""
    grid = (size[0] // GRID_STRIDE, size[1] // GRID_STRIDE)
    return feature if tuple(feature.shape[-2:]) == grid else upsample(feature, grid)


ARCHITECTURES: Final = MappingProxyType[str, type[SharedFpn | SeparateDecoders]](
    {"shared_fpn": SharedFpn, "baseline": SeparateDecoders}
)
"""Name -> class; all take (encoder channels, neck channels, head channels, aggregation)."""
