# SPDX-License-Identifier: Apache-2.0
"""What of a network stays as it is while the rest is trained.

The first layers of a pretrained encoder see edges and colours, which roads have too, and on the
largest grids, where training spends a quarter of its time. And a task may move into a network that
answers others, which must not hear of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import torch
from torch import nn

from shared_encoder_perception.layers.encoder import STRIDES, Encoder
from shared_encoder_perception.model.network import PerceptionNetwork

PROBE: Final = (64, 64)
"""Size of the picture that shows which layer a feature comes from."""
NONE: Final = 0
FREEZABLE: Final = (NONE, *STRIDES)


def freeze(encoder: Encoder, stride: int) -> list[nn.Module]:
    """Take the layers up to the features of a stride out of training (in place).

    Args:
        encoder: Of the network.
        stride: One of ``FREEZABLE``; ``NONE`` for no layer.

    Returns:
        Those layers, to be kept in inference mode: batch norm is theirs, too.
    """
    if stride == NONE:
        return []
    was_training = encoder.training
    encoder.eval()  # the probe must not move batch norm's statistics
    encoder.requires_grad_(True)  # an earlier stage has frozen it
    with torch.enable_grad():
        size = (PROBE[0], PROBE[1])
        feature = encoder(torch.zeros(1, *PROBE, 3, dtype=torch.uint8), size)[STRIDES.index(stride)]
        parameters = list(encoder.parameters())
        found = torch.autograd.grad(feature.sum(), parameters, allow_unused=True)
    encoder.train(was_training)
    behind = {
        id(one) for one, gradient in zip(parameters, found, strict=True) if gradient is not None
    }
    layers = []
    for module in encoder.modules():
        own = list(module.parameters(recurse=False))
        if own and all(id(one) in behind for one in own):
            layers.append(module.eval().requires_grad_(False))
    return layers


def freeze_all_but(network: PerceptionNetwork, tasks: Sequence[str]) -> list[nn.Module]:
    """Take everything out of training but what only some tasks use (in place).

    Args:
        network: What it answers to other tasks stays the same to the bit.
        tasks: Of the network.

    Returns:
        The modules to be kept in inference mode.
    """
    trained = {
        id(one) for task in tasks for own in network.own_modules(task) for one in own.modules()
    }
    network.requires_grad_(False)
    for task in tasks:
        for own in network.own_modules(task):
            own.requires_grad_(True)
    around = {
        id(one) for one in network.modules() if trained & {id(part) for part in one.modules()}
    }
    return [one.eval() for one in network.modules() if id(one) not in trained | around]
