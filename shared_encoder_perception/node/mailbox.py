# SPDX-License-Identifier: Apache-2.0
"""A mailbox with one slot: whoever is slow gets the newest item, and the rest is counted."""

from __future__ import annotations

from dataclasses import dataclass
from threading import Condition
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class MailboxCounts:
    """What became of the items accepted; the others always add up to ``put``.

    Attributes:
        put: Items accepted.
        taken: Items taken.
        replaced: Items that a newer one replaced before they were taken.
        discarded: Items that waited when the mailbox was closed, 0 or 1.
        waiting: Items that wait now, 0 or 1.
    """

    put: int
    taken: int
    replaced: int
    discarded: int
    waiting: int


class Mailbox(Generic[T]):
    """Hands items from one thread to another; a new item replaces one that still waits.

    At any time, the items put equal those taken plus those replaced plus the one that waits or was
    thrown away at closing time.
    """

    def __init__(self) -> None:
        """Start open and empty."""
        self._changed = Condition()
        self._item: T | None = None
        self._put = self._taken = self._replaced = self._discarded = 0
        self._closed = False

    @property
    def replaced(self) -> int:
        """Items that a newer one replaced before they were taken."""
        return self.counts.replaced

    @property
    def counts(self) -> MailboxCounts:
        """What became of the items, all at the same instant."""
        with self._changed:
            waiting = int(self._item is not None)
            return MailboxCounts(self._put, self._taken, self._replaced, self._discarded, waiting)

    def put(self, item: T) -> bool:
        """Leave ``item``, replacing one that was not taken; never blocks.

        Returns:
            Whether it was accepted; a closed mailbox accepts nothing.
        """
        with self._changed:
            if self._closed:
                return False
            self._put += 1
            self._replaced += self._item is not None
            self._item = item
            self._changed.notify()
            return True

    def take(self, timeout_s: float | None = None) -> T | None:
        """Wait for an item and remove it.

        Args:
            timeout_s: Longest wait in seconds; ``None`` waits until an item or ``close`` comes.

        Returns:
            The newest item, or ``None`` when the mailbox was closed or the time is up.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._item is not None, timeout_s)
            item, self._item = self._item, None
            self._taken += item is not None
            return item

    def close(self) -> bool:
        """Wake everybody who waits, and accept nothing more.

        Returns:
            Whether an item was waiting; it is thrown away.
        """
        with self._changed:
            discarded = self._item is not None
            self._discarded += discarded
            self._item, self._closed = None, True
            self._changed.notify_all()
            return discarded
