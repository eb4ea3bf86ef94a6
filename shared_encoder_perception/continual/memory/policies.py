# SPDX-License-Identifier: Apache-2.0
"""Which samples of a task are worth remembering: five ways, by name from one literal table.

A policy gives each sample that was seen a key and a group; ``entries.kept`` does the rest.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from types import MappingProxyType
from typing import Final

from shared_encoder_perception.continual.memory.entries import Entry

LEAST_SHARE: Final = 0.005
"""Part of the pixels that are labelled for a task, above which its class is in a picture."""
CLASSES_OF_TASK: Final = 1 << 16
"""Groups of classes are numbered by the task of the labels first: this often its number."""
NO_CLASS: Final = -1

Place = tuple[int, int]
"""Number of a set, and index in it."""


@dataclass(frozen=True, eq=False)
class Seen:
    """What a policy may ask of a task's samples.

    Attributes:
        task: Number of the task.
        seed: Of the sequence.
        last: Each sample that was trained on, and at which position it was seen last.
        classes: Returns how many pixels of a sample each class has; see ``class_pixels`` of a room.
        loss: Returns the loss of the labels, by the network at the task's end.
    """

    task: int
    seed: int
    last: Mapping[Place, int]
    classes: Callable[[Place], Mapping[int, int]]
    loss: Callable[[Place], float]


def random_key(seed: int, task: int, place: Place) -> float:
    """Return a uniform number of [0, 1) that belongs to a sample, whatever was asked before."""
    text = f"{seed},{task},{place[0]},{place[1]}".encode()
    return int.from_bytes(blake2b(text, digest_size=8).digest(), "big") / 2**64


def reservoir(seen: Seen) -> Iterator[Entry]:
    """All samples of all tasks are equally likely: those with the greatest random keys stay.

    That is a reservoir (Vitter 1985) whose decisions can be told in any order.
    """
    for place in seen.last:
        yield Entry(seen.task, *place, random_key(seen.seed, seen.task, place))


def ring(seen: Seen) -> Iterator[Entry]:
    """The latest seen stay; as in every ring, earlier tasks go first."""
    end = max(seen.last.values(), default=0) + 1
    for place, position in seen.last.items():
        yield Entry(seen.task, *place, seen.task + position / end)


def task_balanced(seen: Seen) -> Iterator[Entry]:
    """Equal parts for each task, by chance."""
    for place in seen.last:
        yield Entry(seen.task, *place, random_key(seen.seed, seen.task, place), seen.task)


def class_balanced(seen: Seen) -> Iterator[Entry]:
    """Equal parts for each class, by chance; a sample belongs to the rarest that it shows.

    Rare is what has the fewest pixels of all that the task's samples show.
    """
    each = {place: seen.classes(place) for place in seen.last}
    total: Counter[int] = Counter()
    for pixels in each.values():
        total.update(pixels)
    for place, pixels in each.items():
        labelled: Counter[int] = Counter()
        for one, count in pixels.items():
            labelled[one // CLASSES_OF_TASK] += count
        there = [
            one
            for one, count in pixels.items()
            if count > LEAST_SHARE * labelled[one // CLASSES_OF_TASK]
        ]
        rarest = min(there, key=lambda one: (total[one], one), default=NO_CLASS)
        yield Entry(seen.task, *place, random_key(seen.seed, seen.task, place), rarest)


def uncertainty(seen: Seen) -> Iterator[Entry]:
    """Those that the network answers worst, when the task has been learned.

    In equal parts for each task: losses of different times are not of one scale.
    """
    for place in seen.last:
        yield Entry(seen.task, *place, seen.loss(place), seen.task)


POLICIES: Final = MappingProxyType[str, Callable[[Seen], Iterator[Entry]]](
    {
        "reservoir": reservoir,
        "ring": ring,
        "class_balanced": class_balanced,
        "task_balanced": task_balanced,
        "uncertainty": uncertainty,
    }
)
"""Name -> policy, those of ``config.POLICIES``."""
