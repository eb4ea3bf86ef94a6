# SPDX-License-Identifier: Apache-2.0
"""The memory of a sequence: what of earlier tasks is drawn from, and what is kept for later."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import torch

from shared_encoder_perception.continual.config import (
    PROPORTIONAL,
    ContinualConfig,
    training_of,
)
from shared_encoder_perception.continual.data import TaskSets
from shared_encoder_perception.continual.memory.entries import (
    Entry,
    from_tensors,
    kept,
    to_tensors,
)
from shared_encoder_perception.continual.memory.mixture import (
    MemoryMixture,
    seen_until,
    share_of,
)
from shared_encoder_perception.continual.memory.policies import (
    CLASSES_OF_TASK,
    POLICIES,
    Place,
    Seen,
    random_key,
)
from shared_encoder_perception.continual.strategies import STRATEGIES
from shared_encoder_perception.continual.strategies.contract import Learned
from shared_encoder_perception.labels.view import view_sample
from shared_encoder_perception.model.network import promised
from shared_encoder_perception.tasks import parts
from shared_encoder_perception.training.batches import Item, collate, to_item
from shared_encoder_perception.training.data import fit, mixture_of


class Memory:
    """Which samples are remembered.

    Attributes:
        entries: By task, set and sample.
    """

    def __init__(self, config: ContinualConfig, sets: TaskSets) -> None:
        """Begin with nothing; ``sets`` are those of the tasks."""
        self._config, self._sets = config, sets
        self._whole = "joint" in config.strategy
        self._draws = any(STRATEGIES[name].draws for name in config.strategy)
        self.entries: tuple[Entry, ...] = ()
        self._names: list[list[str]] = []

    def order(self, task: int) -> MemoryMixture:
        """Return what a task sees when.

        Raises:
            ValueError: A set that is drawn from is not what it was.
        """
        own = mixture_of(training_of(self._config, task), task, self._sets.of(task))
        entries = self.entries if self._draws else ()
        wanted = sorted({(entry.task, entry.set_number) for entry in entries})
        number = {place: index for index, place in enumerate(wanted)}
        for earlier in sorted({entry.task for entry in entries}):
            self._check(earlier)
        batch, samples = self._config.stage.batch_size, sum(map(len, own.sets))
        share: float | None = self._config.memory.share
        if self._whole or share == PROPORTIONAL:
            share = None
        return MemoryMixture(
            own,
            [self._sets.of(earlier)[at] for earlier, at in wanted],
            [(number[entry.task, entry.set_number], entry.sample) for entry in entries],
            share_of(share, batch, len(entries), samples),
            batch,
        )

    def learn(self, order: MemoryMixture, learned: Learned) -> None:
        """Choose among what a task has trained on, when it has been learned.

        Args:
            order: Of the task.
            learned: The network as it was left.
        """
        task = learned.task
        self._names.append(self._sets.names(task))
        if not self._draws:
            return
        if self._whole:
            every = (
                (at, index)
                for at, samples in enumerate(order.own.sets)
                for index in range(len(samples))
            )
            seed = self._config.seed
            found = [Entry(task, *place, random_key(seed, task, place)) for place in every]
            self.entries = kept([*self.entries, *found], 0)
            return
        beside = order.batch_size - order.from_memory
        steps = training_of(self._config, task).stages[task].steps
        asked = _Asked(self._config, order, learned)
        last = seen_until(order.own, steps * beside)
        seen = Seen(task, self._config.seed, last, asked.classes, asked.loss)
        memory = self._config.memory
        found = list(POLICIES[memory.policy](seen))
        self.entries = kept([*self.entries, *found], memory.size)

    def state(self) -> dict[str, Any]:
        """Return what is remembered: columns of entries, and hashes of the sets of each task."""
        return {"entries": to_tensors(self.entries), "sets": [list(one) for one in self._names]}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Remember what ``state`` returned."""
        self.entries = from_tensors(state["entries"])
        self._names = [list(one) for one in state["sets"]]

    def _check(self, task: int) -> None:
        """Refuse sets that are not what they were when they were trained on."""
        there = self._sets.names(task)
        for config, before, now in zip(
            self._config.tasks[task].train, self._names[task], there, strict=True
        ):
            if before != now:
                raise ValueError(
                    f"{config.path} of the task {self._config.tasks[task].name} is not what it was "
                    "when it was trained on, and the memory holds samples of it: bring back what "
                    "it was, or begin anew in another folder, out="
                )


class _Asked:
    """What policies ask of single samples."""

    def __init__(self, config: ContinualConfig, order: MemoryMixture, learned: Learned) -> None:
        """Take the task's sets, and the network as it was left."""
        self._order, self._learned, self._stage = order, learned, config.stage
        self._targets = promised(config.train.network, config.stage.size)
        self._rooms = {
            name: room
            for name, room in parts("target", self._targets).items()
            if hasattr(room, "class_pixels")
        }

    def classes(self, place: Place) -> dict[int, int]:
        """Return the pixels of each class of a sample, of all tasks that have classes.

        Raises:
            ValueError: None has.
        """
        if not self._rooms:
            raise ValueError(
                "memory.policy is class_balanced, and none of the network's tasks labels pixels "
                "by class: use another policy"
            )
        item, found = self._item(place), Counter[int]()
        for number, name in enumerate(self._targets):
            if name in self._rooms:
                pixels = self._rooms[name].class_pixels(item.targets[name])
                found.update(
                    {number * CLASSES_OF_TASK + one: count for one, count in pixels.items()}
                )
        return dict(found)

    def loss(self, place: Place) -> float:
        """Return the loss of the labels."""
        network = self._learned.network
        device = next(network.parameters()).device
        batch = collate([self._item(place)], self._size).map(lambda tensor: tensor.to(device))
        with torch.no_grad():
            logits = network(batch.images, batch.size, batch.companions)
            return float(self._learned.criterion(logits, batch)["total"])

    @property
    def _size(self) -> tuple[int, int]:
        """Of the network's input."""
        return self._stage.size[0], self._stage.size[1]

    def _item(self, place: Place) -> Item:
        """Look at a sample as it is."""
        sample, crop, _ = self._order.own.sets[place[0]][place[1]]
        view = view_sample(sample, fit(sample, self._stage.picture, crop))
        return to_item(view, self._size, self._targets)


def remembered_bytes(state: Any) -> int:
    """Return the bytes of the tensors of a state, all the way down."""
    if isinstance(state, torch.Tensor):
        return state.numel() * state.element_size()
    if isinstance(state, Mapping):
        return sum(map(remembered_bytes, state.values()))
    if isinstance(state, Sequence) and not isinstance(state, str):
        return sum(map(remembered_bytes, state))
    return 0
