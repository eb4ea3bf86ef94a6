# SPDX-License-Identifier: Apache-2.0
"""A small network, a batch that it answers, and steps of training on it, for strategies."""

from __future__ import annotations

import torch
from batches import batch_of
from smallest import ENCODER

from shared_encoder_perception import tasks
from shared_encoder_perception.continual.config import ContinualConfig, TaskConfig, TestConfig
from shared_encoder_perception.continual.strategies.contract import Learned, Step
from shared_encoder_perception.model.network import NetworkConfig, PerceptionNetwork
from shared_encoder_perception.training.config import loss_config
from shared_encoder_perception.training.data_config import SetConfig
from shared_encoder_perception.training.losses import Criterion

SIZE = (64, 96)
NAMES = list(tasks.DEFAULT)


def config(**values):
    """Return the config of a sequence of one rendered task."""
    worlds = [SetConfig("synthetic", count=4)]
    return ContinualConfig(tasks=[TaskConfig("day", worlds, [TestConfig("day", worlds)])], **values)


def small_network(seed=0):
    """Return a network in inference mode, its batch norms' statistics those of some noise."""
    torch.manual_seed(seed)
    network = PerceptionNetwork(NetworkConfig(encoder=ENCODER, channels=16, head_channels=8))
    with torch.no_grad():
        network.train()(images(seed=9))
    return network.eval()


def images(count=2, seed=0):
    """Return noise."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (count, *SIZE, 3), dtype=torch.uint8, generator=generator)


def batch(count=2, seed=0):
    """Return a batch of noise without labels."""
    return batch_of(*[{}] * count, size=SIZE, seed=seed)


def step_of(network, one):
    """Return what a strategy is asked with when ``network`` is trained on a batch."""
    levels = []
    hook = network.encoder.register_forward_hook(lambda *said: levels.extend(said[2]))
    logits = network(one.images, one.size, one.companions)
    hook.remove()
    return Step(network, one, logits, levels)


def learned(network, batches, task=0):
    """Return what a strategy is told when a task has been learned."""
    return Learned(task, network.eval(), batches, Criterion(NAMES, loss_config()))


def gradients(losses, network):
    """Return the gradient of the sum of losses, by parameter; 0 where there is none."""
    network.zero_grad(set_to_none=True)
    total = torch.stack(list(losses.values())).sum()
    if total.requires_grad:
        total.backward()
    return {
        name: torch.zeros_like(one) if one.grad is None else one.grad.clone()
        for name, one in network.named_parameters()
    }


def moved(network, by=0.05, seed=1):
    """Change every weight of a network a little (in place)."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for one in network.parameters():
            one += by * torch.randn(one.shape, generator=generator)
    return network
