# SPDX-License-Identifier: Apache-2.0
"""How the tasks' losses become one step: four ways, by name from one literal table.

What is balanced are groups of losses, ``Criterion.groups``; a large task may have several.

Each has ``backward(losses, network, step)``, which leaves the gradients in ``.grad``, and may have
parameters of its own. Those that need a gradient per task average it over all processes before they
compare tasks, so that many processes do what one would do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

import torch
from torch import Tensor, distributed, nn

from shared_encoder_perception.model.network import PerceptionNetwork

LOG_VARIANCE_RANGE: Final = (-2.0, 4.0)
ASYMMETRY: Final = 1.5
"""GradNorm's alpha: how strongly tasks that learn slower are favoured (1.5 in the paper)."""
LOWEST_WEIGHT: Final = 0.05


class TaskWeighting(nn.Module):
    """What all have in common.

    Attributes:
        own_backward: True where ``backward`` takes the place of ``objective(...).backward()``.
    """

    own_backward = False

    def __init__(self, groups: Sequence[str]) -> None:
        """Balance the losses of these names."""
        super().__init__()
        self._groups = tuple(groups)

    def objective(self, losses: Mapping[str, Tensor]) -> Tensor:
        """Return the scalar to minimise, from one loss per group."""
        return torch.stack(list(losses.values())).sum()

    def backward(self, losses: Mapping[str, Tensor], network: PerceptionNetwork, step: int) -> None:
        """Set ``.grad`` of the network's (and the own) parameters."""
        raise NotImplementedError(f"{type(self).__name__} uses objective(...).backward()")

    def weights(self) -> dict[str, float]:
        """Return each group's weight as it stands, for the log."""
        return {}


class FixedWeights(TaskWeighting):
    """The sum of the groups, with the weights that the rooms give their parts."""


class UncertaintyWeights(TaskWeighting):
    """Homoscedastic uncertainty (Kendall et al. 2017, eq. 7): ``sum exp(-s) L + s``.

    The factor 1/2 of the paper belongs to the squared error, which none of our losses is.
    """

    def __init__(self, groups: Sequence[str]) -> None:
        """Start with weight 1 for every group."""
        super().__init__(groups)
        self.log_variance = nn.Parameter(torch.zeros(len(self._groups)))

    def objective(self, losses: Mapping[str, Tensor]) -> Tensor:
        """Weight each task by its learned uncertainty."""
        with torch.no_grad():  # not in the graph: beyond a clamp the gradient would never return
            self.log_variance.clamp_(*LOG_VARIANCE_RANGE)
        stacked = torch.stack([losses[task] for task in self._groups])
        return (torch.exp(-self.log_variance) * stacked + self.log_variance).sum()

    def weights(self) -> dict[str, float]:
        """Return ``exp(-s)``."""
        return dict(zip(self._groups, torch.exp(-self.log_variance).tolist(), strict=True))


class GradNorm(TaskWeighting):
    """Balance the tasks' gradient norms at the last shared layer (Chen et al. 2018).

    The weights are moved by the gradient of ``sum |w g - mean(w g) r^alpha|`` (algorithm 1), where
    ``g`` is a task's gradient norm and ``r`` its loss, relative to its first one and to the mean.
    """

    own_backward = True

    def __init__(self, groups: Sequence[str]) -> None:
        """Start with weight 1 for every group."""
        super().__init__(groups)
        self.task_weights = nn.Parameter(torch.ones(len(self._groups)))
        self.register_buffer("first_losses", torch.zeros(len(self._groups)))

    def backward(self, losses: Mapping[str, Tensor], network: PerceptionNetwork, step: int) -> None:
        """Set the network's gradient for the weighted sum, and the weights' own."""
        with torch.no_grad():
            self.task_weights.clamp_(min=LOWEST_WEIGHT)
            self.task_weights.mul_(len(self._groups) / self.task_weights.sum())
        stacked = torch.stack([losses[task] for task in self._groups])
        layer = network.last_shared()
        norms = torch.stack(
            [
                _averaged([torch.autograd.grad(loss, layer, retain_graph=True)[0]])[0].norm()
                for loss in stacked
            ]
        )
        current = _averaged([stacked.detach()])[0]
        if not self.first_losses.any():
            self.first_losses.copy_(current)
        relative = current / self.first_losses.clamp(min=1e-9)
        rate = (relative / relative.mean().clamp(min=1e-9)) ** ASYMMETRY
        weighted = self.task_weights.detach() * norms
        self.task_weights.grad = torch.sign(weighted - weighted.mean() * rate) * norms
        objective = (self.task_weights.detach() * stacked).sum()
        parameters = [one for one in network.parameters() if one.requires_grad]
        for parameter, gradient in zip(
            parameters, _gradients(objective, parameters, retain=False), strict=True
        ):
            parameter.grad = gradient

    def weights(self) -> dict[str, float]:
        """Return the weights."""
        return dict(zip(self._groups, self.task_weights.tolist(), strict=True))


class PCGrad(TaskWeighting):
    """Project each task's gradient off the ones it conflicts with (Yu et al. 2020, algorithm 1).

    Only parameters that several tasks share are projected; the others get their own gradient.
    """

    own_backward = True

    def backward(self, losses: Mapping[str, Tensor], network: PerceptionNetwork, step: int) -> None:
        """Set the network's gradient to the sum of the projected ones."""
        parameters = [one for one in network.parameters() if one.requires_grad]
        identity = {id(parameter) for parameter in network.shared_parameters()}
        shared = [index for index, item in enumerate(parameters) if id(item) in identity]
        last = len(losses) - 1
        each = [
            _gradients(loss, parameters, retain=index < last)
            for index, loss in enumerate(losses.values())
        ]
        total = [torch.stack(tensors).sum(dim=0) for tensors in zip(*each, strict=True)]
        flat = [torch.cat([gradients[i].flatten() for i in shared]) for gradients in each]
        generator = torch.Generator().manual_seed(step)
        projected = torch.stack(project_conflicts(flat, generator)).sum(dim=0)
        sizes = [parameters[i].numel() for i in shared]
        for index, gradient in zip(shared, projected.split(sizes), strict=True):
            total[index] = gradient.view_as(parameters[index])
        for parameter, gradient in zip(parameters, total, strict=True):
            parameter.grad = gradient


def project_conflicts(gradients: Sequence[Tensor], generator: torch.Generator) -> list[Tensor]:
    """Take from each gradient what points against another, in random order.

    Args:
        gradients: One flat (P,) gradient per task.
        generator: Decides the order.
    """
    projected = []
    for index, gradient in enumerate(gradients):
        own = gradient.clone()
        for other in torch.randperm(len(gradients), generator=generator).tolist():
            conflict = own @ gradients[other]
            if other != index and conflict < 0:
                own -= conflict / gradients[other].square().sum() * gradients[other]
        projected.append(own)
    return projected


def _gradients(loss: Tensor, parameters: Sequence[nn.Parameter], retain: bool) -> list[Tensor]:
    """Gradient of each parameter, zero where the loss does not reach; mean over all processes."""
    found = torch.autograd.grad(loss, parameters, retain_graph=retain, allow_unused=True)
    return _averaged(
        [
            torch.zeros_like(parameter) if gradient is None else gradient
            for parameter, gradient in zip(parameters, found, strict=True)
        ]
    )


def _averaged(tensors: Sequence[Tensor]) -> list[Tensor]:
    """Mean of each tensor over all processes, in one message."""
    if not (distributed.is_available() and distributed.is_initialized()):
        return list(tensors)
    flat = torch.cat([tensor.flatten() for tensor in tensors])
    distributed.all_reduce(flat)
    flat /= distributed.get_world_size()
    parts = flat.split([tensor.numel() for tensor in tensors])
    return [part.view_as(tensor) for part, tensor in zip(parts, tensors, strict=True)]


WEIGHTINGS: Final = MappingProxyType[str, type[TaskWeighting]](
    {
        "fixed": FixedWeights,
        "uncertainty": UncertaintyWeights,
        "gradnorm": GradNorm,
        "pcgrad": PCGrad,
    }
)
"""Name -> class."""


def make_weighting(name: str, groups: Sequence[str]) -> TaskWeighting:
    """Return the task weighting of that name, for these groups of losses.

    Raises:
        ValueError: An unknown name.
    """
    if name not in WEIGHTINGS:
        raise ValueError(f"unknown task weighting {name!r}: use one of {list(WEIGHTINGS)}")
    return WEIGHTINGS[name](groups)
