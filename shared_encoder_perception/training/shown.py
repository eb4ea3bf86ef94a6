# SPDX-License-Identifier: Apache-2.0
"""What a network is shown where only the statistics of its features are asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final

import numpy as np
import torch
from torch import Tensor

from shared_encoder_perception import tasks
from shared_encoder_perception.model.network import PerceptionNetwork, promised
from shared_encoder_perception.spec import INPUT_IMAGE
from shared_encoder_perception.structures import Size
from shared_encoder_perception.training.data_config import SetConfig
from shared_encoder_perception.training.rig_augment import plain
from shared_encoder_perception.training.rig_batches import as_arrays
from shared_encoder_perception.training.rig_set import RenderedRigs
from shared_encoder_perception.world.synthetic import render_sample

IMAGES: Final = 32
"""Rendered for statistics, of single cameras."""
RIGS: Final = 12
"""Likewise, of ``CAMERAS`` each."""
CAMERAS: Final = 4
AT_ONCE: Final = 4
"""Single images in a batch."""

Shown = Callable[[PerceptionNetwork], Iterator[Mapping[str, Tensor]]]
"""The inputs that a network is given, batch by batch, ``image`` among them."""


def pictures(images: Tensor) -> Shown:
    """Show given pictures, uint8 (N, H, W, 3) BGR."""

    def shown(network: PerceptionNetwork) -> Iterator[Mapping[str, Tensor]]:
        for few in images.split(AT_ONCE):
            # What is no pair keeps every norm's variance from 0; statistics undo themselves.
            yield {INPUT_IMAGE: few} | dict.fromkeys(network.encodes, few.roll(1, dims=0))

    return shown


def worlds(size: Size) -> Shown:
    """Show rendered worlds in pictures of ``(height, width)``: rigs to a network that takes them.

    A rig that sees nothing of the network's grid is left out.
    """

    def shown(network: PerceptionNetwork) -> Iterator[Mapping[str, Tensor]]:
        if any(map(tasks.is_rig, network.config.tasks)):
            yield from _rigs(network, size)
            return
        images = [render_sample(seed, size, tasks=()).image for seed in range(IMAGES)]
        yield from pictures(torch.from_numpy(np.stack(images)))(network)

    return shown


def _rigs(network: PerceptionNetwork, size: Size) -> Iterator[Mapping[str, Tensor]]:
    """Yield one rig after another."""
    blocks, rendered = promised(network.config, size), RenderedRigs(SetConfig(count=RIGS), 0, size)
    for index in range(RIGS):
        try:
            rig = as_arrays(plain(rendered.read(index, CAMERAS).frame), size, size, blocks)
        except ValueError:
            continue
        beside = {name: torch.from_numpy(table[None]) for name, table in rig.tables.items()}
        yield {INPUT_IMAGE: torch.from_numpy(rig.images)} | beside
