# SPDX-License-Identifier: Apache-2.0
"""The network: a shared encoder, and an architecture that answers every task from its features."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import torch
from timm.utils.model import reparameterize_model
from torch import Tensor, nn

from shared_encoder_perception import tasks
from shared_encoder_perception.layers.context import AttentionBottleneck
from shared_encoder_perception.layers.encoder import STRIDES, Encoder
from shared_encoder_perception.model.architectures import ARCHITECTURES
from shared_encoder_perception.model.config import NetworkConfig
from shared_encoder_perception.spec import INPUT_IMAGE, INPUT_SIZE, ModelSpec
from shared_encoder_perception.structures import HALVES, Size
from shared_encoder_perception.tasks.blocks import blocks_of

Blocks = Mapping[str, Any]
"""``ModelSpec.tasks``: the block of each task, by its name."""


_ANY_SIZE: Final = (STRIDES[-1], STRIDES[-1])
"""Names of tensors are the same for every size."""


class PerceptionNetwork(nn.Module):
    """uint8 images in, raw logits of every task out; trained and deployed as it is."""

    def __init__(self, config: NetworkConfig) -> None:
        """Build it.

        Raises:
            ValueError: An unknown encoder, architecture or task, channels that do not divide by 4,
                or a scale out of range.
        """
        super().__init__()
        tasks.check(config.tasks, "network.tasks")
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
        if config.encoder_scale != 1.0 and ARCHITECTURES[config.architecture].stride is not None:
            raise ValueError(
                f"encoder_scale is {config.encoder_scale}, but {config.architecture} sees its "
                "input as it is, and answers on its grid: make the input smaller (stages.size)"
            )
        # Whoever builds it from a file has the weights from there.
        self.config = replace(config, pretrained=None)
        self.encoder = Encoder(config.encoder, config.pretrained or "", config.statistics)
        *finer, coarsest = self.encoder.channels
        self.attention: nn.Module = nn.Identity()
        if config.attention:
            self.attention = AttentionBottleneck(coarsest, config.channels)
            coarsest = config.channels
        self.decoder = ARCHITECTURES[config.architecture]((*finer, coarsest), config)
        self.encodes = encoded_beside(config.tasks)

    def forward(
        self,
        images: Tensor,
        size: Size | None = None,
        inputs: Mapping[str, Tensor] | None = None,
        asked: Collection[str] | None = None,
    ) -> dict[str, Tensor]:
        """Run the network.

        Args:
            images: uint8 (N, H, W, 3) BGR, [0, 255]; H and W multiples of 32.
            size: ``(H, W)`` of the answers where the images are given in another one: coarse
                pictures in training, when the encoder sees no more of them anyway.
            inputs: By name, what some task takes beside the images. What belongs to R rigs goes
                with the images of R times as many cameras, those of a rig one after another.
            asked: The tasks that are to answer; by default all.

        Returns:
            The logits of every task asked for, by names that their heads give them.

        Raises:
            ValueError: H or W is no multiple of 32, or a picture that is to be encoded is missing.
        """
        size, inputs = size or (images.shape[1], images.shape[2]), inputs or {}
        check_input_size(size)
        if missing := [name for name in self.encodes if name not in inputs]:
            raise ValueError(
                f"the network takes {', '.join(missing)} beside the images, expected pictures of "
                "the images' shape in `inputs`"
            )
        # One run of the encoder, with the weights that it has for the images.
        pictures = [images, *(inputs[name] for name in self.encodes)]
        together = images if len(pictures) == 1 else torch.cat(pictures)
        *finer, coarsest = self.encoder(together, scaled_size(size, self.config.encoder_scale))
        levels = (*finer, self.attention(coarsest))
        own, *others = _parted(levels, len(pictures), images.shape[0])
        companions = dict(zip(self.encodes, others, strict=True))
        asked = self.config.tasks if asked is None else asked
        return self.decoder(own, size, {INPUT_IMAGE: images, **inputs}, companions, asked)

    def keep(self, names: Iterable[str]) -> None:
        """Forget the tasks that are not named, and what was encoded for them alone (in place)."""
        left = [task for task in self.config.tasks if task in set(names)]
        for parts in (self.decoder.heads, getattr(self.decoder, "necks", {})):
            for task in set(parts) - set(left):
                del parts[task]
        self.config, self.encodes = replace(self.config, tasks=left), encoded_beside(left)

    def last_shared(self) -> nn.Parameter:
        """Return the weights of the last layer that every task uses (for gradient norms)."""
        weight = self.decoder.last_shared()
        if weight is None:
            shared = self.attention if self.config.attention else self.encoder
            weight = [parameter for parameter in shared.parameters() if parameter.ndim == 4][-1]
        return weight

    def own_modules(self, task: str) -> list[nn.Module]:
        """Return what only one task uses: its head, and its neck where it has one."""
        necks = getattr(self.decoder, "necks", {})
        return [part[task] for part in (self.decoder.heads, necks) if task in part]

    def shared_parameters(self) -> list[nn.Parameter]:
        """Return all parameters that more than one task uses."""
        return [
            *self.encoder.parameters(),
            *self.attention.parameters(),
            *self.decoder.shared(),
        ]


def encoded_beside(names: Iterable[str]) -> tuple[str, ...]:
    """Return the names of the pictures that the encoder sees beside the image, for some tasks."""
    rooms = tasks.parts("head", names).values()
    return tuple({name: 0 for room in rooms for name in getattr(room, "ENCODES", ())})


def _parted(levels: Sequence[Tensor], parts: int, count: int) -> list[Sequence[Tensor]]:
    """Return the features of ``count`` pictures each, of several times as many in one batch."""
    if parts == 1:
        return [levels]
    return [[level[part * count : (part + 1) * count] for level in levels] for part in range(parts)]


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


def promised(config: NetworkConfig, input_size: Size) -> dict[str, Any]:
    """Return the block of each task that a network promises while nobody has calibrated it.

    Args:
        config: Of the network.
        input_size: ``(height, width)`` of its input.
    """
    return blocks_of(config, ARCHITECTURES[config.architecture].stride, input_size)


def plain_spec(config: NetworkConfig, name: str, size: Size = INPUT_SIZE) -> ModelSpec:
    """Return the spec of a network of which nothing else is known.

    Args:
        config: Of the network.
        name: Of the model.
        size: ``(height, width)`` of its input.
    """
    return ModelSpec(name, "0", size, promised(config, size), shrink=HALVES)


class DeployWrapper(nn.Module):
    """The network as an artifact: the tensors that a spec promises, in its order.

    Attributes:
        inputs: Names of what ``forward`` takes, in order; the image first.
        outputs: Names of what it returns, in order.
    """

    def __init__(self, network: PerceptionNetwork, blocks: Blocks) -> None:
        """Wrap a trained network, in inference mode, its parallel branches merged.

        Args:
            network: Put into inference mode.
            blocks: Of the spec; what the network answers beside them is left out.

        Raises:
            ValueError: A task that the network does not answer, or not on that grid.
        """
        super().__init__()
        if strange := [task for task in blocks if task not in network.config.tasks]:
            raise ValueError(
                f"the spec promises {', '.join(strange)}, the network answers only "
                f"{', '.join(network.config.tasks)}"
            )
        own = promised(network.config, _ANY_SIZE)
        for task, block in blocks.items():
            said, given = (one.outputs(_ANY_SIZE) for one in (block, own[task]))
            if said != given:
                raise ValueError(
                    f"the spec promises {task} on another grid than the network answers on, for a "
                    f"picture of {_ANY_SIZE[0]}x{_ANY_SIZE[1]} {said}, not {given}: give it the "
                    "strides of `promised`"
                )
        self.network, self._finish = reparameterize_model(network.eval()), Finish(blocks)
        self.network.keep(blocks)
        others, self.outputs = (
            [name for block in blocks.values() for name in getattr(block, tensors)(_ANY_SIZE)]
            for tensors in ("inputs", "outputs")
        )
        self.inputs = [INPUT_IMAGE, *others]
        self.eval()

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """Run the network and finish its outputs.

        Args:
            inputs: As ``ModelSpec.input_tensors``, each with the batch axis: uint8 (N, H, W, 3) BGR
                images, and what the tasks take beside them.

        Returns:
            As ``ModelSpec.output_tensors``, each with the batch axis, which is of images or of rigs
            (``ModelSpec.of_rigs``).
        """
        named = dict(zip(self.inputs, inputs, strict=True))
        image = named.pop(INPUT_IMAGE)
        size = (image.shape[1], image.shape[2])
        return tuple(self._finish(self.network(image, size, named), size).values())


class Finish:
    """Turns logits into what an artifact gives."""

    def __init__(self, blocks: Blocks) -> None:
        """Ask the rooms once: a network is run often, and may be compiled.

        Args:
            blocks: Of the spec.
        """
        self._parts = [(tasks.part(task, "head").finish, block) for task, block in blocks.items()]

    def __call__(self, logits: Mapping[str, Tensor], size: Size) -> dict[str, Tensor]:
        """Finish the logits of all tasks.

        Args:
            logits: As ``PerceptionNetwork.forward`` returns them.
            size: ``(height, width)`` of the network's input.

        Returns:
            As ``ModelSpec.output_tensors``, each with the batch axis.
        """
        found: dict[str, Tensor] = {}
        for finish, block in self._parts:
            tensors = finish(logits, size, block)
            found |= {name: tensors[name] for name in block.outputs(size)}
        return found
