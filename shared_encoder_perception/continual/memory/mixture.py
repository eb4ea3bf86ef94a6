# SPDX-License-Identifier: Apache-2.0
"""A share of each batch from memory; which one, is a pure function of the position."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from shared_encoder_perception.continual.memory.policies import Place
from shared_encoder_perception.training.mixture import Mixture, shuffled
from shared_encoder_perception.training.sample_set import SampleSet

_MEMORY: Final = 0x6D656D
"""Tells the memory's random numbers from those of the task's own mixture."""


@dataclass(frozen=True)
class MemoryMixture:
    """The order in which a task's samples and remembered ones are seen.

    The first ``from_memory`` positions of each batch are the memory's, the rest the task's own, in
    the order in which it sees them alone.

    Attributes:
        own: The task's.
        earlier: Sets of earlier tasks.
        places: What is remembered: number of the set in ``earlier``, and index in it.
        from_memory: Samples of each batch that are drawn from it.
        batch_size: Samples of a batch.
    """

    own: Mixture
    earlier: Sequence[SampleSet]
    places: Sequence[Place]
    from_memory: int
    batch_size: int

    @property
    def sets(self) -> Sequence[SampleSet]:
        """Where samples come from: the task's own sets, and the earlier ones."""
        return (*self.own.sets, *self.earlier)

    @property
    def seed(self) -> tuple[int, ...]:
        """As of the task's own mixture."""
        return self.own.seed

    def draw(self, position: int) -> tuple[int, int, int]:
        """Say what is seen at a position: as ``Mixture.draw``.

        What is remembered is seen once before any of it is seen twice.
        """
        step, at = divmod(position, self.batch_size)
        if at >= self.from_memory:
            beside = self.batch_size - self.from_memory
            return self.own.draw(step * beside + at - self.from_memory)
        number = step * self.from_memory + at
        turn, place = divmod(number, len(self.places))
        order = shuffled((*self.seed, _MEMORY, turn), len(self.places))
        chosen, index = self.places[int(order[place])]
        rng = np.random.default_rng((*self.seed, _MEMORY, _MEMORY, number))
        return len(self.own.sets) + chosen, index, int(rng.integers(2**31))


def seen_until(mixture: Mixture, positions: int) -> dict[Place, int]:
    """Return the samples that a mixture draws before a position, and where it draws each last."""
    return {mixture.draw(position)[:2]: position for position in range(positions)}


def share_of(share: float | None, batch_size: int, remembered: int, own: int) -> int:
    """Return how many samples of a batch come from memory.

    Args:
        share: Part of the batch; ``None`` for as many as are remembered among all, at least one
            of either.
        batch_size: Samples of the batch.
        remembered: Samples of the memory; nothing comes from an empty one.
        own: Samples of the task.
    """
    if not remembered:
        return 0
    if share is not None:
        return round(share * batch_size)
    among_all = round(batch_size * remembered / (remembered + own))
    return min(max(among_all, 1), batch_size - 1)
