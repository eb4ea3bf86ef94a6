# SPDX-License-Identifier: Apache-2.0
"""Train on each loaded sample several times, where the device is faster than the loading.

A GPU takes a step in the time in which a core renders one world. Samples that were loaded are kept
on the device, in a ring; each batch that arrives goes into it, and several batches are drawn from
it before the next one is waited for.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from operator import itemgetter

import torch
from torch import Tensor

from shared_encoder_perception.training.losses import Batch


class Replay:
    """Batches drawn at random from the latest samples of a stream.

    What is drawn follows from the seed and from the stream. A run that was interrupted starts
    again with an empty ring, so that it does not go on to the same result.
    """

    def __init__(
        self,
        stream: Iterable[Batch],
        device: torch.device,
        draws: int,
        capacity: int,
        seed: int,
    ) -> None:
        """Describe the ring.

        Args:
            stream: Fresh batches, all of one size.
            device: Where the samples are kept.
            draws: Batches drawn for each fresh one.
            capacity: Samples kept.
            seed: Decides what is drawn.

        Raises:
            ValueError: Fewer than one draw, or no room for a sample.
        """
        if draws < 1 or capacity < 1:
            raise ValueError(f"draws is {draws} and capacity {capacity}, expected at least 1")
        self._stream, self._device = stream, device
        self._draws, self._capacity, self._seed = draws, capacity, seed

    def __iter__(self) -> Iterator[Batch]:
        """Yield ``draws`` batches for each fresh one.

        Until the ring holds ``draws`` times a batch, each fresh one is passed on once: repeating
        the first samples only would teach them by heart.
        """
        generator = torch.Generator(self._device).manual_seed(self._seed)
        ring: Batch | None = None
        written = 0
        for fresh in self._stream:
            batch = fresh.map(self._moved)
            count = len(batch.images)
            if ring is None:
                ring = batch.map(self._room)
            at = (written + torch.arange(count, device=self._device)) % self._capacity
            for kept, part in zip(ring.tensors(), batch.tensors(), strict=True):
                kept[at[-self._capacity :]] = part[-self._capacity :]
            written += count
            filled = min(written, self._capacity)
            if filled < self._draws * count:
                yield batch
                continue
            for _ in range(self._draws):
                drawn = torch.randint(filled, (count,), generator=generator, device=self._device)
                yield ring.map(itemgetter(drawn))

    def _moved(self, tensor: Tensor) -> Tensor:
        """Move a tensor to the device."""
        return tensor.to(self._device, non_blocking=True)

    def _room(self, tensor: Tensor) -> Tensor:
        """Return room for all samples of the ring."""
        return tensor.new_empty((self._capacity, *tensor.shape[1:]))
