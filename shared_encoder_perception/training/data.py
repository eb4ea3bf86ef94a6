"""Samples -> batches of targets: an endless synthetic stream for training, a fixed set to watch."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import cv2
import numpy as np
import torch
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from shared_encoder_perception.preprocess import ImageTransform
from shared_encoder_perception.spec import ModelSpec
from shared_encoder_perception.training.losses import Batch
from shared_encoder_perception.training.sample import MASK_IGNORE, Sample
from shared_encoder_perception.training.synthetic import render_sample
from shared_encoder_perception.training.targets import encode_lanes

Item = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]


class SyntheticStream(IterableDataset[Item]):
    """Rendered samples, one per seed. ``count`` of ``None`` never ends."""

    def __init__(self, spec: ModelSpec, first_seed: int, count: int | None = None) -> None:
        """Seeds run from ``first_seed``; workers share them without overlap."""
        self._spec, self._first, self._count = spec, first_seed, count

    def __iter__(self) -> Iterator[Item]:
        """Yield the arrays of one ``Batch`` entry after the other."""
        cv2.setNumThreads(1)  # workers are the parallelism
        worker = get_worker_info()
        seed, step = (worker.id, worker.num_workers) if worker else (0, 1)
        while self._count is None or seed < self._count:
            yield to_item(render_sample(self._first + seed, self._spec.input_size), self._spec)
            seed += step


def to_item(sample: Sample, spec: ModelSpec) -> Item:
    """Turn a sample of any size into network input and targets."""
    height, width = sample.image.shape[:2]
    transform = ImageTransform.fit((height, width), spec.input_size)
    lanes = {
        lane: None if points is None else transform.points_to_input(points)
        for lane, points in sample.lanes.items()
    }
    targets = encode_lanes(lanes, spec.input_size, spec.stride)
    mask = np.full(spec.input_size, MASK_IGNORE, np.uint8)
    if sample.mask is not None:
        x, y, crop_width, crop_height = transform.crop
        part = sample.mask[y : y + crop_height, x : x + crop_width]
        mask = cv2.resize(part, spec.input_size[::-1], interpolation=cv2.INTER_NEAREST)
    image = transform.image_to_input(sample.image)
    return image, targets.maps, targets.supervised, targets.known, mask


def collate(items: list[Item]) -> Batch:
    """Stack items into one ``Batch``."""
    return Batch(*(torch.from_numpy(np.stack(arrays)) for arrays in zip(*items, strict=True)))


def loader(stream: SyntheticStream, batch_size: int, workers: int) -> DataLoader[Batch]:
    """Batches of a stream, rendered by ``workers`` processes ahead of their use."""
    collate_fn: Callable[[list[Item]], Batch] = collate
    return DataLoader(
        stream,
        batch_size=batch_size,
        num_workers=workers,
        collate_fn=collate_fn,
        prefetch_factor=4 if workers else None,
        persistent_workers=workers > 0,
    )
