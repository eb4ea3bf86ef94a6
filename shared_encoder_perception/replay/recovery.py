"""What can still be read of a damaged rosbag2: cut off, without metadata, with types unknown."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from rosbags.highlevel import AnyReader
from rosbags.interfaces import MessageDefinitionFormat
from rosbags.rosbag2 import ReaderError
from rosbags.rosbag2.storage_mcap import McapReader
from rosbags.rosbag2.storage_sqlite3 import Sqlite3Reader
from rosbags.typesys import Stores, get_types_from_idl, get_types_from_msg, get_typestore

from shared_encoder_perception.images.bags import BagError, first_line, open_bag

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

STORAGES: Final = {".mcap": McapReader, ".db3": Sqlite3Reader}
COMPRESSED: Final = ".zstd"
ZSTD_MAGIC: Final = b"\x28\xb5\x2f\xfd"
"""First bytes of a compressed message; one that is not begins with a zero."""
MCAP_MAGIC: Final = b"\x89MCAP0\r\n"
DATA_END: Final = 0x0F
RECORD_HEAD: Final = 9
"""Bytes before a record's content: what it is, and its length."""
NO_METADATA: Final = (
    "it has no metadata.yaml, so whether files are missing is not known: `ros2 bag reindex` can "
    "restore it"
)


class CutMcap(McapReader):
    """An mcap file whose end is missing: its complete records, in the order of the file."""

    connections: list[Any]

    def _open(self) -> None:
        """Find out where the complete records end, and which channels they have."""
        assert self.bio
        if self.bio.read(len(MCAP_MAGIC)) != MCAP_MAGIC:
            raise ReaderError("it is no mcap file")
        self.data_start = self.bio.tell()
        self.data_end = self._end_of_records(self.path.stat().st_size)
        self.meta_scan()
        assert self.statistics
        counts = self.statistics.channel_message_counts
        self.connections = [x._replace(msgcount=counts.get(x.id, 0)) for x in self.connections]

    def _end_of_records(self, size: int) -> int:
        """Return where the first record begins that is not complete."""
        assert self.bio
        at = self.data_start
        while at + RECORD_HEAD <= size:
            self.bio.seek(at)
            head = self.bio.read(RECORD_HEAD)
            end = at + RECORD_HEAD + int.from_bytes(head[1:], "little")
            if head[0] == DATA_END or end > size:
                break
            at = end
        return at

    def messages(
        self, connections: Collection[Any], start: int | None = None, stop: int | None = None
    ) -> Iterator[tuple[Any, int, bytes]]:
        """Yield messages without the index, which is at the missing end."""
        return self.messages_scan(connections, start, stop)


class RecoveredBag(AnyReader):
    """Storage files one after the other, as far as they can be read.

    Attributes:
        notes: What is wrong, one line each.
        complete: Whether nothing seems to be missing after all.
    """

    connections: list[Any]

    def __init__(self, files: list[Path], notes: list[str]) -> None:
        """Read these; nothing is opened yet.

        Args:
            files: Not compressed as a whole.
            notes: What is known to be wrong.
        """
        super().__init__(files)
        self._files, self._storages = files, list[Any]()
        self.notes = list(notes)
        self.complete = not notes

    def _open(self) -> None:
        """Open every file that can be, and learn every type that can be."""
        assert self.stack
        self.connections, self._storages = [], []
        for path in self._files:
            storage = self._open_storage(path)
            if storage is not None:
                self.stack.callback(storage.close)
                self._storages.append(storage)
                self.connections += storage.connections
        if not self._storages:
            raise ReaderError("; ".join(self.notes))
        self.typestore = get_typestore(Stores.ROS2_JAZZY)
        for connection in self.connections:
            self._learn(connection)

    def _open_storage(self, path: Path) -> Any:
        """Open a file; if its end is missing, what is before that. ``None`` for nothing."""
        try:
            storage = STORAGES[path.suffix](path)
            storage.open()
        except Exception as error:  # rosbags and its storage libraries raise many types
            self._note(f"{path.name} is damaged: {first_line(error)}")
            if path.suffix != ".mcap":
                return None
        else:
            return storage
        try:
            storage = CutMcap(path)
            storage.open()
        except Exception as error:
            self._note(f"nothing of {path.name} can be read: {first_line(error)}")
            return None
        return storage

    def _learn(self, connection: Any) -> None:
        """Learn a topic's type; one that cannot be learnt matters to its own topic only."""
        definition = connection.msgdef
        kinds = {
            MessageDefinitionFormat.MSG: lambda: get_types_from_msg(
                definition.data, connection.msgtype
            ),
            MessageDefinitionFormat.IDL: lambda: get_types_from_idl(definition.data),
        }
        if definition.format not in kinds or connection.msgtype in self.typestore.types:
            return
        try:
            self.typestore.register(kinds[definition.format]())
            self.typestore.hash_rihs01(connection.msgtype)  # fails where a part is not defined
        except Exception as error:  # the parser's own types
            self.notes.append(
                f"the type {connection.msgtype} of {connection.topic} is not known: "
                f"{first_line(error)}"
            )

    def _note(self, text: str) -> None:
        """Remember that something is missing."""
        self.complete = False
        self.notes.append(text)

    def messages(
        self, connections: Collection[Any] = (), start: int | None = None, stop: int | None = None
    ) -> Iterator[tuple[Any, int, bytes]]:
        """Yield ``(connection, arrival in ns, serialised message)``, file by file."""
        wanted = connections or self.connections
        for storage in self._storages:
            own = [connection for connection in wanted if connection.owner is storage]
            for connection, arrived_ns, data in storage.messages(own, start, stop) if own else ():
                packed = data[: len(ZSTD_MAGIC)] == ZSTD_MAGIC
                yield connection, arrived_ns, zstd.decompress(data) if packed else data


def storage_files(path: Path) -> list[Path]:
    """Return a bag's files in the order of their numbers."""
    if path.is_file():
        return [path]
    files = [child for child in path.iterdir() if _plain_suffix(child) in STORAGES]
    return sorted(files, key=lambda file: [int(n) for n in re.findall(r"\d+", file.name)])


@contextmanager
def open_any(path: Path) -> Iterator[tuple[Any, list[str], bool]]:
    """Open a bag, damaged or not, as a context manager.

    Yields:
        A reader as of ``open_bag``, what is wrong with the bag, and whether it seems complete.

    Raises:
        BagError: Nothing can be read.
    """
    try:
        opened = open_bag(path)
        reader = opened.__enter__()
    except BagError as error:
        first = error
    else:
        try:
            yield reader, [], True
        finally:
            opened.__exit__(None, None, None)
        return
    files = storage_files(path) if path.exists() else []
    if not files or path.suffix == ".bag":
        raise first
    has_metadata = (path / "metadata.yaml").is_file()
    notes = [] if has_metadata else [NO_METADATA]
    with TemporaryDirectory() as folder:
        plain = [unpack(file, Path(folder), notes) if _is_packed(file) else file for file in files]
        recovered = RecoveredBag(plain, notes)
        try:
            recovered.open()
        except Exception as error:  # rosbags and its storage libraries raise many types
            raise BagError(f"nothing of the bag {path} can be read: {first_line(error)}") from None
        if not recovered.notes:  # the files are in order: it is the metadata that is not
            recovered.notes.append(str(first))
            recovered.complete = False
        try:
            yield recovered, recovered.notes, recovered.complete
        finally:
            with suppress(Exception):
                recovered.close()


def unpack(path: Path, folder: Path, notes: list[str]) -> Path:
    """Unpack a compressed file into a folder, as far as that goes; tell in ``notes`` if not."""
    unpacked = folder / path.stem
    with unpacked.open("wb") as plain:
        try:
            with zstd.open(path, "rb") as packed:
                shutil.copyfileobj(packed, plain)
        except (EOFError, OSError, zstd.ZstdError) as error:
            notes.append(f"{path.name} is damaged: {first_line(error)}")
    return unpacked


def _is_packed(path: Path) -> bool:
    """Whether a file is compressed as a whole."""
    return path.suffix == COMPRESSED


def _plain_suffix(path: Path) -> str:
    """Return the suffix without that of compression."""
    return path.with_suffix("").suffix if _is_packed(path) else path.suffix
