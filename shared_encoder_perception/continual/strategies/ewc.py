# SPDX-License-Identifier: Apache-2.0
"""Elastic weight consolidation (Kirkpatrick et al., PNAS 2017): what mattered moves little.

How much a weight mattered for a task is the diagonal of the empirical Fisher information: the mean,
over single samples, of the squared gradient of the labels' loss. Gradients of batches would not do:
their squares shrink as samples disagree. Tasks are added up with a decay, around the weights that
the last one left (Schwarz et al., Progress & Compress, ICML 2018, "online EWC").
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import Any, Final

import torch
from torch import Tensor, nn
from tqdm import tqdm

from shared_encoder_perception.continual.config import ContinualConfig
from shared_encoder_perception.continual.strategies.contract import Learned, Step
from shared_encoder_perception.model.network import PerceptionNetwork
from shared_encoder_perception.training.losses import Batch, Criterion

LOSS: Final = "ewc"
FISHER, WEIGHTS = "fisher", "weights"
"""Keys of what is remembered."""


class Ewc:
    """Pulls each weight back to where it was, as strongly as it mattered."""

    def __init__(self, config: ContinualConfig) -> None:
        """Take weight, number of samples and decay.

        Raises:
            ValueError: One of them is out of range.
        """
        self._config = own = config.ewc
        if not own.weight >= 0:
            raise ValueError(f"ewc.weight is {own.weight}, expected 0 or more")
        if own.samples < 1:
            raise ValueError(f"ewc.samples is {own.samples}, expected 1 or more")
        if not 0 <= own.decay <= 1:
            raise ValueError(f"ewc.decay is {own.decay}, expected 0 to 1")
        self._fisher: dict[str, Tensor] = {}
        self._weights: dict[str, Tensor] = {}

    def begin(self, task: int, network: PerceptionNetwork) -> None:
        """Check that what is remembered is of this network.

        Raises:
            ValueError: A weight that is remembered is not there, or has another shape.
        """
        there = dict(network.named_parameters())
        for name, weight in self._weights.items():
            if name not in there or there[name].shape != weight.shape:
                raise ValueError(
                    f"ewc remembers the weight {name} of another network: start the sequence anew "
                    "in another folder"
                )

    def losses(self, step: Step) -> dict[str, Tensor]:
        """Return ``ewc``, weighted; nothing before a task was learned."""
        if not (self._config.weight and self._weights):
            return {}
        device = step.batch.images.device
        if next(iter(self._fisher.values())).device != device:  # once a task
            self._fisher, self._weights = (
                {name: one.to(device) for name, one in kept.items()}
                for kept in (self._fisher, self._weights)
            )
        value = penalty(step.network, self._fisher, self._weights)
        return {LOSS: self._config.weight * value}

    def end(self, learned: Learned) -> None:
        """Add the task's information, and take its weights as those to stay at."""
        if not self._config.weight:
            return
        samples = tqdm(
            singles(learned.batches, self._config.samples),
            f"task {learned.task + 1}: Fisher information",
            self._config.samples,
            leave=False,
        )
        found = fisher(learned.network, samples, learned.criterion)
        decay = self._config.decay
        earlier = {name: one.cpu() for name, one in self._fisher.items()}
        self._fisher = {
            name: value + decay * earlier[name] if name in earlier else value
            for name, value in found.items()
        }
        # What this task did not train stands where it stood.
        self._fisher |= {name: decay * earlier[name] for name in earlier if name not in found}
        there = dict(learned.network.named_parameters())
        self._weights = {name: there[name].detach().cpu().clone() for name in self._fisher}

    def state(self) -> dict[str, Any]:
        """Return information and weights, by the names of the network's parameters."""
        return {
            key: {name: one.cpu() for name, one in kept.items()}
            for key, kept in ((FISHER, self._fisher), (WEIGHTS, self._weights))
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Remember what ``state`` returned."""
        self._fisher, self._weights = dict(state[FISHER]), dict(state[WEIGHTS])


def penalty(
    network: nn.Module, information: Mapping[str, Tensor], weights: Mapping[str, Tensor]
) -> Tensor:
    """Return half the sum of F (w - w*)^2 over the weights that are trained.

    Args:
        network: What is trained.
        information: F by the name of the parameter, where the network is.
        weights: w*, likewise.
    """
    parts = [
        (information[name] * (one - weights[name]).square()).sum()
        for name, one in network.named_parameters()
        if name in information and one.requires_grad
    ]
    return 0.5 * torch.stack(parts).sum() if parts else torch.zeros(())


def fisher(network: nn.Module, samples: Iterable[Batch], criterion: Criterion) -> dict[str, Tensor]:
    """Return the diagonal of the empirical Fisher information of the weights that are trained.

    Args:
        network: In inference mode, so that batch norm neither looks at a sample nor learns of it;
            its gradients are left as they were.
        samples: Batches of one sample.
        criterion: The losses of the labels.

    Returns:
        By the parameter's name, in its shape, on the CPU: the mean of the squared gradients. What
        no sample has a gradient for is 0.

    Raises:
        ValueError: There is no sample.
    """
    trained = {name: one for name, one in network.named_parameters() if one.requires_grad}
    device = next(network.parameters()).device
    sums = {name: torch.zeros_like(one) for name, one in trained.items()}
    count = 0
    for batch in samples:
        moved = batch.map(lambda tensor: tensor.to(device))
        with torch.enable_grad():
            logits = network(moved.images, moved.size, moved.companions)
            loss = criterion(logits, moved)["total"]
        found = torch.autograd.grad(loss, list(trained.values()), allow_unused=True)
        for total, gradient in zip(sums.values(), found, strict=True):
            if gradient is not None:
                total += gradient.square()
        count += 1
    if not count:
        raise ValueError("there is no sample to estimate the Fisher information from")
    return {name: (total / count).cpu() for name, total in sums.items()}


def singles(batches: Iterable[Batch], most: int) -> Iterator[Batch]:
    """Yield the first ``most`` samples of batches, each as a batch of its own."""
    left = most
    for batch in batches:
        for index in range(min(len(batch.images), left)):
            yield batch.map(partial(_only, index=index))
        left -= len(batch.images)
        if left <= 0:
            return


def _only(tensor: Tensor, index: int) -> Tensor:
    """Return one entry along the first axis, which stays."""
    return tensor[index : index + 1]
