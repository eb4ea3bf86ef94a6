# SPDX-License-Identifier: Apache-2.0
"""An encoder in two parts: its layers up to some level of features, and those behind it.

It can be cut where its layers follow one another, each taking just what the one before it gives,
and its features are what some of them give. So it is with timm's feature extractors for
EfficientNet and MobileNet, with its ``FeatureListNet``, and with our own Fast-SCNN: their classes
say which layer gives which level. Nothing is told from shapes, and both parts together are compared
with the whole when they are made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import MappingProxyType
from typing import Any, Final, NamedTuple

import torch
from timm.models._features import FeatureListNet
from timm.models.efficientnet import EfficientNetFeatures
from timm.models.mobilenetv3 import MobileNetV3Features
from torch import Tensor, nn

from shared_encoder_perception.layers.encoder import PROVEN, STRIDES, Encoder
from shared_encoder_perception.layers.fast_scnn import FastScnnEncoder
from shared_encoder_perception.structures import Size

CUTS: Final = STRIDES[:-1]
"""Strides of the features behind which an encoder can be cut."""
PROBE: Final = (32, 64)
"""Size of the picture on which both parts are compared with the whole."""


class Layer(NamedTuple):
    """A layer of a chain.

    Attributes:
        run: What it makes of what the layer before it gave.
        stride: Of the features that it gives; 0 where these are none of ``STRIDES``.
    """

    run: nn.Module
    stride: int = 0


class EncoderParts:
    """The layers of an encoder in two parts; they stay the encoder's, with all that befalls them.

    Attributes:
        strides: Of the levels that the front gives; behind the last of them lies the cut.
        layers: Of the front.
    """

    def __init__(self, encoder: Encoder, stride: int) -> None:
        """Cut an encoder, which stays as it is.

        Args:
            encoder: Of a network.
            stride: One of ``CUTS``: of the last features in front of the cut.

        Raises:
            ValueError: Such an encoder cannot be cut, or another stride.
        """
        if stride not in CUTS:
            raise ValueError(f"an encoder is cut at the stride {stride}, expected one of {CUTS}")
        layers_of = _CHAINS.get(type(encoder.features))
        layers = layers_of(encoder.features) if layers_of else None
        if layers is None:
            raise ValueError(_told(encoder))
        at = 1 + [layer.stride for layer in layers].index(stride)
        self._encoder, self._front, self._rest = encoder, layers[:at], layers[at:]
        self.strides = STRIDES[: 1 + STRIDES.index(stride)]
        self.layers = [layer.run for layer in self._front]
        if not self._is_whole():
            raise ValueError(_told(encoder))

    def front(self, images: Tensor, size: Size) -> list[Tensor]:
        """Return the levels up to the cut, as ``Encoder.forward`` does; the last one goes on.

        Args:
            images: uint8 (N, H, W, 3) BGR, of any size.
            size: ``(h, w)`` at which they are looked at.
        """
        return _run(self._front, self._encoder.normalised(images, size))

    def rest(self, levels: Sequence[Tensor]) -> list[Tensor]:
        """Return all levels, of those that ``front`` gave."""
        return [*levels, *_run(self._rest, levels[-1])]

    def _is_whole(self) -> bool:
        """Whether both parts give what the encoder gives, on some noise."""
        encoder, device = self._encoder, self._encoder.mean.device
        noise = torch.Generator().manual_seed(0)
        images = torch.randint(0, 256, (1, *PROBE, 3), dtype=torch.uint8, generator=noise)
        images = images.to(device)
        with _at_rest(encoder), torch.no_grad():
            whole, parts = encoder(images, PROBE), self.rest(self.front(images, PROBE))
        return len(whole) == len(parts) and all(map(torch.equal, whole, parts))


@contextmanager
def _at_rest(module: nn.Module) -> Iterator[None]:
    """Put a module into inference mode for a while; each of its parts goes back into its own."""
    before = [(part, part.training) for part in module.modules()]
    module.eval()
    try:
        yield
    finally:
        for part, training in before:
            part.training = training


def _run(layers: Sequence[Layer], state: Tensor) -> list[Tensor]:
    """Run layers one after the other; return what those give that have a stride."""
    found = []
    for layer in layers:
        state = layer.run(state)
        if layer.stride:
            found.append(state)
    return found


def _of_blocks(features: Any) -> list[Layer] | None:
    """Return the layers of timm's EfficientNets and MobileNets: a stem, and stages of blocks."""
    if features.feature_hooks is not None:  # features from inside of blocks
        return None
    strides = {known["stage"]: known["reduction"] for known in features.feature_info.get_dicts()}
    *stem, last = [
        part for name, part in features.named_children() if name in ("conv_stem", "bn1", "act1")
    ]
    stages = [Layer(stage, strides.get(at, 0)) for at, stage in enumerate(features.blocks, 1)]
    return _named([*map(Layer, stem), Layer(last, strides.get(0, 0)), *stages])


def _of_list(features: Any) -> list[Layer] | None:
    """Return the layers of timm's networks that it runs one after the other."""
    strides = features.feature_info.reduction()
    given = dict(zip(features.return_layers, strides, strict=True))
    return _named([Layer(part, given.get(name, 0)) for name, part in features.items()])


def _of_fast_scnn(features: Any) -> list[Layer] | None:
    """Return the layers of our Fast-SCNN."""
    parts = (features.stem, features.shared, features.middle)
    finer = [Layer(part, stride) for part, stride in zip(parts, STRIDES[:-1], strict=True)]
    return [*finer, Layer(features.coarse), Layer(features.pooling, STRIDES[-1])]


def _named(layers: list[Layer]) -> list[Layer] | None:
    """Forget strides that are not asked for; nothing where a stride is missing or comes twice."""
    asked = [layer._replace(stride=layer.stride * (layer.stride in STRIDES)) for layer in layers]
    return asked if tuple(one.stride for one in asked if one.stride) == STRIDES else None


def _told(encoder: Encoder) -> str:
    """Say that an encoder cannot be cut."""
    kind = type(encoder.features).__name__
    return (
        f"the encoder, whose features are made by {kind}, cannot be cut in two: its layers are not "
        f"known to follow one another; use network.encoder {', '.join(PROVEN)}"
    )


_CHAINS: Final[Mapping[type, Callable[[Any], list[Layer] | None]]] = MappingProxyType(
    {
        EfficientNetFeatures: _of_blocks,
        MobileNetV3Features: _of_blocks,
        FeatureListNet: _of_list,
        FastScnnEncoder: _of_fast_scnn,
    }
)
"""Class of the features, that itself and none derived from it, -> its layers, or nothing."""
