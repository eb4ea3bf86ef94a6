# SPDX-License-Identifier: Apache-2.0
"""The messages of an mcap file: by its index where that is sound, else by its records.

Of a damaged file, all sound chunks are read. What other topics hold is never looked at.
"""

from __future__ import annotations

import struct
from array import array
from collections import Counter, deque
from collections.abc import Collection, Iterator
from heapq import heappop, heappush
from pathlib import Path
from typing import Final

import numpy as np

from shared_encoder_perception.images.bag_mcap_chunk import content_of
from shared_encoder_perception.images.bag_mcap_index import (
    CHANNEL,
    CHUNK,
    DATA_END,
    FOOTER,
    HEAD,
    HEADER,
    MAGIC,
    MESSAGE,
    MESSAGE_INDEX,
    SCHEMA,
    Chunk,
    Fields,
    Index,
    read_index,
    records_of,
)
from shared_encoder_perception.images.bag_parts import StorageError, Tell
from shared_encoder_perception.images.unpacking import MOST, RATIO, megabytes

MESSAGE_HEAD: Final = struct.Struct("<HIQQ")
"""Channel, sequence, when it arrived, when it was sent (ns)."""
BLOCK: Final = 2**20
MARKS: Final = (b"\x04\x00\x00\x00zstd", b"\x03\x00\x00\x00lz4")
"""How a chunk says that it is compressed, and by that it is found behind damage."""
OWN: Final = 0x80
"""Records from here on are an application's own."""
MARK_AT: Final = HEAD.size + 28
HELD: Final = 2**28
"""Bytes of chunks that overlap in time and may be held in memory, however small the file is."""


class McapFile:
    """An mcap file.

    Attributes:
        channels: Its topics.
    """

    def __init__(self, path: Path, tell: Tell) -> None:
        """Open it and find its chunks.

        Args:
            path: The file.
            tell: Takes what is wrong with it.

        Raises:
            StorageError: Nothing of it can be read.
        """
        self._tell = tell
        self._size = path.stat().st_size
        self._file = path.open("rb")
        # Messages that lie in no chunk: when they arrived (ns), on which channel, and where.
        self._loose = array("Q"), array("H"), array("Q")
        try:
            self._open()
        except BaseException:
            self._file.close()
            raise

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def counts(self) -> dict[int, int]:
        """Return the messages that there should be, by the channel's number."""
        return dict(self._counts)

    def messages(self, wanted: Collection[int]) -> Iterator[tuple[int, int, bytes]]:
        """Yield messages in the order of time; a chunk that cannot be read is told.

        Raises:
            StorageError: Too many chunks are of the same time to be held in memory.
        """
        yield from self._loose_messages(wanted)
        chunks = [
            chunk for chunk in self._chunks if not chunk.counts or set(chunk.counts) & set(wanted)
        ]
        waiting = deque(sorted(chunks, key=lambda chunk: (chunk.start_ns, chunk.offset)))
        ready: list[tuple[int, int, int, int, memoryview]] = []
        left: Counter[int] = Counter()
        sizes: dict[int, int] = {}
        while waiting or ready:
            while waiting and (not ready or waiting[0].start_ns <= ready[0][0]):
                chunk = waiting.popleft()
                size, found = self._messages_of(chunk, wanted)
                for number, (channel, arrived_ns, data) in enumerate(found):
                    heappush(ready, (arrived_ns, chunk.offset, number, channel, data))
                if found:
                    left[chunk.offset], sizes[chunk.offset] = len(found), size
                    self._check_held(sum(sizes.values()))
            if ready:
                arrived_ns, offset, _, channel, data = heappop(ready)
                left[offset] -= 1
                if not left[offset]:
                    del sizes[offset]
                yield channel, arrived_ns, bytes(data)

    def _loose_messages(self, wanted: Collection[int]) -> Iterator[tuple[int, int, bytes]]:
        """Yield the messages that lie in no chunk, in the order of time."""
        arrived_ns, channels, places = self._loose
        for number in np.argsort(np.asarray(arrived_ns), kind="stable"):
            if channels[number] in wanted:
                _, length = HEAD.unpack(self._at(places[number], HEAD.size))
                data = self._at(places[number] + HEAD.size, length)[MESSAGE_HEAD.size :]
                yield channels[number], arrived_ns[number], data

    def _check_held(self, held: int) -> None:
        """Refuse to hold more than memory is for."""
        if held > max(HELD, RATIO // 10 * self._size):
            raise StorageError(
                f"{megabytes(held)} of its chunks are of the same time: sort it with `mcap sort`"
            )

    def _messages_of(
        self, chunk: Chunk, wanted: Collection[int]
    ) -> tuple[int, list[tuple[int, int, memoryview]]]:
        """Return a chunk's size in memory and its messages; tell if it is damaged."""
        found: list[tuple[int, int, memoryview]] = []
        try:
            content = self._load(chunk)
        except StorageError as error:
            self._lose(chunk, error)
            return 0, []
        is_wanted = False
        try:
            for kind, record in records_of(content):
                is_wanted = False
                if kind != MESSAGE:
                    continue
                if len(record) < MESSAGE_HEAD.size:
                    raise StorageError("its records are damaged")
                channel, _, arrived_ns, _ = MESSAGE_HEAD.unpack_from(record)
                if is_wanted := channel in wanted:
                    found.append((channel, arrived_ns, record[MESSAGE_HEAD.size :]))
        except StorageError as error:
            if is_wanted:  # the damage may begin in it
                found.pop()
            self._lose(chunk, error, len(found))
        return len(content), found

    def _lose(self, chunk: Chunk, why: Exception, kept: int = 0) -> None:
        """Say that a chunk cannot be read, or only the beginning of it."""
        known = sum(chunk.counts.values())
        what = f" with its {known} messages" if known else ""
        but = f"; {kept} messages before the damage are read" if kept else ""
        self._tell(f"the chunk at byte {chunk.offset}{what} is lost: {why}{but}")

    def _load(self, chunk: Chunk) -> memoryview:
        """Read and unpack a chunk.

        Raises:
            StorageError: It is damaged, or too large.
        """
        if chunk.length > MOST:
            raise StorageError(f"it is {megabytes(chunk.length)} long")
        return content_of(self._at(chunk.offset, chunk.length), chunk.length)

    def _at(self, offset: int, size: int) -> bytes:
        """Read a part of the file, shorter where it ends."""
        self._file.seek(offset)
        return self._file.read(max(min(size, self._size - offset), 0))

    def _open(self) -> None:
        """Find the chunks by the index, or else one by one."""
        index, why = read_index(self._at, self._size)
        if self._at(0, len(MAGIC)) != MAGIC:
            if not index.chunks and self._at(len(MAGIC), 1) != bytes([HEADER]):
                raise StorageError("it is no mcap file")
            self._tell("its first bytes are not those of an mcap file")
        self._chunks = index.chunks
        if why:
            self._tell(f"{why}: what could be read was found without it")
        if why or not index.chunks or not index.topics:
            index = self._scan(index, trusted=not why)
        self.channels = index.channels()
        self._counts = index.counts or {}

    def _scan(self, told: Index, *, trusted: bool) -> Index:
        """Find chunks, messages and topics record by record.

        Args:
            told: What the index says.
            trusted: Whether that is right.
        """
        found, chunks, counts = Index(), list[Chunk](), Counter[int]()
        marks = sorted(chunk.offset for chunk in told.chunks)
        at = len(MAGIC)
        while at + HEAD.size <= self._size:
            kind, length = HEAD.unpack(self._at(at, HEAD.size))
            end = at + HEAD.size + length
            if kind in (DATA_END, FOOTER):
                break
            if not kind or DATA_END < kind < OWN or end > self._size:
                behind = self._behind(at, marks)
                self._tell(
                    f"nothing can be read from byte {at} "
                    + (f"to {behind}" if behind is not None else "on")
                )
                if behind is None:
                    break
                at = behind
                continue
            self._take(found, chunks, kind, at, length)
            at = end
        for chunk in chunks:
            if not chunk.counts or not set(chunk.counts) <= set(found.topics):
                self._look_into(chunk, found)
        for chunk in chunks:
            counts.update(chunk.counts)
        counts.update(self._loose[1])
        self._chunks = chunks
        found.schemas = {**told.schemas, **found.schemas}
        found.topics = {**told.topics, **found.topics}
        promised = told.counts or {}
        found.counts = promised if trusted and promised else dict(counts)
        return found

    def _take(self, found: Index, chunks: list[Chunk], kind: int, at: int, length: int) -> None:
        """Take what a record of the file says (in place)."""
        inside = at + HEAD.size
        try:
            if kind in (SCHEMA, CHANNEL):
                found.learn(kind, self._at(inside, length))
            elif kind == CHUNK:
                (start_ns,) = Fields(self._at(inside, 8)).numbers("Q")
                chunks.append(Chunk(start_ns, at, HEAD.size + length))
            elif kind == MESSAGE_INDEX and chunks:
                channel, size = Fields(self._at(inside, 6)).numbers("HI")
                chunks[-1].counts[channel] = size // 16
            elif kind == MESSAGE:
                head = Fields(self._at(inside, min(length, MESSAGE_HEAD.size)))
                channel, _, arrived_ns, _ = head.numbers("HIQQ")
                for values, value in zip(self._loose, (arrived_ns, channel, at), strict=True):
                    values.append(value)
        except StorageError as error:
            self._tell(f"the record at byte {at} is lost: {error}")

    def _look_into(self, chunk: Chunk, found: Index) -> None:
        """Learn from a chunk's content what nothing else says (in place)."""
        counts: Counter[int] = Counter()
        try:
            for kind, record in records_of(self._load(chunk)):
                if kind in (SCHEMA, CHANNEL):
                    found.learn(kind, record)
                elif kind == MESSAGE:
                    counts[Fields(record).numbers("H")[0]] += 1
        except StorageError:
            return  # it is told when its messages are asked for
        chunk.counts.update(counts)

    def _behind(self, at: int, marks: list[int]) -> int | None:
        """Return where there is a chunk behind damage; ``None`` for nowhere."""
        found = next((mark for mark in marks if mark > at), None)
        end = self._size if found is None else found
        start = at + 1
        while start < end:
            block = self._at(start, min(BLOCK, end - start) + MARK_AT + len(MARKS[0]))
            places = [block.find(mark, MARK_AT) - MARK_AT for mark in MARKS]
            for place in sorted(place for place in places if place >= 0):
                kind, length = HEAD.unpack_from(block, place)
                if kind == CHUNK and start + place + HEAD.size + length <= self._size:
                    return start + place
            start += BLOCK
        return found
