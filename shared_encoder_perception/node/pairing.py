# SPDX-License-Identifier: Apache-2.0
"""Clouds wait for the answer to the image that is nearest to them in time."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from threading import Condition
from time import perf_counter
from typing import Any, Final

ANSWERS: Final = 16
"""Answers that are kept: half a second of a fast camera, for clouds that come late."""
CLOUDS: Final = 4
"""Clouds that may wait; one more, and the oldest is given up."""


@dataclass(frozen=True, eq=False)
class Pair:
    """A cloud, and what is nearest to it.

    Attributes:
        cloud: As it was given.
        answer: As it was given; ``None`` where there was none.
        skew_s: How much later the image was taken than the cloud, seconds.
    """

    cloud: Any
    answer: Any
    skew_s: float


class Pairing:
    """Hands pairs from those who bring clouds and answers to one who takes them."""

    def __init__(self) -> None:
        """Start open and empty."""
        self._changed = Condition()
        self._answers: deque[tuple[int, Any]] = deque(maxlen=ANSWERS)
        self._clouds: deque[tuple[int, Any, float]] = deque()
        self._closed = False
        self.max_wait_s = 0.0
        """Longest wait of a cloud for a later image; may be set at any time."""

    def add_answer(self, stamp_ns: int, answer: Any) -> None:
        """Offer the answer to an image that was taken then."""
        with self._changed:
            self._answers.append((stamp_ns, answer))
            self._changed.notify()

    def add_cloud(self, stamp_ns: int, cloud: Any) -> bool:
        """Let a cloud wait that was taken then.

        Returns:
            Whether the oldest that waited is given up for it.
        """
        with self._changed:
            if self._closed:
                return False
            self._clouds.append((stamp_ns, cloud, perf_counter()))
            self._changed.notify()
            if len(self._clouds) <= CLOUDS:
                return False
            self._clouds.popleft()
            return True

    def take(self) -> Pair | None:
        """Wait for the next cloud whose image is decided; ``None`` when closed."""
        with self._changed:
            while not self._closed:
                wait_s = self._wait_s()
                if wait_s is not None and wait_s <= 0:
                    return self._next()
                self._changed.wait(wait_s)
            return None

    def forget(self) -> None:
        """Let go of all answers: time jumped, and they are of another drive."""
        with self._changed:
            self._answers.clear()

    def close(self) -> int:
        """Wake who waits and accept nothing more; return how many clouds are given up."""
        with self._changed:
            given_up = len(self._clouds)
            self._clouds.clear()
            self._answers.clear()
            self._closed = True
            self._changed.notify_all()
            return given_up

    def _wait_s(self) -> float | None:
        """Return for how long the first cloud may still wait; ``None`` for no cloud."""
        if not self._clouds:
            return None
        stamp_ns, _, since_s = self._clouds[0]
        if any(taken_ns >= stamp_ns for taken_ns, _ in self._answers):
            return 0.0  # images come in order: none that is nearer will
        return since_s + self.max_wait_s - perf_counter()

    def _next(self) -> Pair:
        """Take the first cloud with the nearest answer."""
        stamp_ns, cloud, _ = self._clouds.popleft()
        if not self._answers:
            return Pair(cloud, None, 0.0)
        taken_ns, answer = min(self._answers, key=lambda one: abs(one[0] - stamp_ns))
        return Pair(cloud, answer, (taken_ns - stamp_ns) / 1e9)
