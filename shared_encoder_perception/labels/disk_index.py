# SPDX-License-Identifier: Apache-2.0
"""A map from keys to numbers that lives on the disk: for sets that do not fit into memory."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from types import TracebackType


class DiskIndex:
    """Remembers the first number of each key, and all others. A context manager."""

    def __init__(self) -> None:
        """Start empty, in a temporary file that vanishes by itself."""
        self._base = sqlite3.connect("")  # the empty name: a private file, removed on closing
        self._base.execute("CREATE TABLE keys (key TEXT, number INTEGER)")
        self._base.execute("CREATE INDEX by_key ON keys (key)")

    def __enter__(self) -> DiskIndex:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Forget everything."""
        self._base.close()

    def add(self, key: str, number: int) -> int | None:
        """Remember ``number`` for ``key``; return the first one it had, if any."""
        first = next(self.numbers(key), None)
        self._base.execute("INSERT INTO keys VALUES (?, ?)", (key, number))
        return first

    def numbers(self, key: str) -> Iterator[int]:
        """Return the numbers of ``key`` in the order in which they came."""
        rows = self._base.execute("SELECT number FROM keys WHERE key = ? ORDER BY rowid", (key,))
        return (row[0] for row in rows.fetchall())
