# SPDX-License-Identifier: Apache-2.0
"""From the encoder's features to the logits of every task, in one literal table.

``light_fpn`` merges the features once, on the grid on which all answers leave; nothing is resized
afterwards. ``shared_fpn`` merges them on a coarser one, and lets each head go its way from there
(models up to 0.5.0). ``baseline`` gives each task a neck of its own, so that only the encoder is
shared. ``fpn`` and ``unet`` are the field's decoders, references for dense answers; ``fast_scnn``
is Fast-SCNN's, on a grid of stride 8. What a head is, its task's room knows.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import ClassVar, Final

from torch import Tensor, nn

from shared_encoder_perception import tasks
from shared_encoder_perception.layers.decoders import PanopticFpn, UnetDecoder
from shared_encoder_perception.layers.encoder import STRIDES
from shared_encoder_perception.layers.fast_scnn import FastScnnDecoder
from shared_encoder_perception.layers.neck import FeaturePyramid, separable_bn_relu, upsample
from shared_encoder_perception.model.config import NetworkConfig
from shared_encoder_perception.structures import Size
from shared_encoder_perception.tasks.contract.training import Features, Widths

Companions = Mapping[str, Sequence[Tensor]]
"""As of ``Features``."""
NECK_STRIDE: Final = 8
"""Finest stride of a pyramid, unless the head of a task asks for another one."""


class LightFpn(nn.Module):
    """One feature pyramid for all tasks that ends on the grid of their answers."""

    stride: ClassVar[int | None] = 4

    def __init__(self, levels: Sequence[int], config: NetworkConfig) -> None:
        """``levels`` are the channels of the encoder's features at strides 4, 8, 16, 32."""
        super().__init__()
        finest, *coarser = levels
        width = config.channels // 2
        self.reads = reads_neck(config.tasks)
        if self.reads:
            self.neck = FeaturePyramid(coarser, config.channels, light=True)
            self.narrow = nn.Conv2d(config.channels, width, 1)
            self.lateral = nn.Conv2d(finest, width, 1)
            self.smooth = separable_bn_relu(width, width)
        widths = Widths(tuple(levels), width, shared=True, stride=self.stride)
        self.heads = _heads(widths, config)

    def forward(
        self,
        levels: Sequence[Tensor],
        size: Size,
        inputs: Mapping[str, Tensor],
        companions: Companions,
        asked: Collection[str],
    ) -> dict[str, Tensor]:
        """Return the logits of the tasks asked for; see ``Features`` for the other arguments."""
        neck = self._merged(levels) if self.reads else None
        features = Features(levels, neck, size, inputs, companions)
        return _joined([head(features) for task, head in self.heads.items() if task in asked])

    def _merged(self, levels: Sequence[Tensor]) -> Tensor:
        """Return the map that all heads read."""
        finest, *coarser = levels
        fine = upsample(self.narrow(self.neck(coarser)), (finest.shape[-2], finest.shape[-1]))
        merged: Tensor = self.smooth(fine + self.lateral(finest))
        return merged

    def shared(self) -> list[nn.Parameter]:
        """Return the parameters of the pyramid, which all tasks use."""
        parts = (self.neck, self.narrow, self.lateral, self.smooth) if self.reads else ()
        return [parameter for part in parts for parameter in part.parameters()]

    def last_shared(self) -> nn.Parameter | None:
        """Return the weights of the pyramid's last convolution, if there is one."""
        return self.smooth[2].weight if self.reads else None


class SharedFpn(nn.Module):
    """One feature pyramid for all tasks, light heads."""

    stride: ClassVar[int | None] = None

    def __init__(self, levels: Sequence[int], config: NetworkConfig) -> None:
        """``levels`` are the channels of the encoder's features at strides 4, 8, 16, 32."""
        super().__init__()
        self.reads = reads_neck(config.tasks)
        if self.reads:
            self.neck = FeaturePyramid(levels[STRIDES.index(NECK_STRIDE) :], config.channels)
        self.heads = _heads(Widths(tuple(levels), config.channels, shared=True), config)

    def forward(
        self,
        levels: Sequence[Tensor],
        size: Size,
        inputs: Mapping[str, Tensor],
        companions: Companions,
        asked: Collection[str],
    ) -> dict[str, Tensor]:
        """Return the logits of the tasks asked for; see ``Features`` for the other arguments."""
        neck = self.neck(levels[STRIDES.index(NECK_STRIDE) :]) if self.reads else None
        features = Features(levels, neck, size, inputs, companions)
        return _joined([head(features) for task, head in self.heads.items() if task in asked])

    def shared(self) -> list[nn.Parameter]:
        """Return the neck's parameters, which all tasks use."""
        return list(self.neck.parameters()) if self.reads else []

    def last_shared(self) -> nn.Parameter | None:
        """Return the weights of the neck's last convolution, if there is one."""
        return self.neck.smooth[0].weight if self.reads else None


class SeparateDecoders(nn.Module):
    """A neck and a head for each task."""

    stride: ClassVar[int | None] = None

    def __init__(self, levels: Sequence[int], config: NetworkConfig) -> None:
        """``levels`` are the channels of the encoder's features at strides 4, 8, 16, 32."""
        super().__init__()
        self.necks, self.heads = nn.ModuleDict(), nn.ModuleDict()
        self._finest = {}
        widths = Widths(tuple(levels), config.channels, shared=False)
        for task in config.tasks:
            room = tasks.part(task, "head")
            if reads_neck([task]):
                finest = STRIDES.index(getattr(room, "OWN_NECK", NECK_STRIDE))
                self._finest[task] = finest
                self.necks[task] = FeaturePyramid(levels[finest:], config.channels)
            self.heads[task] = room.make_head(widths, config)

    def forward(
        self,
        levels: Sequence[Tensor],
        size: Size,
        inputs: Mapping[str, Tensor],
        companions: Companions,
        asked: Collection[str],
    ) -> dict[str, Tensor]:
        """Return the logits of the tasks asked for; see ``Features`` for the other arguments."""
        logits = []
        for task, head in self.heads.items():
            if task not in asked:
                continue
            neck = None
            if task in self.necks:
                neck = self.necks[task](levels[self._finest[task] :])
            logits.append(head(Features(levels, neck, size, inputs, companions)))
        return _joined(logits)

    def shared(self) -> list[nn.Parameter]:
        """Return nothing: only the encoder is shared."""
        return []

    def last_shared(self) -> nn.Parameter | None:
        """Return nothing."""
        return None


class DenseDecoder(nn.Module):
    """One of the field's decoders, and the last convolution of each task on its map."""

    stride: ClassVar[int | None] = 4

    def __init__(self, levels: Sequence[int], config: NetworkConfig) -> None:
        """``levels`` are the channels of the encoder's features at strides 4, 8, 16, 32."""
        super().__init__()
        self.reads = reads_neck(config.tasks)
        made, width = self._made(levels, config)
        if self.reads:
            self.decoder = made
        widths = Widths(tuple(levels), width, shared=True, stride=self.stride, finished=True)
        self.heads = _heads(widths, config)

    def _made(self, levels: Sequence[int], config: NetworkConfig) -> tuple[nn.Module, int]:
        """Return the decoder, and the channels of its map."""
        wide = config.channels
        return PanopticFpn(levels, 4 * wide, 2 * wide), 2 * wide

    def forward(
        self,
        levels: Sequence[Tensor],
        size: Size,
        inputs: Mapping[str, Tensor],
        companions: Companions,
        asked: Collection[str],
    ) -> dict[str, Tensor]:
        """Return the logits of the tasks asked for; see ``Features`` for the other arguments."""
        decoded = self.decoder(levels) if self.reads else None
        features = Features(levels, decoded, size, inputs, companions)
        return _joined([head(features) for task, head in self.heads.items() if task in asked])

    def shared(self) -> list[nn.Parameter]:
        """Return the decoder's parameters, which all tasks use."""
        return list(self.decoder.parameters()) if self.reads else []

    def last_shared(self) -> nn.Parameter | None:
        """Return the weights of the decoder's last convolution, if there is one."""
        weights = [one for one in self.shared() if one.ndim == 4]
        return weights[-1] if weights else None


class Unet(DenseDecoder):
    """A U-Net's decoder; answers leave at stride 2."""

    stride: ClassVar[int | None] = 2

    def _made(self, levels: Sequence[int], config: NetworkConfig) -> tuple[nn.Module, int]:
        """Return the decoder, and the channels of its map."""
        made = UnetDecoder(levels, config.channels, config.decoder_residual)
        return made, made.outputs[-1]


class FastScnn(DenseDecoder):
    """Fast-SCNN's fusion and classifier; answers leave at stride 8."""

    stride: ClassVar[int | None] = 8

    def _made(self, levels: Sequence[int], config: NetworkConfig) -> tuple[nn.Module, int]:
        """Return the decoder, and the channels of its map."""
        width = 2 * config.channels
        return FastScnnDecoder(levels, width), width


def reads_neck(names: Iterable[str]) -> bool:
    """Whether the head of any of some tasks reads the pyramid's map."""
    rooms = tasks.parts("head", names).values()
    return any(getattr(room, "READS_NECK", True) for room in rooms)


def _heads(widths: Widths, config: NetworkConfig) -> nn.ModuleDict:
    """Make the head of each task on what they share."""
    return nn.ModuleDict(
        {task: tasks.part(task, "head").make_head(widths, config) for task in config.tasks}
    )


def _joined(logits: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """Put what several heads say into one dict."""
    return {name: value for one in logits for name, value in one.items()}


ARCHITECTURES: Final = MappingProxyType[
    str, type[LightFpn | SharedFpn | SeparateDecoders | DenseDecoder]
](
    {
        "light_fpn": LightFpn,
        "shared_fpn": SharedFpn,
        "baseline": SeparateDecoders,
        "fpn": DenseDecoder,
        "unet": Unet,
        "fast_scnn": FastScnn,
    }
)
"""Name -> class; all take (channels of the encoder's levels, NetworkConfig). ``stride`` is of the
grid on which all answers leave; ``None``: each task's head decides."""
