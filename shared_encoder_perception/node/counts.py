"""What became of the images: every one that came in is in exactly one of these numbers."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from threading import Lock
from typing import Final, Generic, TypeVar

from shared_encoder_perception.node.mailbox import Mailbox

T = TypeVar("T")

DROP_REASONS: Final = (
    *("replaced", "rejected", "lost", "stale", "late", "limited", "disabled", "discarded"),
)
"""Fields of ``Counts`` that add up to ``dropped``."""


@dataclass(frozen=True)
class Counts:
    """What became of the images: ``received == perceived + dropped + pending`` at any instant.

    Attributes:
        received: Images handed to the worker.
        perceived: Images that gave a perception, which was handed on for publishing.
        replaced: Dropped, because a newer one came before its turn.
        rejected: Dropped, because it could not be used: encoding, size, crop, damaged data.
        lost: Dropped, because the backend failed on it, or had not returned when the worker was
            stopped.
        stale: Dropped, because it was older than ``Limits.max_age_s``.
        late: Dropped, because it was stamped before the last one.
        limited: Dropped, because it was beyond ``Limits.max_rate_hz``.
        disabled: Dropped, because the worker was disabled.
        discarded: Dropped, because it waited, or came, when the worker was stopped.
        waiting: Images that wait for their turn, 0 or 1.
        in_work: Images that are being perceived, 0 or 1.
        unrefined: Of those perceived, images for which ground or tracks failed.
        unpublished: Of those perceived, images whose publishing failed.
    """

    received: int = 0
    perceived: int = 0
    replaced: int = 0
    rejected: int = 0
    lost: int = 0
    stale: int = 0
    late: int = 0
    limited: int = 0
    disabled: int = 0
    discarded: int = 0
    waiting: int = 0
    in_work: int = 0
    unrefined: int = 0
    unpublished: int = 0

    @property
    def dropped(self) -> int:
        """Images that gave no perception, and never will."""
        return sum(self.dropped_by_reason().values())

    @property
    def pending(self) -> int:
        """Images that nothing is known of yet."""
        return self.waiting + self.in_work

    def dropped_by_reason(self) -> dict[str, int]:
        """Return the numbers of dropped images, in the order of ``DROP_REASONS``."""
        return {reason: getattr(self, reason) for reason in DROP_REASONS}


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
