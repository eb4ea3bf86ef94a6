# SPDX-License-Identifier: Apache-2.0
"""Latent replay (Pellegrini et al., IROS 2020): features of earlier samples, not their pictures.

The encoder is cut at a level of its features. What lies in front of the cut stays as it is from the
first task on, its norms, too: so what it says of a sample now it would say later, and that is kept,
as float16, instead of the picture. A share of each batch begins behind the cut; the rest is loaded,
and goes through the front without gradients. So half a batch is neither loaded nor looked at, and
nothing goes back through the layers on the largest grids. The front learns nothing: start from an
encoder that has learned something (``train.init`` or ``train.network.pretrained``).

A sample is kept as it is, not as some augmentation changes it: it is shown again in all later
tasks, always the same, and one change by chance would be the only thing ever seen of it. ``replay``
changes it anew each time: that is what latents cost beside their bytes.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import torch
from torch import Tensor

from shared_encoder_perception.continual.config import ContinualConfig
from shared_encoder_perception.continual.memory.entries import Entry
from shared_encoder_perception.continual.memory.latents import (
    LatentMemory,
    Latents,
    halved,
    joined,
    targets_of,
)
from shared_encoder_perception.continual.memory.mixture import MemoryMixture
from shared_encoder_perception.continual.strategies.contract import Learned, Step
from shared_encoder_perception.continual.strategies.from_features import (
    WHOLE,
    answer,
    read_levels,
)
from shared_encoder_perception.labels.view import view_sample
from shared_encoder_perception.layers.encoder_parts import CUTS, EncoderParts
from shared_encoder_perception.model.network import PerceptionNetwork, promised, scaled_size
from shared_encoder_perception.training.batches import Item, to_item
from shared_encoder_perception.training.config import TrainConfig
from shared_encoder_perception.training.data import fit
from shared_encoder_perception.training.losses import Batch

AT_A_TIME: Final = 8
"""Pictures that the front looks at when they are remembered."""


class LatentReplay:
    """Draws a share of each batch from latents.

    Attributes:
        cut: Stride of the features behind which the encoder is cut; ``WHOLE`` for plain replay,
            to which nothing is added.
        memory: The latents.
    """

    def __init__(self, config: ContinualConfig) -> None:
        """Take the cut.

        Raises:
            ValueError: An encoder that cannot be cut there, or something that reads pictures, of
                which there are none.
        """
        self._config, self.cut = config, config.latent.cut
        self.memory = LatentMemory()
        self._order: MemoryMixture | None = None
        self._parts: EncoderParts | None = None
        if self.cut not in (WHOLE, *CUTS):
            raise ValueError(
                f"latent.cut is {self.cut}, expected a stride of features, one of {CUTS}, or "
                f"{WHOLE} for plain replay"
            )
        self._strides: Collection[int] = ()
        if self.cut:
            self._refuse_teachers()
            with torch.random.fork_rng(devices=[]):
                network = PerceptionNetwork(replace(config.train.network, pretrained=None))
            self._strides = read_levels(network, self.cut)

    # ---- as a strategy --------------------------------------------------------------------------

    def begin(self, task: int, network: PerceptionNetwork) -> None:
        """Cut the encoder of ``network``, which stays as it is."""
        self._parts = EncoderParts(network.encoder, self.cut) if self.cut else None

    def losses(self, step: Step) -> dict[str, Tensor]:
        """Return nothing: the losses of the labels are over the whole batch."""
        return {}

    def end(self, learned: Learned) -> None:
        """Keep the latents of what the memory holds, of this task and of earlier ones."""
        if self._parts is None or self._order is None:
            return
        order, parts = self._order, self._parts

        def make(entries: list[Entry]) -> Latents:
            return joined(list(self._made(entries, order, parts, learned.network)))

        self.memory.keep(tuple(learned.remembered), learned.task, make)

    def state(self) -> dict[str, Any]:
        """Return the latents, and which samples they are of."""
        return {"latents": self.memory.state()} if self.cut else {}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Remember what ``state`` returned."""
        if self.cut:
            self.memory.restore(state["latents"])

    # ---- as a task is trained -------------------------------------------------------------------

    def training(self, config: TrainConfig, stage: int, order: MemoryMixture) -> TrainConfig:
        """Return how a task is trained: its own samples alone are loaded, the front stays.

        Args:
            config: Of the task.
            stage: Number of the task.
            order: What would be seen when, were there pictures of all.

        Raises:
            ValueError: The latents are not of what the order draws from.
        """
        if [entry.sample for entry in self.memory.entries] != [at for _, at in order.places]:
            raise ValueError(
                "the latents are of other samples than the memory's, so that what is remembered is "
                "damaged: begin anew in another folder, out="
            )
        self._order = order
        own = config.stages[stage].batch_size - order.from_memory
        stages = list(config.stages)
        stages[stage] = replace(stages[stage], batch_size=own)
        return replace(config, stages=stages, freeze_encoder=max(config.freeze_encoder, self.cut))

    def answered(
        self, network: PerceptionNetwork, batch: Batch, asked: Collection[str], step: int
    ) -> tuple[dict[str, Tensor], Batch]:
        """Return the logits of latents and of pictures, and the batch that they answer.

        Args:
            network: The one that was begun with.
            batch: Of the task's own samples.
            asked: The tasks that are to answer.
            step: Number of the step: it decides which latents are drawn.

        Returns:
            The logits, those of the latents first, and a batch with targets likewise; its images
            are the task's own only.
        """
        assert self._parts is not None and self._order is not None
        size = scaled_size(batch.size, network.config.encoder_scale)
        with torch.no_grad():
            levels = self._parts.front(batch.images, size)
        if self._order.from_memory:
            drawn = self._drawn(self._order, step)
            levels = [
                _beside(drawn.levels[stride], level) if stride in self._strides else level
                for stride, level in zip(self._parts.strides, levels, strict=True)
            ]
            own = Latents({}, batch.targets)
            device = batch.images.device
            remembered = Latents({}, drawn.targets).map(lambda one: one.to(device))
            batch = replace(batch, targets=joined([remembered, own]).targets)
        return answer(network, self._parts.rest(levels), batch.size, asked), batch

    def _drawn(self, order: MemoryMixture, step: int) -> Latents:
        """Return the latents of a step: of the samples that ``replay`` would show at it."""
        assert self.memory.latents is not None
        row = {place: number for number, place in enumerate(order.places)}
        first, own = step * order.batch_size, len(order.own.sets)
        places = [order.draw(first + at)[:2] for at in range(order.from_memory)]
        return self.memory.latents.rows([row[chosen - own, index] for chosen, index in places])

    # ---- what is kept ---------------------------------------------------------------------------

    def _made(
        self,
        entries: Sequence[Entry],
        order: MemoryMixture,
        parts: EncoderParts,
        network: PerceptionNetwork,
    ) -> Iterator[Latents]:
        """Yield the latents of samples that a task has trained on, some at a time."""
        plan = self._config.stage
        size = (plan.size[0], plan.size[1])
        targets = promised(network.config, size)
        seen = scaled_size(size, network.config.encoder_scale)
        device = next(network.parameters()).device

        def item(entry: Entry) -> Item:
            sample, crop, _ = order.own.sets[entry.set_number][entry.sample]
            return to_item(view_sample(sample, fit(sample, plan.picture, crop)), size, targets)

        for first in range(0, len(entries), AT_A_TIME):
            items = [item(entry) for entry in entries[first : first + AT_A_TIME]]
            images = torch.stack([torch.from_numpy(one.image) for one in items])
            with torch.no_grad():
                levels = parts.front(images.to(device), seen)
            pairs = zip(parts.strides, levels, strict=True)
            kept = {stride: halved(level) for stride, level in pairs if stride in self._strides}
            yield Latents(kept, targets_of(items))

    def _refuse_teachers(self) -> None:
        """Refuse teachers that are shown all pictures of a batch.

        Raises:
            ValueError: There is one.
        """
        distill = self._config.train.distill
        for key in ("teacher", "encoder"):
            if getattr(distill, key):
                raise ValueError(
                    f"train.distill.{key} is shown the pictures of a batch, of which latent_replay "
                    f"does not have all: leave it out, or set latent.cut to {WHOLE}"
                )


def _beside(kept: Tensor, level: Tensor) -> Tensor:
    """Put latents before the features of a batch, as these are in kind, place and memory."""
    found = kept.to(level.device).to(level.dtype)
    return torch.cat((found.contiguous(memory_format=torch.channels_last), level))
