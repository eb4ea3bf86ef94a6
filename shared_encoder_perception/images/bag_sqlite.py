# SPDX-License-Identifier: Apache-2.0
"""The messages of a sqlite3 file of a rosbag2, also where pages of it are damaged or missing."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from shared_encoder_perception.images.bag_parts import Channel, StorageError, Tell

MAGIC: Final = b"SQLite format 3\x00"
TABLES: Final = ("topics", "messages")
BEFORE_ALL: Final = -(2**63)
GIVE_UP: Final = 200_000
"""Behind so many rows without one that can be read, there are no more."""
ROW: Final = 16
"""Bytes that a row takes at least, and so how many there can be."""


class SqliteFile:
    """A sqlite3 file.

    Attributes:
        channels: Its topics.
    """

    def __init__(self, path: Path, tell: Tell) -> None:
        """Open it and read its topics.

        Args:
            path: The file.
            tell: Takes what is wrong with it.

        Raises:
            StorageError: Nothing of it can be read.
        """
        self._tell = tell
        self._give_up = min(GIVE_UP, path.stat().st_size // ROW)
        shared = path.with_name(f"{path.name}-shm")
        self._leave: list[Path] = [] if shared.exists() else [shared]
        try:
            self._open(path)
        except sqlite3.Error as error:
            self.close()
            raise StorageError(str(error)) from None
        except BaseException:
            self.close()
            raise

    def _open(self, path: Path) -> None:
        """Connect, and read the topics."""
        self._database = _connect(path, self._tell)
        self._database.text_factory = lambda text: text.decode(errors="replace")
        # A file that lost its end is refused as a whole otherwise.
        self._database.execute("PRAGMA writable_schema=ON")
        found = self._rows("SELECT name FROM sqlite_master WHERE type = 'table'")
        if missing := set(TABLES) - {name for (name,) in found}:
            raise StorageError(f"it has no table of {' and '.join(sorted(missing))}")
        definitions = self._definitions()
        digests = dict(self._if_there("SELECT id, type_description_hash FROM topics"))
        rows = self._rows("SELECT id, name, type, serialization_format FROM topics ORDER BY id")
        self.channels = [
            Channel(
                number,
                str(name),
                str(kind),
                str(encoding),
                *definitions.get(kind, ("", "")),
                str(digests.get(number) or ""),
            )
            for number, name, kind, encoding in rows
            if isinstance(number, int)
        ]

    def close(self) -> None:
        """Close the database, and remove what reading it has left beside it."""
        if hasattr(self, "_database"):
            self._database.close()
        for path in self._leave:
            with suppress(OSError):
                path.unlink(missing_ok=True)

    def counts(self) -> dict[int, int]:
        """Return the messages that there are, by the channel's number."""
        return dict(self._if_there("SELECT topic_id, count(*) FROM messages GROUP BY topic_id"))

    def messages(self, wanted: Collection[int]) -> Iterator[tuple[int, int, bytes]]:
        """Yield messages in the order of time; from a damaged page on, in that of recording."""
        last = BEFORE_ALL, BEFORE_ALL
        try:
            for row in self._select(wanted, "ORDER BY timestamp, id"):
                yield from self._message(row)
                last = row[2], row[0]
            return
        except sqlite3.Error as error:
            self._tell(f"a part of it is damaged: {error}")
        yield from self._rest(wanted, last)

    def _rest(
        self, wanted: Collection[int], last: tuple[int, int]
    ) -> Iterator[tuple[int, int, bytes]]:
        """Yield, one by one, the messages that can be read behind the last one."""
        number, missed, end = 0, 0, self._last_row()
        while missed < self._give_up and (end is None or number < end):
            number += 1
            missed += 1
            try:
                for row in self._select(wanted, "AND id = ?", number):
                    missed = 0
                    if (row[2], row[0]) > last:
                        yield from self._message(row)
            except sqlite3.Error:
                continue  # how many are missing in the end is told by whoever counts them

    def _last_row(self) -> int | None:
        """Return the number of the last message; ``None`` if that cannot be read."""
        for order in ("id", "timestamp"):
            with suppress(sqlite3.Error):
                for (number,) in self._rows(
                    f"SELECT id FROM messages ORDER BY {order} DESC LIMIT 1"
                ):
                    if isinstance(number, int):
                        return number
        return None

    def _select(self, wanted: Collection[int], how: str, *values: int) -> Iterator[Any]:
        """Select id, channel, arrival and data of messages."""
        marks = ",".join("?" * len(wanted))
        query = f"SELECT id, topic_id, timestamp, data FROM messages WHERE topic_id IN ({marks}) "
        yield from self._database.execute(query + how, (*wanted, *values))

    def _message(self, row: tuple[Any, ...]) -> Iterator[tuple[int, int, bytes]]:
        """Yield a row's message, if it holds one."""
        number, channel, arrived_ns, data = row
        if isinstance(arrived_ns, int) and isinstance(data, bytes):
            yield channel, arrived_ns, data
        else:
            self._tell(f"row {number} holds no message")

    def _definitions(self) -> dict[str, tuple[str, str]]:
        """Return dialect and text of the types that the file defines."""
        query = "SELECT topic_type, encoding, encoded_message_definition FROM message_definitions"
        return {str(kind): (str(how), str(text)) for kind, how, text in self._if_there(query)}

    def _rows(self, query: str) -> list[Any]:
        """Return what a query finds."""
        return self._database.execute(query).fetchall()

    def _if_there(self, query: str) -> list[Any]:
        """Return what a query finds; nothing if older files have no such table or column."""
        try:
            return self._rows(query)
        except sqlite3.Error:
            return []


def _connect(path: Path, tell: Tell) -> sqlite3.Connection:
    """Open a database for reading only, with what its recorder had not yet put into it."""
    name = quote(str(path.absolute()))

    def connect(how: str) -> sqlite3.Connection:
        return sqlite3.connect(f"file:{name}?{how}", uri=True, check_same_thread=False)

    def is_left(suffix: str) -> bool:
        beside = path.with_name(path.name + suffix)
        return beside.is_file() and beside.stat().st_size > 0

    if is_left("-wal"):
        database = connect("mode=ro")
        try:
            database.execute("SELECT count(*) FROM sqlite_master").fetchall()
        except sqlite3.Error as error:
            database.close()
            tell(f"its last rows are in {path.name}-wal, which cannot be read: {error}")
        else:
            return database
    if is_left("-journal"):
        tell(f"recording broke off, as {path.name}-journal says: its last rows may be damaged")
    return connect("immutable=1")
