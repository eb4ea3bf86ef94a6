# SPDX-License-Identifier: Apache-2.0
"""A rosbag2, sound or damaged: topics, and all messages on them that can be read.

Topics are chosen by name and type; what else metadata and files say of them may differ. What is
lost is told in ``problems``, also while messages are read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

from shared_encoder_perception.files import plain_file
from shared_encoder_perception.files.data_paths import PathError, inside
from shared_encoder_perception.files.own_files import scratch_folder
from shared_encoder_perception.files.safe_text import printable
from shared_encoder_perception.images import bag_mcap_index, bag_sqlite
from shared_encoder_perception.images.bag_mcap import McapFile
from shared_encoder_perception.images.bag_metadata import (
    REINDEX,
    Metadata,
    MetadataError,
    read_metadata,
)
from shared_encoder_perception.images.bag_parts import (
    Connection,
    Storage,
    StorageError,
    Tell,
)
from shared_encoder_perception.images.bag_types import BagTypes
from shared_encoder_perception.images.bags import (
    METADATA,
    BagError,
    first_line,
    storage_files,
)
from shared_encoder_perception.images.own_topics import IMAGE_TYPES
from shared_encoder_perception.images.unpacking import (
    ZSTD_MAGIC,
    UnpackError,
    unpack,
    unpack_file,
)

Open = Callable[[Path, Tell], Storage]
STORAGES: Final[Mapping[bytes, Open]] = {
    bag_mcap_index.MAGIC: McapFile,
    bag_sqlite.MAGIC: bag_sqlite.SqliteFile,
}
"""First bytes of a file -> what reads it."""
BY_SUFFIX: Final[Mapping[str, Open]] = {".mcap": McapFile, ".db3": bag_sqlite.SqliteFile}


class Bag:
    """A bag, open for reading.

    Attributes:
        connections: Its topics.
        problems: What is lost or damaged, one line each; grows while messages are read.
    """

    def __init__(self, path: Path, stack: ExitStack) -> None:
        """Open a bag.

        Args:
            path: Its folder, or a file that is all of it.
            stack: Closes it.

        Raises:
            BagError: Nothing of it can be read.
        """
        self._path = path
        self.problems: list[str] = []
        self._storages: list[tuple[str, Storage]] = []
        metadata = self._metadata()
        for file in self._files(metadata):
            self._open(file, stack)
        if not self._storages:
            why = "; ".join(self.problems) or "it has no files"
            raise BagError(f"cannot read the bag {path}: {why}")
        self.connections = self._connections(metadata)
        channels = [channel for _, storage in self._storages for channel in storage.channels]
        self._types = BagTypes(channels, metadata.digests if metadata else {}, self._lose)

    def messages(
        self, connections: Collection[Connection] = ()
    ) -> Iterator[tuple[Connection, int, bytes]]:
        """Yield ``(connection, arrival in ns, serialised message)`` in the order of the bag.

        Args:
            connections: Which to read; all when empty.
        """
        wanted = {(one.topic, one.msgtype): one for one in connections or self.connections}
        read: Counter[str] = Counter()
        for name, storage in self._storages:
            known = {
                channel.number: wanted[channel.topic, channel.msgtype]
                for channel in storage.channels
                if (channel.topic, channel.msgtype) in wanted
            }
            if not known:
                continue
            try:
                for number, arrived_ns, data in storage.messages(known):
                    if data[: len(ZSTD_MAGIC)] == ZSTD_MAGIC:
                        try:
                            data = unpack(data)
                        except UnpackError as error:
                            self._lose(
                                f"{name}: a message on {known[number].topic} is lost: {error}"
                            )
                            continue
                    read[known[number].topic] += 1
                    yield known[number], arrived_ns, data
            except (StorageError, OSError) as error:
                self._lose(f"{name} is damaged: {first_line(error)}")
        promised: Counter[str] = Counter()
        for one in wanted.values():
            promised[one.topic] += one.msgcount
        for topic, total in promised.items():
            if read[topic] < total:
                self._lose(f"{read[topic]} of {total} messages on {topic} could be read")

    def deserialize(self, data: bytes, msgtype: str) -> Any:
        """Return a message as an object of rosbags.

        Raises:
            BagError: Its type is not known.
            Exception: It is damaged; rosbags raises many types.
        """
        return self._types.deserialize(data, msgtype)

    def _metadata(self) -> Metadata | None:
        """Return what is promised; ``None`` if that is not known."""
        path = self._path / METADATA
        if not self._path.is_dir():
            return None  # a file alone holds all that there is
        if not path.is_file():
            self._lose(
                f"it has no {METADATA}, so whether files are missing is not known: {REINDEX}"
            )
            return None
        try:
            return read_metadata(path)
        except MetadataError as error:
            self._lose(str(error))
        return None

    def _files(self, metadata: Metadata | None) -> Iterator[Path]:
        """Yield the files that are there."""
        if metadata is None:
            yield from storage_files(self._path)
            return
        for name in metadata.files:
            try:
                path = inside(self._path, name, "a file of relative_file_paths")
            except PathError as error:
                self._lose(str(error))
                continue
            if path.is_file():
                yield path
            else:
                self._lose(f"the file {name} is missing")

    def _open(self, path: Path, stack: ExitStack) -> None:
        """Open a file, unpacked first if it is compressed as a whole."""
        name = path.name

        def tell(problem: str) -> None:
            self._lose(f"{name} is damaged: {problem}")

        try:
            if _begins_with(path, ZSTD_MAGIC):
                path = _unpacked(path, stack, tell)
            storage = _storage(path, tell)
        except (StorageError, UnpackError, OSError) as error:
            self._lose(f"nothing of {name} can be read: {first_line(error)}")
            return
        stack.callback(storage.close)
        self._storages.append((name, storage))

    def _connections(self, metadata: Metadata | None) -> list[Connection]:
        """Return the topics of all files; tell which ones with images are in none of them."""
        counts: Counter[str] = Counter()
        kinds: dict[tuple[str, str], str] = {}
        for _, storage in self._storages:
            found = storage.counts() if _is_needed(storage, metadata) else {}
            for channel in storage.channels:
                counts[channel.topic] += found.get(channel.number, 0)
                kinds.setdefault((channel.topic, channel.msgtype), channel.encoding)
        promised = metadata.counts if metadata else {}
        for topic, count in promised.items():
            if count and topic not in counts and metadata and metadata.types[topic] in IMAGE_TYPES:
                self._lose(f"all {count} messages on {topic} are lost")
        connections = []
        for (topic, msgtype), encoding in kinds.items():
            total = max(counts.pop(topic, 0), promised.get(topic, 0)) if topic in counts else 0
            connections.append(Connection(topic, msgtype, total, encoding))
        return connections

    def _lose(self, problem: str) -> None:
        """Remember that something is lost, once however often it is met."""
        problem = printable(problem)
        if problem not in self.problems:
            self.problems.append(problem)


def _storage(path: Path, tell: Tell) -> Storage:
    """Open a file by what it is.

    Raises:
        StorageError: It is none that is known, or nothing of it can be read.
    """
    if not path.stat().st_size:
        raise StorageError("it is empty")
    for magic, kind in STORAGES.items():
        if _begins_with(path, magic):
            return kind(path, tell)
    if (by_name := BY_SUFFIX.get(path.suffix)) is None:
        raise StorageError("it is neither mcap nor sqlite3")
    return by_name(path, tell)


def _unpacked(path: Path, stack: ExitStack, tell: Tell) -> Path:
    """Unpack a file into a folder that goes with the bag.

    Raises:
        UnpackError: It must not be unpacked.
    """
    plain = stack.enter_context(scratch_folder()) / path.stem
    if why := unpack_file(path, plain):
        tell(why)
    return plain


def _begins_with(path: Path, magic: bytes) -> bool:
    """Whether these are a file's first bytes."""
    with plain_file.plain(path).open("rb") as file:
        return file.read(len(magic)) == magic


def _is_needed(storage: Storage, metadata: Metadata | None) -> bool:
    """Whether to count a file's messages, which may take to read all of it."""
    if metadata is None or isinstance(storage, McapFile):
        return True
    return any(channel.topic not in metadata.counts for channel in storage.channels)
