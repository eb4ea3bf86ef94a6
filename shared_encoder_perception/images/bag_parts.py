# SPDX-License-Identifier: Apache-2.0
"""What a rosbag2 consists of, whichever way its files store it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from typing import Final, NamedTuple, Protocol

ROS_ENCODING: Final = "cdr"
"""How ROS 2 serialises messages; the only way that is read."""


class StorageError(ValueError):
    """A file of a bag, or a part of one, that cannot be read; the message says why."""


class Channel(NamedTuple):
    """One topic in one file.

    Attributes:
        number: By which the file's messages name it.
        topic: Its name.
        msgtype: Of its messages.
        encoding: How they are serialised.
        dialect: Of the definition: ``ros2msg``, ``ros2idl``, ...; empty where there is none.
        definition: Of the type; empty where there is none.
        digest: Hash of the type; empty where the file does not say so.
    """

    number: int
    topic: str
    msgtype: str
    encoding: str
    dialect: str = ""
    definition: str = ""
    digest: str = ""


class Connection(NamedTuple):
    """One topic of a bag with messages of one type.

    Attributes:
        topic: Its name.
        msgtype: Of its messages.
        msgcount: How many there are, as metadata or files promise.
        encoding: How they are serialised.
    """

    topic: str
    msgtype: str
    msgcount: int
    encoding: str = ROS_ENCODING


class Storage(Protocol):
    """One file, open for reading."""

    channels: list[Channel]

    def counts(self) -> dict[int, int]:
        """Return the messages that there should be, by the channel's number."""

    def messages(self, wanted: Collection[int]) -> Iterator[tuple[int, int, bytes]]:
        """Yield ``(channel, arrival in ns, serialised message)`` in the order of time."""

    def close(self) -> None:
        """Let go of the file."""


Tell = Callable[[str], None]
"""Takes what is wrong with a file, while it is read."""
