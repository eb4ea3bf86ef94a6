# SPDX-License-Identifier: Apache-2.0
"""Bags with damage anywhere: a good answer or one line, in bounded memory; what is lost is told."""

import shutil
from pathlib import Path

import bag_damage
import pytest
import replay_bags
from fuzzing import fuzz
from replay_bags import TOPIC, image_message, stamps
from rosbags.rosbag2 import CompressionMode, StoragePlugin

hypothesis = pytest.importorskip("hypothesis", reason="hypothesis is not installed")

from hypothesis import strategies as st
from tiny_model import random_image

from shared_encoder_perception.images.bags import BagError, image_topic, open_bag

COUNT = 5
KINDS = {
    "mcap": (StoragePlugin.MCAP, CompressionMode.NONE),
    "mcap of zstd": (StoragePlugin.MCAP, CompressionMode.STORAGE),
    "mcap as zstd": (StoragePlugin.MCAP, CompressionMode.FILE),
    "messages as zstd": (StoragePlugin.MCAP, CompressionMode.MESSAGE),
    "sqlite3": (StoragePlugin.SQLITE3, CompressionMode.NONE),
    "sqlite3 as zstd": (StoragePlugin.SQLITE3, CompressionMode.FILE),
}
DAMAGE = st.tuples(
    st.sampled_from(["begin", "middle", "end"]),
    st.integers(0, 400),
    st.binary(min_size=1, max_size=12),
    st.sampled_from(["put", "put", "put", "insert", "remove", "cut"]),
)


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sound")
    bags = {}
    for name, (plugin, mode) in KINDS.items():
        messages = [
            (topic, replay_bags.arrival_ns(index), image_message(random_image(index)[:9, :16], at))
            for index, at in enumerate(stamps(COUNT))
            for topic in (TOPIC, "/rear")
        ]
        bags[name] = replay_bags.write_bag(folder / name, messages, plugin, mode)
    return bags


def damage(content, at, places):
    """Return bytes with damage at a place: near the begin, the middle, the end of the file."""
    where, offset, new, how = places
    start = {"begin": 0, "middle": len(content) // 2, "end": max(len(content) - 401, 0)}[where]
    at = min(start + offset, len(content))
    if how == "cut":
        return content[:at]
    if how == "insert":
        return content[:at] + new + content[at:]
    behind = content[at + len(new) :]
    return content[:at] + (new if how == "put" else b"") + behind


def read(path):
    """Return how many images come, how many were promised, and what is told."""
    with open_bag(path) as bag:
        topic = image_topic(bag, path, TOPIC)
        wanted = [one for one in bag.connections if one.topic == topic]
        count = 0
        for connection, _, data in bag.messages(wanted):
            assert isinstance(data, bytes)
            count += 1
            try:
                bag.deserialize(data, connection.msgtype)
            except (MemoryError, RecursionError):
                raise
            except Exception:  # of a damaged message, which costs itself
                continue
        return count, sum(one.msgcount for one in wanted), bag.problems


def check_bag(path):
    """Hold a bag against what every bag has to be."""
    try:
        count, promised, problems = read(path)
    except BagError as error:
        count, promised, problems = 0, 0, [str(error)]
    assert count >= promised or problems
    assert not any("\n" in problem for problem in problems)
    assert len(set(problems)) == len(problems)


@pytest.mark.parametrize("kind", KINDS)
def test_a_damaged_file_gives_what_is_left_or_one_line(sound, tmp_path, kind):
    bag = Path(shutil.copytree(sound[kind], tmp_path / "bag"))
    path = bag_damage.storage(bag)
    content = path.read_bytes()
    alone = tmp_path / path.name

    def check(places, with_metadata):
        new = content
        for one in places:
            new = damage(new, 0, one)
        target = path if with_metadata else alone
        target.write_bytes(new)
        check_bag(bag if with_metadata else target)

    fuzz(40, check, places=st.lists(DAMAGE, min_size=1, max_size=3), with_metadata=st.booleans())


@pytest.mark.parametrize("kind", ["mcap", "sqlite3"])
def test_damaged_metadata_give_what_is_left_or_one_line(sound, tmp_path, kind):
    bag = Path(shutil.copytree(sound[kind], tmp_path / "bag"))
    path = bag / "metadata.yaml"
    content = path.read_bytes()

    def check(where, new, how):
        at = where % len(content)
        behind = content[at:] if how == "insert" else content[at + len(new) :]
        path.write_bytes(content[:at] + ((new + behind) if how != "cut" else b""))
        check_bag(bag)

    fuzz(
        25,
        check,
        where=st.integers(0, 10**6),
        new=st.one_of(
            st.binary(max_size=6), st.sampled_from([b"-", b": ", b"[", b"{", b"!!", b"&a"])
        ),
        how=st.sampled_from(["put", "insert", "cut"]),
    )


def test_every_record_of_an_mcap_may_be_damaged(sound, tmp_path):
    """At the head, the length and each field, one after the other: with and without an index."""
    bag = Path(shutil.copytree(sound["mcap of zstd"], tmp_path / "bag"))
    path = bag_damage.storage(bag)
    content, places = path.read_bytes(), bag_damage.records(path)

    def check(number, offset, new):
        record = places[number % len(places)]
        at = record.at + offset % max(record.end - record.at, 1)
        path.write_bytes(content[:at] + new + content[at + len(new) :])
        check_bag(bag)

    fuzz(
        60,
        check,
        number=st.integers(0, 1000),
        offset=st.integers(0, 60),
        new=st.one_of(st.binary(min_size=1, max_size=9), st.just(b"\xff" * 8), st.just(bytes(8))),
    )
