# SPDX-License-Identifier: Apache-2.0
"""Bags for tests of what reads them: as others write them, and damaged at a place of choice."""

from __future__ import annotations

import re
import sqlite3
import struct
from pathlib import Path
from typing import NamedTuple

import numpy as np
import replay_bags
import yaml
from replay_bags import COMPRESSED, TOPIC, drive, stamps
from rosbags.rosbag2 import CompressionMode, StoragePlugin

from shared_encoder_perception.images.bags import storage_files
from shared_encoder_perception.images.sources import open_source

MCAP, SQLITE = StoragePlugin.MCAP, StoragePlugin.SQLITE3
COUNT = 6

CHUNK, MESSAGE_INDEX, CHUNK_INDEX, STATISTICS, DATA_END, FOOTER = 6, 7, 8, 11, 15, 2


class Record(NamedTuple):
    """Where a record of an mcap file is: its head of 9 bytes, its content, what is behind it."""

    kind: int
    at: int
    inside: int
    end: int


def records(path: Path) -> list[Record]:
    """Return the records of a sound mcap file."""
    data, at, found = path.read_bytes(), 8, []
    while at < len(data) - 8:
        kind, length = struct.unpack_from("<BQ", data, at)
        found.append(Record(kind, at, at + 9, at + 9 + length))
        at += 9 + length
    return found


def of_kind(path: Path, kind: int, number: int = 0) -> Record:
    """Return the so-and-so-many-th record of a kind."""
    return [record for record in records(path) if record.kind == kind][number]


def put(path: Path, at: int, new: bytes) -> None:
    """Overwrite bytes of a file."""
    data = bytearray(path.read_bytes())
    data[at : at + len(new)] = new
    path.write_bytes(data)


def cut(path: Path, share: float) -> None:
    """Keep the beginning of a file."""
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])


def storage(bag: Path) -> Path:
    """Return a bag's only file."""
    (path,) = storage_files(bag)
    return path


def change_metadata(bag: Path, change) -> None:
    """Let a function change what ``metadata.yaml`` says, in place."""
    path = bag / "metadata.yaml"
    content = yaml.safe_load(path.read_text())
    change(content["rosbag2_bagfile_information"])
    path.write_text(yaml.safe_dump(content))


def lose_rows(bag: Path, count: int) -> None:
    """Remove the last messages of a sqlite3 file."""
    with sqlite3.connect(storage(bag)) as database:
        query = (
            "DELETE FROM messages WHERE id IN (SELECT id FROM messages ORDER BY id DESC LIMIT ?)"
        )
        database.execute(query, (count,))
    database.close()


def other_qos(bag: Path) -> None:
    """Let metadata and file disagree on the quality of service, as tools that edit one do."""

    def change(told):
        for topic in told["topics_with_message_count"]:
            for profile in topic["topic_metadata"]["offered_qos_profiles"]:
                profile["reliability"] = "best_effort"
                profile["depth"] = 99
            if not topic["topic_metadata"]["offered_qos_profiles"]:
                topic["topic_metadata"]["offered_qos_profiles"] = [QOS]

    change_metadata(bag, change)


QOS = {
    "history": "keep_last",
    "depth": 5,
    "reliability": "best_effort",
    "durability": "volatile",
    "deadline": {"sec": 0, "nsec": 0},
    "lifespan": {"sec": 0, "nsec": 0},
    "liveliness": "automatic",
    "liveliness_lease_duration": {"sec": 0, "nsec": 0},
    "avoid_ros_namespace_conventions": False,
}


def text(value: str) -> bytes:
    """Return a text as mcap has it."""
    data = value.encode()
    return struct.pack("<I", len(data)) + data


def record(kind: int, content: bytes) -> bytes:
    """Return a record of mcap."""
    return struct.pack("<BQ", kind, len(content)) + content


def add_topic(path: Path, number: int, topic: str, schema: tuple, encoding: str, data: bytes):
    """Add a topic with one message in front of all others of an mcap file, as a foreign tool would.

    The index is left out: it is no duty.
    """
    name, dialect, definition = schema
    content = path.read_bytes()
    first, end = of_kind(path, CHUNK).at, of_kind(path, DATA_END)
    (start_ns,) = struct.unpack_from("<Q", content, first + 9)
    new = record(
        3,
        struct.pack("<H", 900 + number)
        + text(name)
        + text(dialect)
        + struct.pack("<I", len(definition))
        + definition,
    )
    new += record(
        4,
        struct.pack("<HH", 900 + number, 900 + number) + text(topic) + text(encoding) + text(""),
    )
    new += record(5, struct.pack("<HIQQ", 900 + number, 0, start_ns, start_ns) + data)
    footer = record(FOOTER, struct.pack("<QQI", 0, 0, 0)) + content[:8]
    path.write_bytes(content[:first] + new + content[first : end.end] + footer)


def numbers(problem: str) -> list[int]:
    """Return the numbers of a sentence."""
    return [int(number) for number in re.findall(r"\d+", problem)]


def bag_of(path, plugin=MCAP, mode=CompressionMode.NONE, count=COUNT):
    """Write a drive of compressed images; with mcap, every image has a chunk of its own."""
    messages = [
        (TOPIC, at_ns, replay_bags.image_message(noise(index), stamp, COMPRESSED))
        for index, ((_, at_ns, _), stamp) in enumerate(
            zip(drive(count), stamps(count), strict=True)
        )
    ]
    return replay_bags.write_bag(path, messages, plugin, mode)


def noise(index):
    """Return an image whose PNG is larger than a chunk."""
    return np.random.default_rng(index).integers(0, 256, (600, 720, 3), np.uint8)


def read(bag):
    """Return which images come, by their place in the drive, and what was told."""
    source = open_source(bag)
    found = [stamps(COUNT).index(frame.stamp_ns) for frame in source]
    assert len(set(source.problems)) == len(source.problems)
    return found, source.problems
