# SPDX-License-Identifier: Apache-2.0
"""Views -> targets -> batches."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from time import perf_counter
from typing import Any, Final, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from shared_encoder_perception import tasks
from shared_encoder_perception.labels.companions import companions_for
from shared_encoder_perception.labels.view import View, answer_at
from shared_encoder_perception.spec import picture_inputs
from shared_encoder_perception.structures import Size
from shared_encoder_perception.training.losses import Batch

LOADING: Final = ("reading, rendering", "augmentation", "targets")
"""Kinds of work on a batch, in their order."""


class Item(NamedTuple):
    """One entry of a ``Batch``.

    Attributes:
        image: (h, w, 3) uint8 BGR.
        companions: By the name of the network's input, likewise.
        targets: Of each task.
    """

    image: NDArray[np.uint8]
    companions: Mapping[str, NDArray[np.uint8]]
    targets: Mapping[str, Mapping[str, NDArray]]


def to_item(view: View, size: Size, targets: Mapping[str, Any]) -> Item:
    """Turn a view into one entry of a ``Batch``.

    Args:
        view: What the network is shown, which may be coarser than its input.
        size: ``(height, width)`` of the network input.
        targets: The block of each task, by its name.
    """
    names = [name for block in targets.values() for name in picture_inputs(block, size)]
    companions = companions_for(names, view.image, view.labels)
    labels = answer_at(view, size).labels
    return Item(
        view.image,
        companions,
        {
            name: tasks.part(name, "target").encode(labels.get(name), size, block)
            for name, block in targets.items()
        },
    )


def collate(items: Sequence[Item], size: Size) -> Batch:
    """Stack items, whose targets are for an input of ``size``, into one ``Batch``."""
    first = items[0]
    return Batch(
        _stacked([item.image for item in items]),
        {
            task: {name: _stacked([item.targets[task][name] for item in items]) for name in arrays}
            for task, arrays in first.targets.items()
        },
        size,
        {name: _stacked([item.companions[name] for item in items]) for name in first.companions},
    )


def timed_batch(made: Iterable[tuple[Item, Sequence[float]]], size: Size) -> dict[str, float]:
    """Make a batch here and now; return the seconds of each of ``LOADING``.

    Args:
        made: Its items, each with the clock before, between and after those kinds of work.
        size: As for ``collate``.
    """
    seconds, items = dict.fromkeys(LOADING, 0.0), []
    for item, clock in made:
        items.append(item)
        for name, (begin, end) in zip(LOADING, pairwise(clock), strict=True):
            seconds[name] += end - begin
    begin = perf_counter()
    collate(items, size)
    seconds[LOADING[-1]] += perf_counter() - begin
    return seconds


def _stacked(arrays: Sequence[NDArray]) -> torch.Tensor:
    """Put arrays of one shape together."""
    return torch.from_numpy(np.stack(arrays))
