# SPDX-License-Identifier: Apache-2.0
"""Samples that are remembered, and which of them stay when there are too many."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

import torch
from torch import Tensor

_NUMBERS: Final = ("task", "set_number", "sample", "group")


class Entry(NamedTuple):
    """A sample that is remembered.

    Attributes:
        task: In which it was seen, from 0.
        set_number: Of the task's training sets, from 0.
        sample: Its index in that set.
        key: The greater, the longer it stays.
        group: Groups get equal parts of the memory.
    """

    task: int
    set_number: int
    sample: int
    key: float
    group: int = 0


def kept(entries: Iterable[Entry], size: int) -> tuple[Entry, ...]:
    """Return which entries stay: of each group those with the greatest keys, in equal parts.

    What a small group does not fill is shared among the others. The order in which entries came
    makes no difference, nor does it matter whether some were dropped before: what is kept of what
    was kept and others is what is kept of all.

    Args:
        entries: Each sample once.
        size: How many; 0 for all.

    Returns:
        By task, set and sample.
    """
    ordered = sorted(entries, key=lambda entry: (entry.group, -entry.key, entry[:3]))
    if not size or len(ordered) <= size:
        return tuple(sorted(ordered))
    places: list[tuple[int, int, Entry]] = []
    rank = 0
    for before, entry in zip([None, *ordered], ordered, strict=False):
        rank = rank + 1 if before is not None and before.group == entry.group else 0
        places.append((rank, entry.group, entry))
    places.sort(key=lambda place: place[:2])  # by the groups' turns, which no newcomer changes
    return tuple(sorted(entry for _, _, entry in places[:size]))


def to_tensors(entries: Iterable[Entry]) -> dict[str, Tensor]:
    """Return entries as a few columns: int64, and float64 keys."""
    rows = list(entries)
    columns = {
        name: torch.tensor([getattr(row, name) for row in rows], dtype=torch.int64)
        for name in _NUMBERS
    }
    return columns | {"key": torch.tensor([row.key for row in rows], dtype=torch.float64)}


def from_tensors(columns: dict[str, Tensor]) -> tuple[Entry, ...]:
    """Return what ``to_tensors`` made columns of."""
    lists = {name: column.tolist() for name, column in columns.items()}
    names = Entry._fields
    return tuple(Entry(*row) for row in zip(*(lists[name] for name in names), strict=True))
