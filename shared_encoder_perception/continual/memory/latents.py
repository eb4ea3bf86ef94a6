# SPDX-License-Identifier: Apache-2.0
"""Latents: what the front of an encoder says of remembered samples, float16, with their targets."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from shared_encoder_perception.continual.memory.entries import Entry, from_tensors, to_tensors
from shared_encoder_perception.training.batches import Item

Targets = Mapping[str, Mapping[str, Tensor]]
"""As of ``Batch``."""


@dataclass(frozen=True, eq=False)
class Latents:
    """Some samples.

    Attributes:
        levels: By stride, (N, C, h / stride, w / stride) float16; the coarsest goes on behind the
            cut, finer ones are what a decoder reads beside it.
        targets: By task and name, with the same first axis.
    """

    levels: Mapping[int, Tensor]
    targets: Targets

    def tensors(self) -> Iterator[Tensor]:
        """Yield all tensors."""
        yield from self.levels.values()
        for named in self.targets.values():
            yield from named.values()

    def map(self, function: Callable[[Tensor], Tensor]) -> Latents:
        """Return what ``function`` makes of each tensor."""
        return Latents(
            {stride: function(level) for stride, level in self.levels.items()},
            {
                task: {name: function(one) for name, one in named.items()}
                for task, named in self.targets.items()
            },
        )

    def rows(self, chosen: Sequence[int]) -> Latents:
        """Return some of the samples, by their numbers."""
        index = torch.tensor(chosen, dtype=torch.int64)
        return self.map(lambda tensor: tensor[index])


def halved(level: Tensor) -> Tensor:
    """Return a level of features as it is kept: float16, on the CPU.

    Raises:
        ValueError: A number that is too great for a float16, or none.
    """
    half = level.half()
    if not torch.isfinite(half).all():
        raise ValueError(
            f"latents are kept as float16, and the encoder says {float(level.abs().max()):.4g} in "
            "front of the cut, expected at most 65504: cut it elsewhere (latent.cut), or start "
            "from an encoder that was trained"
        )
    return half.cpu()


def joined(parts: Sequence[Latents]) -> Latents:
    """Put samples behind one another; all have the same levels and targets."""
    first = parts[0]
    return Latents(
        {stride: torch.cat([one.levels[stride] for one in parts]) for stride in first.levels},
        {
            task: {name: torch.cat([one.targets[task][name] for one in parts]) for name in named}
            for task, named in first.targets.items()
        },
    )


def targets_of(items: Sequence[Item]) -> dict[str, dict[str, Tensor]]:
    """Stack the targets of samples, by task and name."""
    return {
        task: {
            name: torch.stack([torch.from_numpy(item.targets[task][name]) for item in items])
            for name in named
        }
        for task, named in items[0].targets.items()
    }


class LatentMemory:
    """The latents of what is remembered.

    Attributes:
        entries: By task, set and sample; the samples of ``latents``, in that order.
        latents: ``None`` while nothing is remembered.
    """

    def __init__(self) -> None:
        """Begin with nothing."""
        self.entries: tuple[Entry, ...] = ()
        self.latents: Latents | None = None

    def keep(
        self, entries: Sequence[Entry], task: int, make: Callable[[list[Entry]], Latents]
    ) -> None:
        """Keep some samples: those of a task that has just been learned, and earlier ones.

        Args:
            entries: By task, set and sample. Earlier ones have been kept before; what is kept and
                not among them is forgotten.
            task: Whose samples are new.
            make: Makes the latents of new ones.
        """
        row = {entry[:3]: number for number, entry in enumerate(self.entries)}
        stay = [row[entry[:3]] for entry in entries if entry.task != task]
        new = [entry for entry in entries if entry.task == task]
        parts = [self.latents.rows(stay)] if self.latents and stay else []
        parts += [make(new)] if new else []
        self.entries = tuple(entries)
        self.latents = joined(parts) if parts else None

    def state(self) -> dict[str, Any]:
        """Return what is remembered."""
        if self.latents is None:
            return {"entries": to_tensors(self.entries)}
        return {
            "entries": to_tensors(self.entries),
            "levels": dict(self.latents.levels),
            "targets": {task: dict(named) for task, named in self.latents.targets.items()},
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Remember what ``state`` returned.

        Raises:
            ValueError: Another number of latents than samples.
        """
        self.entries, self.latents = from_tensors(state["entries"]), None
        if not self.entries:
            return
        self.latents = Latents(state["levels"], state["targets"])
        found = {len(tensor) for tensor in self.latents.tensors()}
        if found != {len(self.entries)}:
            raise ValueError(
                f"a memory of {len(self.entries)} samples holds latents of {sorted(found)}: what "
                "it was written to is damaged; begin anew in another folder, out="
            )
