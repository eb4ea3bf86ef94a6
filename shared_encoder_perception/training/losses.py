# SPDX-License-Identifier: Apache-2.0
"""The criterion: network logits and targets -> every loss by name, and their weighted ``total``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from shared_encoder_perception import tasks
from shared_encoder_perception.structures import Size
from shared_encoder_perception.training.room_config import own


class NonFiniteLossError(RuntimeError):
    """A loss became NaN or infinite; the message holds all parts."""


@dataclass(frozen=True, eq=False)
class Batch:
    """What one training step needs; N images.

    Attributes:
        images: uint8 (N, H, W, 3) BGR; of another size where pictures are loaded coarser.
        targets: By task, what its room's ``target.encode`` made, stacked.
        size: ``(H, W)`` of the answers; the images may be coarser.
        companions: By the name of the network's input, pictures as ``images``; or what belongs to
            the rigs whose cameras took the images.
    """

    images: Tensor
    targets: Mapping[str, Mapping[str, Tensor]]
    size: Size
    companions: Mapping[str, Tensor] = field(default_factory=dict)

    def tensors(self) -> Iterator[Tensor]:
        """Yield all tensors, always in the same order."""
        yield self.images
        yield from self.companions.values()
        for targets in self.targets.values():
            yield from targets.values()

    def map(self, function: Callable[[Tensor], Tensor]) -> Batch:
        """Return a batch of what ``function`` makes of each tensor."""
        targets = {
            task: {name: function(tensor) for name, tensor in tensors.items()}
            for task, tensors in self.targets.items()
        }
        companions = {name: function(tensor) for name, tensor in self.companions.items()}
        return Batch(function(self.images), targets, self.size, companions)

    def pin_memory(self) -> Batch:
        """Return a copy from which a GPU reads faster; asked for by torch's loader."""
        return self.map(Tensor.pin_memory)


class Criterion(nn.Module):
    """All losses of the network.

    Sums are divided by counts over the whole batch of all processes, so that several processes
    that average their gradients do what one would do with all their images.

    Attributes:
        groups: What task weighting balances -> its parts and their weights, of all tasks.
    """

    def __init__(self, names: Sequence[str], config: Any) -> None:
        """Make the loss of each task.

        Args:
            names: Of the tasks.
            config: ``loss`` of a ``TrainConfig``.

        Raises:
            ValueError: Two tasks have a group or a part of the same name.
        """
        super().__init__()
        rooms = {name: tasks.part(name, "loss") for name in names}
        self._losses = nn.ModuleDict(
            {name: room.make_loss(own(config, room)) for name, room in rooms.items()}
        )
        groups = [item for room in rooms.values() for item in room.PARTS.items()]
        parts = ["total", *(part for _, weights in groups for part in weights)]
        for what, found in (("group", [group for group, _ in groups]), ("part", parts)):
            if twice := sorted({name for name in found if found.count(name) > 1}):
                raise ValueError(f"two tasks have a loss's {what} of the name {twice[0]!r}")
        self.groups: dict[str, dict[str, float]] = {
            group: dict(weights) for group, weights in groups
        }

    def forward(self, logits: Mapping[str, Tensor], batch: Batch) -> dict[str, Tensor]:
        """Compute every loss.

        Args:
            logits: As ``PerceptionNetwork.forward`` returns them.
            batch: The targets.

        Returns:
            A scalar for each part of ``groups``, and ``total``, their sum with the fixed weights.

        Raises:
            NonFiniteLossError: Any of them is NaN or infinite.
        """
        found: dict[str, Tensor] = {}
        for name, loss in self._losses.items():
            found |= loss(logits, batch.targets[name])
        parts = {part: found[part] for weights in self.groups.values() for part in weights}
        parts["total"] = torch.stack(list(self.grouped(parts).values())).sum()
        if not torch.isfinite(parts["total"]):
            values = {name: value.item() for name, value in parts.items()}
            raise NonFiniteLossError(f"loss is not finite: {values}; lower the learning rate")
        return parts

    def grouped(self, parts: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Sum the weighted parts of each group."""
        return {
            group: torch.stack([weight * parts[name] for name, weight in weights.items()]).sum()
            for group, weights in self.groups.items()
        }
