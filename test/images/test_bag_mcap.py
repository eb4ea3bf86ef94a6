# SPDX-License-Identifier: Apache-2.0
"""mcap files: every sound chunk is read, whatever else is damaged."""

import struct
import zlib

import bag_damage
import lz4.frame
import pytest
import replay_bags
from bag_damage import (
    CHUNK,
    CHUNK_INDEX,
    COUNT,
    DATA_END,
    FOOTER,
    MESSAGE_INDEX,
    STATISTICS,
    bag_of,
    read,
)
from replay_bags import TOPIC, drive
from rosbags.rosbag2 import CompressionMode


def test_each_image_has_a_chunk_of_its_own(mcap):
    kinds = [one.kind for one in bag_damage.records(bag_damage.storage(mcap))]
    assert kinds.count(CHUNK) == kinds.count(CHUNK_INDEX) == COUNT
    assert read(mcap) == (list(range(COUNT)), [])


@pytest.mark.parametrize("place", ["crc", "packing", "size", "head", "content"])
def test_one_damaged_chunk_costs_what_is_in_it(mcap, place):
    path = bag_damage.storage(mcap)
    chunk = bag_damage.of_kind(path, CHUNK, 2)
    at = {"crc": 24, "packing": 28, "size": 16, "head": -9, "content": 42}[place]
    bag_damage.put(path, chunk.inside + at, b"\xa5" * 9)
    found, problems = read(mcap)
    assert found == [0, 1, 3, 4, 5]
    assert str(chunk.at) in problems[0] and "lost" in problems[0]
    assert problems[1:] == [f"5 of 6 messages on {TOPIC} could be read"]


@pytest.mark.parametrize("place", ["length", "content"])
def test_a_damaged_index_of_messages_costs_nothing(mcap, place):
    path = bag_damage.storage(mcap)
    index = bag_damage.of_kind(path, MESSAGE_INDEX, 2)
    bag_damage.put(path, index.inside - (8 if place == "length" else 0), b"\xa5" * 8)
    assert read(mcap) == (list(range(COUNT)), [])


@pytest.mark.parametrize("without", ["nothing", "metadata"])
@pytest.mark.parametrize(
    "place",
    ["magic", "profile", "offset", "statistics", "index", "footer", "end", "between", "no summary"],
)
def test_damage_around_the_chunks_costs_no_image(mcap, place, without):
    path = bag_damage.storage(mcap)
    size = path.stat().st_size
    index, statistics = (bag_damage.of_kind(path, kind, 0) for kind in (CHUNK_INDEX, STATISTICS))
    at, new = {
        "magic": (0, b"XXXXXXXX"),
        "profile": (8 + 9 + 4, b"\xff\xff\xff\xff"),
        "offset": (index.inside + 16, b"\xff" * 8),
        "statistics": (statistics.inside + 22, b"\xff" * 8),
        "index": (bag_damage.of_kind(path, DATA_END).end, b"\xff" * (size // 100)),
        "footer": (size - 37, b"\xff" * 9),
        "end": (size - 8, bytes(8)),
        "between": (bag_damage.of_kind(path, MESSAGE_INDEX, 2).at, b"\xa5" * 31),
        "no summary": (size - 28, bytes(8)),
    }[place]
    bag_damage.put(path, at, new)
    if without == "metadata":
        (mcap / "metadata.yaml").unlink()
    found, problems = read(mcap)
    assert found == list(range(COUNT))
    sound = place in ("profile", "between", "no summary")
    assert bool(problems) == (not sound or without == "metadata")


def test_a_beginning_that_is_damaged_costs_the_first_chunk(mcap):
    path = bag_damage.storage(mcap)
    bag_damage.put(path, 0, b"\xa5" * 200)
    found, problems = read(mcap)
    assert found == [1, 2, 3, 4, 5]
    assert "first bytes" in problems[0]


def test_a_file_cut_in_a_chunk_gives_the_chunks_before(mcap):
    path = bag_damage.storage(mcap)
    chunk = bag_damage.of_kind(path, CHUNK, 4)
    path.write_bytes(path.read_bytes()[: chunk.inside + 1000])
    found, problems = read(mcap)
    assert found == [0, 1, 2, 3]
    assert "cut off" in problems[0] and f"nothing can be read from byte {chunk.at}" in problems[1]
    assert problems[2] == f"4 of 6 messages on {TOPIC} could be read"


@pytest.mark.parametrize("indexed", [True, False])
def test_what_lies_behind_damage_is_found(tmp_path, indexed):
    bag = bag_of(tmp_path / "bag", mode=CompressionMode.STORAGE)
    path = bag_damage.storage(bag)
    chunk = bag_damage.of_kind(path, CHUNK, 2)
    bag_damage.put(path, chunk.at, b"\xa5" * 3000)
    if not indexed:
        bag_damage.put(path, path.stat().st_size - 8, bytes(8))
    found, problems = read(bag)
    assert found == [0, 1, 3, 4, 5]
    assert any(str(chunk.at) in problem for problem in problems)


def test_messages_without_chunks_are_read_in_the_order_of_time(tmp_path):
    path = tmp_path / "loose.mcap"
    bag = replay_bags.write_bag(tmp_path / "bag", drive(2)[::-1])
    chunk = bag_damage.of_kind(bag_damage.storage(bag), CHUNK)
    content = bag_damage.storage(bag).read_bytes()
    inner = content[chunk.inside + 40 : chunk.end]
    head = content[: chunk.at]
    path.write_bytes(head + inner + bag_damage.record(FOOTER, bytes(20)) + content[:8])
    assert read(path) == ([0, 1], [])


@pytest.mark.parametrize("told", ["right", "wrong", "cut"])
def test_chunks_of_lz4_are_read_and_checked(mcap, told):
    path = bag_damage.storage(mcap)
    content, number = path.read_bytes(), 0
    new = content[: bag_damage.of_kind(path, CHUNK).at]
    for chunk in bag_damage.records(path):
        if chunk.kind == CHUNK:
            plain, number = content[chunk.inside + 40 : chunk.end], number + 1
            crc = zlib.crc32(plain) ^ (told == "wrong" and number == 3)
            packed = lz4.frame.compress(plain)[: 1000 if told == "cut" and number == 3 else None]
            body = content[chunk.inside : chunk.inside + 16] + struct.pack("<QI", len(plain), crc)
            body += bag_damage.text("lz4") + struct.pack("<Q", len(packed)) + packed
            new += bag_damage.record(CHUNK, body)
    path.write_bytes(new + bag_damage.record(FOOTER, bytes(20)) + content[:8])
    found, problems = read(mcap)
    assert found == ([0, 1, 2, 3, 4, 5] if told == "right" else [0, 1, 3, 4, 5])
    assert len(problems) == (0 if told == "right" else 2)
