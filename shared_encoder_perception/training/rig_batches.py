# SPDX-License-Identifier: Apache-2.0
"""Moments of rigs -> batches, as a pure function of the step; see ``training.data``.

All tensors of a batch count rigs along their first axis, pictures too: (R, S, H, W, 3). All rigs
of a batch have as many cameras; those of the next may have another number.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import IterableDataset, get_worker_info

from shared_encoder_perception import tasks
from shared_encoder_perception.model.network import promised
from shared_encoder_perception.rig.frame import RigFrame
from shared_encoder_perception.rig.ground_map import GroundLabel
from shared_encoder_perception.rig.table import Sight
from shared_encoder_perception.structures import Size
from shared_encoder_perception.training.augment import AugmentConfig
from shared_encoder_perception.training.batches import Item, collate, timed_batch
from shared_encoder_perception.training.config import TrainConfig
from shared_encoder_perception.training.losses import Batch
from shared_encoder_perception.training.mixture import Mixture
from shared_encoder_perception.training.rig_augment import (
    ShownRig,
    augment_rig,
    plain,
    with_cameras,
)
from shared_encoder_perception.training.rig_config import RigConfig
from shared_encoder_perception.training.rig_set import RigSource

ATTEMPTS: Final = 4
"""Changes that are tried where a rig then sees nothing of the grid."""
COUNT_DICE: Final = 3
"""Beside seed, stage and step: the dice of how many cameras its rigs have."""


@dataclass(frozen=True, eq=False)
class SeenRig:
    """A moment as arrays.

    Attributes:
        images: (S, h, w, 3) uint8 BGR, what the network is shown of each camera.
        tables: By the name of the network's input, without the axis of rigs.
        seen: (Y, X) bool, where some camera sees something.
        truth: ``target.truth`` of the room, or ``None`` where nothing is labelled.
    """

    images: NDArray[np.uint8]
    tables: Mapping[str, NDArray]
    seen: NDArray[np.bool_]
    truth: Any


def rig_task(blocks: Mapping[str, Any]) -> str:
    """Return the name of the task that is asked of whole rigs."""
    return next(name for name in blocks if tasks.is_rig(name))


def as_arrays(shown: ShownRig, picture: Size, size: Size, blocks: Mapping[str, Any]) -> SeenRig:
    """Turn a moment into what the network takes, and what is true.

    Args:
        shown: The moment.
        picture: ``(height, width)`` of the pictures that the network is shown.
        size: Of the network's input.
        blocks: Of all its tasks.

    Raises:
        ValueError: The rig sees nothing of the grid.
    """
    task = rig_task(blocks)
    block, rig, spec = blocks[task], shown.frame.rig, tasks.part(task, "spec")
    sight = Sight.of(rig, block.grid, size)
    table = sight.table(block.stride, block.views, shown.live)
    seen = sight.seen(shown.live)
    images = np.stack(
        [
            rig[name].transform(picture).image_to_input(shown.frame.images[name])
            for name in rig.names
        ]
    )
    for place, name in enumerate(rig.names):
        if name not in shown.live:
            images[place] = 0
    label = shown.frame.label or GroundLabel()
    truth = tasks.part(task, "target").truth(label, block.grid, seen, shown.yaw_rad)
    tables = {spec.INPUT_PLACE: table.place, spec.INPUT_WEIGHT: table.weight}
    return SeenRig(images, tables, seen, truth)


def to_item(rig: SeenRig, size: Size, blocks: Mapping[str, Any]) -> Item:
    """Turn a moment into one entry of a batch. Of tasks of single pictures nothing is known."""
    task = rig_task(blocks)
    targets = tasks.part(task, "target").encode(rig.truth, size, blocks[task])
    return Item(rig.images, rig.tables, {task: targets})


def flat(batch: Batch) -> Batch:
    """Return a batch as the network takes it: what counts rigs and cameras counts images."""
    return replace(batch, images=batch.images.flatten(0, 1))


class RigStream(IterableDataset[Batch]):
    """Batches of a mixture from a step on; worker ``k`` makes every k-th one."""

    def __init__(
        self,
        mixture: Mixture,
        blocks: Mapping[str, Any],
        sizes: tuple[Size, Size],
        batch_size: int,
        steps: range,
        rigs: RigConfig,
        augmentation: AugmentConfig | None,
        rank: int = 0,
        processes: int = 1,
    ) -> None:
        """Describe the stream.

        Args:
            mixture: Order of the moments.
            blocks: Of all tasks of the network.
            sizes: ``(height, width)`` of the network's input, and of the pictures it is shown.
            batch_size: Rigs per step, of all processes together.
            steps: Which steps.
            rigs: How many cameras they have, and how they are changed.
            augmentation: How pictures are changed; ``None`` for nothing at all.
            rank: Number of this training process.
            processes: How many there are; each makes its share of every batch.
        """
        if batch_size % processes:
            raise ValueError(
                f"batch_size is {batch_size}, which {processes} processes cannot share evenly"
            )
        self._mixture, self._blocks, self._steps = mixture, blocks, steps
        self._size, self._picture = sizes
        self._rigs, self._augmentation = rigs, augmentation
        self._batch_size, self._positions = batch_size, range(rank, batch_size, processes)

    def __iter__(self) -> Iterator[Batch]:
        """Yield batches in order."""
        worker = get_worker_info()
        own = self._steps[worker.id :: worker.num_workers] if worker else self._steps
        for step in own:
            cameras, first = self._cameras(step), step * self._batch_size
            moments = (self._moment(first + at, cameras) for at in self._positions)
            yield collate([self._item(*moment) for moment in moments], self._size)

    def timed(self, step: int) -> dict[str, float]:
        """Make a step's batch here and now; see ``timed_batch``."""
        cameras, first = self._cameras(step), step * self._batch_size
        made = (self._timed(first + at, cameras) for at in self._positions)
        return timed_batch(made, self._size)

    def _timed(self, position: int, cameras: int) -> tuple[Item, list[float]]:
        """Make one item, and look at the clock between."""
        clock = [perf_counter()]
        frame, seed = self._moment(position, cameras)
        clock.append(perf_counter())
        shown = self._shown(frame, seed)
        clock.append(perf_counter())
        try:
            item = self._encoded(shown)
        except ValueError:  # as in ``_item``
            item = self._item(frame, seed)
        return item, [*clock, perf_counter()]

    def _cameras(self, step: int) -> int:
        """Return how many cameras the rigs of a step have."""
        dice = np.random.default_rng((*self._mixture.seed, step, COUNT_DICE))
        return int(dice.choice(self._rigs.cameras))

    def _moment(self, position: int, cameras: int) -> tuple[RigFrame, int]:
        """Read or render a moment; return the seed of its augmentation, too."""
        chosen, index, seed = self._mixture.draw(position)
        source: Any = self._mixture.sets[chosen]
        frame = source.read(index, cameras).frame
        # Without augmentation always the same cameras of a moment.
        dice = np.random.default_rng(index if self._augmentation is None else seed)
        return with_cameras(frame, cameras, dice), seed

    def _shown(self, frame: RigFrame, seed: int) -> ShownRig:
        """Return a moment as it is shown, changed by a seed."""
        if self._augmentation is None:
            return plain(frame)
        return augment_rig(frame, self._size, self._augmentation, self._rigs, seed)

    def _item(self, frame: RigFrame, seed: int) -> Item:
        """Look at one moment.

        Raises:
            ValueError: Its rig sees nothing of the grid, unchanged.
        """
        for again in range(ATTEMPTS if self._augmentation else 0):
            try:
                return self._encoded(self._shown(frame, seed + again))
            except ValueError:  # changed so that no camera sees the grid
                continue
        return self._encoded(plain(frame))

    def _encoded(self, shown: ShownRig) -> Item:
        """Turn a moment into an entry of a batch."""
        rig = as_arrays(shown, self._picture, self._size, self._blocks)
        return to_item(rig, self._size, self._blocks)


def rig_stream(
    config: TrainConfig,
    stage: int,
    sets: Sequence[RigSource],
    first_step: int = 0,
    rank: int = 0,
    processes: int = 1,
) -> RigStream:
    """Return what stage number ``stage`` of a run sees from a step on; see ``RigStream``."""
    plan = config.stages[stage]
    weights = tuple(item.weight for item in config.data.train[: len(sets)])
    mixture = Mixture(sets, weights, 0.0, (config.seed, stage))  # type: ignore[arg-type]
    return RigStream(
        mixture,
        promised(config.network, plan.size),
        (plan.size, plan.picture),
        plan.batch_size,
        range(first_step, plan.steps),
        config.rigs,
        None if config.data.overfit else config.augment,
        rank,
        processes,
    )


@dataclass(frozen=True, eq=False)
class RigValidation:
    """One moment to be scored.

    Attributes:
        source: Of the moment.
        rig: As arrays.
    """

    source: str
    rig: SeenRig


class RigValidationStream(IterableDataset[RigValidation]):
    """All moments of some sets once; shared out among processes and workers."""

    def __init__(
        self,
        sets: Sequence[RigSource],
        blocks: Mapping[str, Any],
        size: Size,
        cameras: Sequence[int],
        rank: int = 0,
        processes: int = 1,
    ) -> None:
        """As ``RigStream``; the numbers of ``cameras`` take turns."""
        self._sets, self._blocks, self._size = sets, blocks, size
        self._cameras, self._rank, self._processes = tuple(cameras), rank, processes

    def __iter__(self) -> Iterator[RigValidation]:
        """Yield one by one: rigs differ in their numbers of cameras."""
        worker = get_worker_info()
        part, parts = self._rank, self._processes
        if worker:
            part, parts = part + worker.id * parts, parts * worker.num_workers
        where = [(one, index) for one in self._sets for index in range(len(one))]
        for rigs, index in where[part::parts]:
            cameras = self._cameras[index % len(self._cameras)]
            frame, source = rigs.read(index, cameras)
            shown = plain(with_cameras(frame, cameras, np.random.default_rng(index)))
            yield RigValidation(source, as_arrays(shown, self._size, self._size, self._blocks))
