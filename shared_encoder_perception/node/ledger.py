# SPDX-License-Identifier: Apache-2.0
"""The books of the images: each that came in is in exactly one of the numbers of ``Counts``."""

from __future__ import annotations

from collections import Counter
from threading import Lock
from typing import Generic, TypeVar

from shared_encoder_perception.images.counts import Counts
from shared_encoder_perception.node.mailbox import Mailbox

T = TypeVar("T")


class DroppedError(Exception):
    """An image that goes no further: for which of ``DROP_REASONS``, and what to tell."""

    def __init__(self, reason: str, text: str = "") -> None:
        """Keep the reason; the text is what to tell people, if anything."""
        super().__init__(text)
        self.reason = reason


class Ledger(Generic[T]):
    """Keeps the books of a mailbox and of the one thread that takes from it."""

    def __init__(self, mailbox: Mailbox[T]) -> None:
        """Start with empty books; from now on, items reach ``mailbox`` by ``put`` only."""
        self._mailbox = mailbox
        self._lock = Lock()
        self._received = self._finished = 0
        self._tally: Counter[str] = Counter()
        self._given_up = False

    @property
    def counts(self) -> Counts:
        """All numbers at the same instant."""
        with self._lock:
            box = self._mailbox.counts
            tally = self._tally + Counter(replaced=box.replaced, discarded=box.discarded)
            in_work = box.taken - self._finished
            return Counts(received=self._received, waiting=box.waiting, in_work=in_work, **tally)

    @property
    def given_up(self) -> bool:
        """Whether ``give_up`` was called."""
        return self._given_up

    def put(self, item: T) -> None:
        """Count an item and leave it in the mailbox; discarded where that is closed."""
        with self._lock:
            self._received += 1
            if not self._mailbox.put(item):
                self._tally["discarded"] += 1

    def refuse(self, reason: str) -> None:
        """Count an item that is dropped, for one of ``DROP_REASONS``, before it could wait."""
        with self._lock:
            self._received += 1
            self._tally[reason] += 1

    def finish(self, outcome: str) -> bool:
        """Count the end of the item in work.

        Args:
            outcome: ``"perceived"`` or one of ``DROP_REASONS``.

        Returns:
            False if it was given up, and counted, before.
        """
        with self._lock:
            if not self._given_up:
                self._finished += 1
                self._tally[outcome] += 1
            return not self._given_up

    def note(self, what: str) -> None:
        """Count something about an item that was finished: ``unrefined``, ``unpublished``."""
        with self._lock:
            self._tally[what] += 1

    def give_up(self) -> None:
        """Count the item in work, if there is one, as lost, whatever becomes of it."""
        with self._lock:
            in_work = self._mailbox.counts.taken - self._finished
            self._finished += in_work
            self._tally["lost"] += in_work
            self._given_up = True
