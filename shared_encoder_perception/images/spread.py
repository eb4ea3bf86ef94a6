# SPDX-License-Identifier: Apache-2.0
"""A few of many, evenly spread: sets are sorted by source, so their first images are all alike."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

T = TypeVar("T")


def evenly(items: Iterable[T], total: int, count: int) -> Iterator[T]:
    """Yield ``count`` items in their order, evenly spread; all of them where there are fewer.

    Args:
        items: Read as they are asked for, and no further than the last one that is wanted.
        total: How many there are; 0 where that is not known: then the first ``count``.
        count: How many are wanted; 0 for all.
    """
    if not 0 < count < total:
        yield from islice(items, count or None)
        return
    wanted = {index * total // count for index in range(count)}
    for index, item in enumerate(islice(items, max(wanted) + 1)):
        if index in wanted:
            yield item
