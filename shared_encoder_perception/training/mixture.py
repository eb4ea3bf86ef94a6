# SPDX-License-Identifier: Apache-2.0
"""The order in which the samples of several sets are seen, as a pure function of the position."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.training.sample_set import SampleSet


class Order(Protocol):
    """What is seen when."""

    @property
    def sets(self) -> Sequence[SampleSet]:
        """Where samples come from."""

    def draw(self, position: int) -> tuple[int, int, int]:
        """Say what is seen at a position: see ``Mixture.draw``."""


@dataclass(frozen=True)
class Mixture:
    """The order in which the sets' samples are seen.

    Attributes:
        sets: Where samples come from.
        weights: Share of each set.
        split_share: Share of the samples drawn from those that show what is rare.
        seed: Together with the stage; decides the order.
    """

    sets: Sequence[SampleSet]
    weights: tuple[float, ...]
    split_share: float
    seed: tuple[int, int]

    def draw(self, position: int) -> tuple[int, int, int]:
        """Say what is seen at a position, counted in samples from the stage's beginning.

        Within as many positions as a set has samples, none of them is drawn twice, rare ones
        aside.

        Returns:
            Index of the set, of the sample in it, and a seed for its augmentation.
        """
        rng = np.random.default_rng((*self.seed, position))
        share = np.cumsum(self.weights) / sum(self.weights)
        chosen = min(int(np.searchsorted(share, rng.random(), side="right")), len(self.sets) - 1)
        samples = self.sets[chosen]
        if samples.rare and rng.random() < self.split_share:
            index = samples.rare[int(rng.integers(len(samples.rare)))]
        elif samples.in_no_order:
            index = position % len(samples)
        else:  # which takes 8 bytes for each sample
            turn, place = divmod(position, len(samples))
            index = int(shuffled((*self.seed, chosen, turn), len(samples))[place])
        return chosen, index, int(rng.integers(2**31))


@lru_cache(maxsize=8)
def shuffled(seed: tuple[int, ...], count: int) -> NDArray[np.int64]:
    """Shuffle ``count`` indices."""
    return np.random.default_rng(seed).permutation(count)
