# SPDX-License-Identifier: Apache-2.0
"""Sets of samples -> batches of targets, as a pure function of the step.

Which samples make up a step, and how each is changed, follows from (seed, stage, step, position)
alone: not from what was read before, nor by how many processes. That is why an interrupted run goes
on as if it had not been, and several processes see what one would.
"""

from __future__ import annotations

import os
import traceback
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from shared_encoder_perception.images.preprocess import Crop, ImageTransform
from shared_encoder_perception.labels.companions import companions_for
from shared_encoder_perception.labels.sample import Sample
from shared_encoder_perception.labels.view import View, view_sample
from shared_encoder_perception.model.network import promised
from shared_encoder_perception.structures import Size
from shared_encoder_perception.training.augment import AugmentConfig, augment
from shared_encoder_perception.training.batches import Item, collate, timed_batch, to_item
from shared_encoder_perception.training.config import TrainConfig
from shared_encoder_perception.training.losses import Batch
from shared_encoder_perception.training.mixture import Mixture, Order
from shared_encoder_perception.training.sample_set import SampleSet

WORKER_NICENESS: Final = 10
PREFETCH: Final = 3
"""Batches that each worker prepares ahead."""


class TrainStream(IterableDataset[Batch]):
    """Batches of a mixture from step ``first`` to ``last``; worker ``k`` makes every k-th one."""

    def __init__(
        self,
        mixture: Order,
        targets: Mapping[str, Any],
        size: Size,
        picture: Size,
        batch_size: int,
        steps: range,
        augmentation: AugmentConfig | None,
        rank: int = 0,
        processes: int = 1,
    ) -> None:
        """Describe the stream.

        Args:
            mixture: Order of the samples.
            targets: The block of each task that targets are made for, by its name.
            size: Of the network input, for which targets are made.
            picture: Size of the pictures.
            batch_size: Samples per step, of all processes together.
            steps: Which steps.
            augmentation: How samples are changed; ``None`` for not at all.
            rank: Number of this training process.
            processes: How many there are; each makes its share of every batch.
        """
        self._mixture, self._targets, self._steps = mixture, targets, steps
        self._size, self._picture = size, picture
        self._augmentation = augmentation
        if batch_size % processes:
            raise ValueError(
                f"batch_size is {batch_size}, which {processes} processes cannot share evenly"
            )
        self._batch_size, self._positions = batch_size, range(rank, batch_size, processes)

    def __iter__(self) -> Iterator[Batch]:
        """Yield batches in order."""
        worker = get_worker_info()
        own = self._steps[worker.id :: worker.num_workers] if worker else self._steps
        for step in own:
            first = step * self._batch_size
            views = (self._view(first + at) for at in self._positions)
            items = [to_item(view, self._size, self._targets) for view in views]
            yield collate(items, self._size)

    def views(self) -> Iterator[View]:
        """Yield what is shown, sample by sample, before it becomes targets."""
        for step in self._steps:
            for at in self._positions:
                yield self._view(step * self._batch_size + at)

    def timed(self, step: int) -> dict[str, float]:
        """Make a step's batch here and now; see ``timed_batch``."""
        first = step * self._batch_size
        return timed_batch((self._timed(first + at) for at in self._positions), self._size)

    def _timed(self, position: int) -> tuple[Item, list[float]]:
        """Make one item, and look at the clock between."""
        clock = [perf_counter()]
        sample, crop, seed = self._sample(position)
        clock.append(perf_counter())
        view = self._seen(sample, crop, seed)
        clock.append(perf_counter())
        item = to_item(view, self._size, self._targets)
        return item, [*clock, perf_counter()]

    def _view(self, position: int) -> View:
        """Look at one sample."""
        return self._seen(*self._sample(position))

    def _sample(self, position: int) -> tuple[Sample, Crop | None, int]:
        """Read or render a sample; return its crop and the seed of its augmentation, too."""
        chosen, index, seed = self._mixture.draw(position)
        sample, crop, _ = self._mixture.sets[chosen][index]
        return sample, crop, seed

    def _seen(self, sample: Sample, crop: Crop | None, seed: int) -> View:
        """Look at a sample, changed."""
        transform = fit(sample, self._picture, crop)
        if self._augmentation is None:
            return view_sample(sample, transform)
        return augment(sample, transform, self._augmentation, seed)


def mixture_of(config: TrainConfig, stage: int, sets: Sequence[SampleSet]) -> Mixture:
    """Return in which order stage number ``stage`` of a run sees its sets."""
    weights = tuple(item.weight for item in config.data.train[: len(sets)])
    return Mixture(sets, weights, config.data.split_share, (config.seed, stage))


def training_stream(
    config: TrainConfig,
    stage: int,
    sets: Sequence[SampleSet],
    first_step: int = 0,
    rank: int = 0,
    processes: int = 1,
    order: Order | None = None,
) -> TrainStream:
    """Return what stage number ``stage`` of a run sees from a step on; see ``TrainStream``.

    ``order`` takes the place of ``mixture_of`` the sets.
    """
    plan = config.stages[stage]
    return TrainStream(
        order or mixture_of(config, stage, sets),
        promised(config.network, plan.size),
        plan.size,
        plan.picture,
        plan.batch_size,
        range(first_step, plan.steps),
        None if config.data.overfit else config.augment,
        rank,
        processes,
    )


@dataclass(frozen=True, eq=False)
class Validation:
    """One sample to be scored: what the network sees, and the labels in the picture's pixels.

    Attributes:
        source: Of the sample.
        sample: As it is.
        transform: How it becomes the network's input.
        image: That input, (h, w, 3) uint8 BGR.
        companions: Likewise, what the network takes beside it.
    """

    source: str
    sample: Sample
    transform: ImageTransform
    image: NDArray[np.uint8]
    companions: Mapping[str, NDArray[np.uint8]]


class ValidationStream(IterableDataset[list[Validation]]):
    """All samples of some sets once, in small lists; shared out among processes and workers."""

    def __init__(
        self,
        sets: Sequence[SampleSet],
        size: Size,
        batch_size: int,
        rank: int = 0,
        processes: int = 1,
        companions: Sequence[str] = (),
    ) -> None:
        """As ``TrainStream``; ``companions`` are what the network takes beside the image."""
        self._companions = companions
        self._sets, self._size, self._batch_size = sets, size, batch_size
        self._rank, self._processes = rank, processes

    def __iter__(self) -> Iterator[list[Validation]]:
        """Yield lists of up to ``batch_size`` samples of one size of network input."""
        worker = get_worker_info()
        part, parts = self._rank, self._processes
        if worker:
            part, parts = part + worker.id * parts, parts * worker.num_workers
        where = [(samples, index) for samples in self._sets for index in range(len(samples))]
        own = where[part::parts]
        for begin in range(0, len(own), self._batch_size):
            yield [self._read(*item) for item in own[begin : begin + self._batch_size]]

    def _read(self, samples: SampleSet, index: int) -> Validation:
        """Read one sample."""
        sample, crop, source = samples[index]
        transform = fit(sample, self._size, crop)
        shown = transform.image_to_input(sample.image)
        pictures = companions_for(self._companions, sample.image, sample.labels)
        beside = {name: transform.image_to_input(one) for name, one in pictures.items()}
        return Validation(source, sample, transform, shown, beside)


def fit(sample: Sample, size: Size, crop: Crop | None) -> ImageTransform:
    """Return how a sample becomes network input when nothing is augmented."""
    height, width = sample.image.shape[:2]
    return ImageTransform.fit((height, width), size, crop)


@dataclass(frozen=True)
class Fault:
    """Why a process could load no more: the reason, and where it arose, for --debug.

    The error itself does not travel: torch makes another of it, with a page of its own before it.
    """

    reason: str
    trace: str


class Careful(IterableDataset[Any]):
    """A stream whose errors by what is read come as a ``Fault``, its last item."""

    def __init__(self, stream: IterableDataset) -> None:
        """Take the stream."""
        self._stream = stream

    def __iter__(self) -> Iterator[Any]:
        """Yield what the stream yields."""
        try:
            yield from self._stream
        except (ValueError, OSError) as error:
            yield Fault(str(error), traceback.format_exc())


class Loader(DataLoader[Any]):
    """Raises what went wrong in a loading process, in its own words."""

    def __iter__(self) -> Iterator[Any]:  # type: ignore[override]
        """Yield the batches.

        Raises:
            ValueError: One cannot be read, as without loading processes.
        """
        for batch in super().__iter__():
            if isinstance(batch, Fault):
                raise ValueError(batch.reason) from RuntimeError(batch.trace)
            yield batch


def loader(stream: IterableDataset, workers: int, pinned: bool = False) -> DataLoader[Any]:
    """Read a stream by ``workers`` processes ahead of its use.

    Args:
        stream: Yields whole batches.
        workers: Processes; 0 for none.
        pinned: Hand batches over in pinned memory, from which a GPU reads faster.
    """
    if workers:
        # OpenCV's threads do not survive a fork: a process would wait for them for ever.
        cv2.setNumThreads(1)
    return Loader(
        Careful(stream) if workers else stream,
        batch_size=None,
        num_workers=workers,
        prefetch_factor=PREFETCH if workers else None,
        worker_init_fn=_step_back,
        pin_memory=pinned,
    )


def _step_back(_: int) -> None:
    """Let a loading process take what training leaves.

    On a CPU every thread of an operation waits for the last one: a loading process that takes a
    core from one of them costs the others the same time.
    """
    cv2.setNumThreads(1)  # workers are the parallelism
    os.nice(WORKER_NICENESS)
