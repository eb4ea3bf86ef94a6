# SPDX-License-Identifier: Apache-2.0
"""A gate between the turns of one thread, where others may hold it while they change its tools."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Condition
from time import perf_counter


class Gate:
    """One thread works in turns; others close the gate before its next one."""

    def __init__(self) -> None:
        """Start open, with nobody at work."""
        self._changed = Condition()
        self._closed = False
        self._busy_since_s: float | None = None

    @property
    def busy_since_s(self) -> float | None:
        """``perf_counter`` at which the present turn began; ``None`` between turns."""
        return self._busy_since_s

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Work; waits first while the gate is closed. For the one thread only."""
        with self._changed:
            self._changed.wait_for(lambda: not self._closed)
            self._busy_since_s = perf_counter()
        try:
            yield
        finally:
            with self._changed:
                self._busy_since_s = None
                self._changed.notify_all()

    @contextmanager
    def closed(self, timeout_s: float) -> Iterator[None]:
        """Keep the thread from its next turn; waits first for the end of the present one.

        Raises:
            TimeoutError: After ``timeout_s`` seconds, that turn was not over, or somebody else
                kept the gate closed. The gate is open again.
        """
        deadline_s = perf_counter() + timeout_s
        with self._changed:
            if not self._changed.wait_for(lambda: not self._closed, timeout_s):
                raise TimeoutError(f"others keep the gate closed for more than {timeout_s:g} s")
            # Closed before the wait: else the thread could begin turn after turn under our nose.
            self._closed = True
            rest_s = max(deadline_s - perf_counter(), 0.0)
            if not self._changed.wait_for(lambda: self._busy_since_s is None, rest_s):
                self._open()
                raise TimeoutError(f"the image in work is not finished after {timeout_s:g} s")
        try:
            yield
        finally:
            with self._changed:
                self._open()

    def _open(self) -> None:
        """Let the thread go on."""
        self._closed = False
        self._changed.notify_all()
