# SPDX-License-Identifier: Apache-2.0
"""What became of the images: every one that came in is in exactly one of these numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

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
