# SPDX-License-Identifier: Apache-2.0
"""The records of an mcap file, and the index at its end: which chunks it has, on which topics.

A record is what it is (1 byte), its length (8 bytes, little-endian), and its content; see
https://mcap.dev/spec.
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Final
from zlib import crc32

from shared_encoder_perception.images.bag_parts import Channel, StorageError

MAGIC: Final = b"\x89MCAP0\r\n"
HEAD: Final = struct.Struct("<BQ")
HEADER, FOOTER, SCHEMA, CHANNEL, MESSAGE, CHUNK, MESSAGE_INDEX, CHUNK_INDEX = range(1, 9)
STATISTICS, DATA_END = 0x0B, 0x0F
FOOTER_SIZE: Final = 20
ROS_DIALECTS: Final = ("ros2msg", "ros2idl", "omgidl")
"""Of definitions; the text of others is not looked at."""
ReadAt = Callable[[int, int], bytes]
"""Reads (from, how many) bytes of the file."""


class Fields:
    """The fields of a record, one after the other."""

    def __init__(self, content: Any) -> None:
        """Begin; ``content`` is bytes or a memoryview."""
        self._content, self._at = content, 0

    def numbers(self, form: str) -> tuple[int, ...]:
        """Return numbers as of ``struct``.

        Raises:
            StorageError: The record ends before.
        """
        try:
            found = struct.unpack_from(f"<{form}", self._content, self._at)
        except struct.error:
            raise StorageError("a record ends too early") from None
        self._at += struct.calcsize(f"<{form}")
        return found

    def block(self, size: int) -> Any:
        """Return so many bytes.

        Raises:
            StorageError: The record ends before.
        """
        found = self._content[self._at : self._at + size]
        if len(found) != size:
            raise StorageError("a record ends too early")
        self._at += size
        return found

    def sized(self) -> Any:
        """Return bytes behind their number."""
        return self.block(self.numbers("I")[0])

    def text(self) -> str:
        """Return a text behind its length."""
        return bytes(self.sized()).decode(errors="replace")

    def pairs(self) -> list[tuple[int, int]]:
        """Return the pairs of a map from 2-byte numbers to 8-byte ones."""
        content = bytes(self.sized())
        return list(struct.iter_unpack("<HQ", content[: len(content) // 10 * 10]))


@dataclass(frozen=True)
class Chunk:
    """Where messages lie together.

    Attributes:
        start_ns: The first one's arrival.
        offset: Of the record, in the file.
        length: Of the record, with its head.
        end: Behind the chunk and the index of its messages; 0 if that is not known.
        counts: Channel -> messages; empty if that is not known.
    """

    start_ns: int
    offset: int
    length: int
    end: int = 0
    counts: dict[int, int] = field(default_factory=dict)


@dataclass
class Index:
    """What is known of a file's content.

    Attributes:
        schemas: Number -> name, dialect and definition of a type.
        topics: Number of a channel -> topic, number of the schema, serialisation.
        chunks: In the order of the file.
        counts: Channel -> messages, as the file's statistics promise; ``None`` without them.
    """

    schemas: dict[int, tuple[str, str, str]] = field(default_factory=dict)
    topics: dict[int, tuple[str, int, str]] = field(default_factory=dict)
    chunks: list[Chunk] = field(default_factory=list)
    counts: dict[int, int] | None = None

    def learn(self, kind: int, content: bytes | memoryview) -> None:
        """Take what a record of a schema or a channel says (in place).

        Raises:
            StorageError: It is damaged.
        """
        fields = Fields(content)
        (number,) = fields.numbers("H")
        if kind == SCHEMA:
            name, dialect, text = fields.text(), fields.text(), bytes(fields.sized())
            known = text.decode(errors="replace") if dialect in ROS_DIALECTS else ""
            self.schemas.setdefault(number, (name, dialect, known))
        elif kind == CHANNEL:
            (schema,) = fields.numbers("H")
            self.topics.setdefault(number, (fields.text(), schema, fields.text()))

    def channels(self) -> list[Channel]:
        """Return the topics."""
        return [
            Channel(number, topic, name, encoding, dialect, definition)
            for number, (topic, schema, encoding) in sorted(self.topics.items())
            for name, dialect, definition in [self.schemas.get(schema, ("", "", ""))]
        ]


def records_of(content: memoryview) -> Iterator[tuple[int, memoryview]]:
    """Yield ``(what it is, content)`` of the records that follow one another.

    Raises:
        StorageError: They do not.
    """
    at, end = 0, len(content)
    while at < end:
        if at + HEAD.size > end:
            raise StorageError("its records are damaged")
        kind, length = HEAD.unpack_from(content, at)
        at += HEAD.size
        if not kind or at + length > end:
            raise StorageError("its records are damaged")
        yield kind, content[at : at + length]
        at += length


def read_index(read: ReadAt, size: int) -> tuple[Index, str]:
    """Read the index at the end of a file.

    Args:
        read: Reads the file.
        size: Of the file, bytes.

    Returns:
        What could be read of it, and why it cannot be trusted; empty if it can.
    """
    index = Index()
    tail = HEAD.size + FOOTER_SIZE + len(MAGIC)
    end = read(max(size - tail, 0), tail)
    if end[-len(MAGIC) :] != MAGIC:
        return index, "its end is cut off or damaged"
    if len(end) < tail or HEAD.unpack_from(end) != (FOOTER, FOOTER_SIZE):
        return index, "its footer is damaged"
    start, _, told_crc = Fields(end[HEAD.size :]).numbers("QQI")
    if not start:
        return index, ""
    stop = size - tail
    if not len(MAGIC) <= start <= stop:
        return index, "its footer is damaged"
    content = read(start, stop - start)
    if told_crc and told_crc != crc32(end[: HEAD.size + FOOTER_SIZE - 4], crc32(content)):
        return index, "its index is damaged"
    statistics: list[int] = []
    try:
        for kind, record in records_of(memoryview(content)):
            _take(index, kind, record, statistics)
    except StorageError:
        return index, "its index is damaged"
    return index, _check(index, statistics, read, start)


def _take(index: Index, kind: int, record: memoryview, statistics: list[int]) -> None:
    """Take what a record of the index says (in place)."""
    fields = Fields(record)
    if kind in (SCHEMA, CHANNEL):
        index.learn(kind, record)
    elif kind == CHUNK_INDEX:
        start_ns, _, offset, length = fields.numbers("QQQQ")
        marks = sorted((at, number) for number, at in fields.pairs())
        last = offset + length + fields.numbers("Q")[0]
        ends = [*(at for at, _ in marks[1:]), last]
        # An index of messages has 15 bytes before its entries of 16 bytes each.
        counts = {
            number: max(end - at - 15, 0) // 16
            for (at, number), end in zip(marks, ends, strict=False)
        }
        index.chunks.append(Chunk(start_ns, offset, length, last, counts))
    elif kind == STATISTICS:
        statistics[:] = fields.numbers("QHIIIIQQ")
        index.counts = dict(fields.pairs())


def _check(index: Index, statistics: list[int], read: ReadAt, end: int) -> str:
    """Say what is not right about an index; let go of what is only not known."""
    index.chunks.sort(key=lambda chunk: chunk.offset)
    if statistics and statistics[5] != len(index.chunks):
        return "its index is damaged"
    before = 0
    for chunk in index.chunks:
        if chunk.offset < before or chunk.offset + chunk.length > end:
            return "its index is damaged"
        # Where one ends the next begins; to look at each would take long on a slow disk.
        head = CHUNK, chunk.length - HEAD.size
        if chunk.offset != before and HEAD.unpack(read(chunk.offset, HEAD.size)) != head:
            return "its index is damaged"
        before = chunk.end
    total: Counter[int] = Counter()
    for chunk in index.chunks:
        total.update(chunk.counts)
    if index.counts is None:
        index.counts = dict(total) if index.chunks else None
    elif any(total[number] != count for number, count in index.counts.items()):
        index.chunks = [replace(chunk, counts={}) for chunk in index.chunks]
    return ""
