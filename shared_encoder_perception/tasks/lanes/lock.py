# SPDX-License-Identifier: Apache-2.0
"""A lock for what is checkpointed with a replay."""

from __future__ import annotations

import threading
from types import TracebackType


class Lock:
    """Held like ``threading.Lock``, by ``with``; whoever is unpickled with one gets a free one."""

    def __init__(self) -> None:
        """Begin free."""
        self._lock = threading.Lock()

    def __enter__(self) -> None:
        """Wait for it."""
        self._lock.acquire()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Let go."""
        self._lock.release()

    def __reduce__(self) -> tuple[type[Lock], tuple[()]]:
        """Leave behind who holds it."""
        return Lock, ()
