"""Bags of others and damaged bags: all that can be read is, what is lost is told, once."""

import shutil
import sqlite3
import struct
import sys
import tracemalloc
from pathlib import Path

import bag_damage
import numpy as np
import pytest
import replay_bags
from bag_damage import CHUNK, CHUNK_INDEX, DATA_END, FOOTER, MESSAGE_INDEX, STATISTICS
from replay_bags import COMPRESSED, IMAGE, TOPIC, drive, stamps
from rosbags.rosbag2 import CompressionMode, StoragePlugin

from shared_encoder_perception.images import own_topics
from shared_encoder_perception.images.bags import BagError, open_bag, typestore
from shared_encoder_perception.images.sources import open_source
from shared_encoder_perception.images.unpacking import UnpackError, unpack, unpack_file

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

MCAP, SQLITE = StoragePlugin.MCAP, StoragePlugin.SQLITE3
COUNT = 6


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


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    """Bags of both kinds, to be copied."""
    folder = tmp_path_factory.mktemp("sound")
    return {plugin: bag_of(folder / plugin.name, plugin) for plugin in (MCAP, SQLITE)}


@pytest.fixture
def mcap(sound, tmp_path):
    return Path(shutil.copytree(sound[MCAP], tmp_path / "bag"))


@pytest.fixture
def sqlite(sound, tmp_path):
    return Path(shutil.copytree(sound[SQLITE], tmp_path / "bag"))


def read(bag):
    """Return which images come, by their place in the drive, and what was told."""
    source = open_source(bag)
    found = [stamps(COUNT).index(frame.stamp_ns) for frame in source]
    assert len(set(source.problems)) == len(source.problems)
    return found, source.problems


def test_each_image_has_a_chunk_of_its_own(mcap):
    kinds = [one.kind for one in bag_damage.records(bag_damage.storage(mcap))]
    assert kinds.count(CHUNK) == kinds.count(CHUNK_INDEX) == COUNT
    assert read(mcap) == (list(range(COUNT)), [])


# --- what metadata and files say of each other


@pytest.mark.parametrize("plugin", [MCAP, SQLITE])
def test_topics_are_the_same_whatever_is_said_of_their_quality_of_service(sound, tmp_path, plugin):
    bag = Path(shutil.copytree(sound[plugin], tmp_path / "bag"))
    bag_damage.other_qos(bag)
    assert read(bag) == (list(range(COUNT)), [])


def test_rows_that_are_missing_are_told(sqlite):
    bag_damage.lose_rows(sqlite, 2)
    assert read(sqlite) == ([0, 1, 2, 3], [f"4 of 6 messages on {TOPIC} could be read"])


@pytest.mark.parametrize("plugin", [MCAP, SQLITE])
def test_metadata_that_promise_more_are_believed(sound, tmp_path, plugin):
    bag = Path(shutil.copytree(sound[plugin], tmp_path / "bag"))

    def change(told):
        told["topics_with_message_count"][0]["message_count"] = 9

    bag_damage.change_metadata(bag, change)
    assert read(bag) == (list(range(COUNT)), [f"6 of 9 messages on {TOPIC} could be read"])


@pytest.mark.parametrize("plugin", [MCAP, SQLITE])
@pytest.mark.parametrize("said", ["nothing", "0 messages"])
def test_metadata_that_do_not_know_of_a_topic_do_not_hide_it(sound, tmp_path, plugin, said):
    bag = Path(shutil.copytree(sound[plugin], tmp_path / "bag"))

    def change(told):
        if said == "nothing":
            told["topics_with_message_count"] = []
        else:
            told["topics_with_message_count"][0]["message_count"] = 0

    bag_damage.change_metadata(bag, change)
    assert read(bag)[0] == list(range(COUNT))


@pytest.mark.parametrize(
    "text",
    [None, "", "no: [", "[]", "5", "rosbag2_bagfile_information: {}", "a: &a [*a]", "- " * 9999],
)
def test_metadata_that_cannot_be_used_are_told_and_the_files_are_read(sqlite, text):
    if text is None:
        (sqlite / "metadata.yaml").unlink()
    else:
        (sqlite / "metadata.yaml").write_text(text)
    found, (problem,) = read(sqlite)
    assert found == list(range(COUNT))
    assert "metadata.yaml" in problem and "ros2 bag reindex" in problem and "\n" not in problem


def test_files_of_metadata_stay_in_the_bag(sqlite):
    other = sqlite.parent / "other.db3"
    bag_damage.storage(sqlite).rename(other)
    for name in ("../other.db3", str(other), "..", "/"):
        bag_damage.change_metadata(
            sqlite, lambda told, name=name: told.update(relative_file_paths=[name])
        )
        with pytest.raises(BagError):
            open_source(sqlite)


# --- mcap


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


# --- what else a bag may hold


FOREIGN = {
    "json": (("Pose", "jsonschema", b'{"type": "object"}'), "json", b'{"x": 1}'),
    "protobuf": (("foxglove.Log", "protobuf", b"\x0a\xff\xfe\x00"), "protobuf", b"\x08\x01"),
    "nothing": (("", "", b""), "", b"\x00"),
    "a broken definition": (("a/msg/B", "ros2msg", b"\xff]] no ["), "cdr", bytes(8)),
    "a missing part": (("a/msg/B", "ros2msg", b"a/Part part\n"), "cdr", bytes(8)),
    "another idl": (("a/msg/B", "omgidl", b"struct {"), "cdr", bytes(8)),
}


@pytest.mark.parametrize("what", FOREIGN)
def test_other_topics_may_hold_what_they_like(mcap, what):
    bag_damage.add_topic(bag_damage.storage(mcap), 1, "/other", *FOREIGN[what])
    assert read(mcap) == (list(range(COUNT)), [])
    for open_at in (mcap, bag_damage.storage(mcap)):
        with open_bag(open_at) as bag:
            assert {item.topic for item in bag.connections} == {TOPIC, "/other"}


def test_other_topics_of_a_database_may_hold_what_they_like(sqlite):
    with sqlite3.connect(bag_damage.storage(sqlite)) as database:
        database.execute("UPDATE message_definitions SET encoding = 'unknown'")
        database.execute("INSERT INTO topics VALUES (9, '/x', 'a/msg/B', 'cbor', 'no: [', '')")
        database.execute("INSERT INTO messages VALUES (99, 9, 5, x'00')")
    database.close()
    assert read(sqlite) == (list(range(COUNT)), [])


def test_a_profile_is_not_asked_for(mcap):
    path = bag_damage.storage(mcap)
    bag_damage.put(path, 8 + 9 + 4, b"none")
    assert read(mcap) == (list(range(COUNT)), [])


@pytest.mark.parametrize(
    ("encoding", "kind", "told"),
    [
        ("cbor", IMAGE, "the images on /other are serialised as 'cbor', expected 'cdr'"),
        ("ros1", "sensor_msgs/Image", "which carries sensor_msgs/Image: this is a ROS 1 recording"),
    ],
)
def test_images_that_are_serialised_otherwise_are_named(mcap, encoding, kind, told):
    schema = kind, "ros1msg", b"uint8[] data"
    bag_damage.add_topic(bag_damage.storage(mcap), 1, "/other", schema, encoding, b"\x00")
    with pytest.raises(BagError, match=told) as error:
        open_source(mcap, "/other")
    assert "\n" not in str(error.value)


def test_images_whose_definition_is_missing_or_broken_are_read_as_ros_defines_them(sqlite):
    for change in ("'no ]] definition'", "''"):
        with sqlite3.connect(bag_damage.storage(sqlite)) as database:
            query = f"UPDATE message_definitions SET encoded_message_definition = {change}"
            database.execute(query)
        database.close()
        assert read(sqlite) == (list(range(COUNT)), [])


def test_a_folder_of_ros1_bags_is_named(tmp_path):
    (tmp_path / "old.bag").write_bytes(b"#ROSBAG V2.0")
    with pytest.raises(BagError, match="is a ROS 1 bag: convert it"):
        open_source(tmp_path)


def test_of_two_topics_the_one_that_is_not_ours_is_taken(tmp_path):
    ours = ["/drivable_surface/mask", "/front/perception/debug/overlay/compressed"]
    assert all(map(own_topics.is_ours, [*ours, "/drivable_surface/mask/compressed"]))
    assert not any(map(own_topics.is_ours, [TOPIC, "/mask", "/my_drivable_surface/mask"]))
    messages = drive(2)
    messages += [(topic, at_ns, message) for topic in ours for _, at_ns, message in drive(1)]
    bag = replay_bags.write_bag(tmp_path / "bag", messages)
    assert open_source(bag).topic == TOPIC
    assert open_source(bag, ours[0]).topic == ours[0]
    only = replay_bags.write_bag(tmp_path / "only", messages[2:3])
    assert open_source(only).topic == ours[0]  # as before, when it is the only one
    both = replay_bags.write_bag(tmp_path / "both", messages[2:])
    with pytest.raises(BagError, match="choose one with --topic"):
        open_source(both)


# --- sqlite3


def test_a_damaged_page_costs_the_images_in_it(sqlite):
    path = bag_damage.storage(sqlite)
    size = struct.unpack(">H", path.read_bytes()[16:18])[0]
    pages = [
        number
        for number in range(path.stat().st_size // size)
        if path.read_bytes()[number * size] == 0x0D and number > 8
    ]
    bag_damage.put(path, pages[len(pages) // 2] * size, b"\xa5" * size)
    found, problems = read(sqlite)
    assert 0 < len(found) < COUNT
    assert f"{len(found)} of 6 messages on {TOPIC} could be read" in problems


@pytest.mark.parametrize("share", [0.6, 0.9])
def test_a_database_cut_off_gives_what_is_left(sqlite, share):
    bag_damage.cut(bag_damage.storage(sqlite), share)
    found, problems = read(sqlite)
    assert 0 < len(found) < COUNT
    assert f"{len(found)} of 6 messages on {TOPIC} could be read" in problems


def test_rows_that_wait_beside_the_database_are_read(sqlite, tmp_path):
    """As a recorder leaves them that was killed."""
    path = bag_damage.storage(sqlite)
    bag_damage.lose_rows(sqlite, 2)
    live = tmp_path / "live.db3"
    shutil.copy(path, live)
    database = sqlite3.connect(live, isolation_level=None)
    database.execute("PRAGMA journal_mode=WAL")
    row = database.execute("SELECT topic_id, data FROM messages WHERE id = 4").fetchone()
    for index in (4, 5):
        values = (index + 1, row[0], replay_bags.arrival_ns(index), late(index))
        database.execute("INSERT INTO messages VALUES (?, ?, ?, ?)", values)
    for suffix in ("", "-wal"):
        shutil.copy(f"{live}{suffix}", f"{path}{suffix}")
    database.close()
    before = sorted(sqlite.iterdir())
    assert read(sqlite) == (list(range(COUNT)), [])
    assert sorted(sqlite.iterdir()) == before
    path.with_name(f"{path.name}-wal").write_bytes(b"")
    assert read(sqlite)[0] == [0, 1, 2, 3]


def late(index):
    """Return an image of the drive, serialised."""
    message = replay_bags.image_message(noise(index), stamps(COUNT)[index], COMPRESSED)
    return bytes(typestore().serialize_cdr(message, COMPRESSED))


def test_names_that_urls_give_a_meaning_are_only_names(sqlite):
    path = bag_damage.storage(sqlite)
    odd = path.with_name("a %41?mode=rw#b.db3")
    path.rename(odd)
    bag_damage.change_metadata(sqlite, lambda told: told.update(relative_file_paths=[odd.name]))
    assert read(sqlite) == (list(range(COUNT)), [])


# --- bombs


def bomb(size):
    """Return zeros as zstd packs them."""
    packer = zstd.ZstdCompressor(3)
    parts = [packer.compress(bytes(2**22)) for _ in range(size // 2**22)]
    return b"".join([*parts, packer.flush()])


def test_a_chunk_that_becomes_too_much_is_left_packed(mcap):
    path = bag_damage.storage(mcap)
    packed, content = bomb(2**31), path.read_bytes()
    chunk = bag_damage.of_kind(path, CHUNK, 0)
    (start_ns,) = struct.unpack_from("<Q", content, chunk.inside)
    for told in (2**31, 2**40, 10):
        body = struct.pack("<QQQI", start_ns, start_ns, told, 0) + bag_damage.text("zstd")
        body += struct.pack("<Q", len(packed)) + packed
        path.write_bytes(content[: chunk.at] + bag_damage.record(CHUNK, body) + content[chunk.at :])
        tracemalloc.start()
        found, problems = read(mcap)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert found == list(range(COUNT))
        assert any("in memory" in one or "more than it says" in one for one in problems)
        assert peak < 5e8


def test_a_message_that_becomes_too_much_is_left_packed():
    packed = bomb(2**30)
    with pytest.raises(UnpackError, match=r"would become|more than"):
        unpack(packed)
    assert unpack(zstd.compress(b"a") + zstd.compress(b"b")) == b"ab"
    black = zstd.compress(bytes(24_883_200))
    assert len(unpack(black)) == 24_883_200  # a black picture of 4K


@pytest.mark.parametrize("told", [True, False])
def test_a_file_that_becomes_too_much_is_left_packed(mcap, told):
    packed = mcap / "bag.mcap.zstd"
    size = 2**31
    if told:
        options = {zstd.CompressionParameter.content_size_flag: 1}
        packer = zstd.ZstdCompressor(options=options)
        packer.set_pledged_input_size(size)
        parts = [packer.compress(bytes(2**22)) for _ in range(size // 2**22)]
        packed.write_bytes(b"".join([*parts, packer.flush()]))
    else:
        packed.write_bytes(bomb(size))
    (mcap / "MCAP.mcap").unlink()
    bag_damage.change_metadata(mcap, lambda told: told.update(relative_file_paths=[packed.name]))
    with pytest.raises(BagError, match=r"nothing of bag\.mcap\.zstd can be read: .* would become"):
        open_source(mcap)


def test_a_file_for_which_there_is_no_space_is_left_packed(tmp_path, monkeypatch):
    packed = tmp_path / "a.zstd"
    packed.write_bytes(zstd.compress(bytes(3 * 2**20)))
    assert unpack_file(packed, tmp_path / "a") == ""
    usage = shutil.disk_usage(tmp_path)._replace(free=2**28 + 2**20)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(UnpackError, match="set TMPDIR to a larger disk"):
        unpack_file(packed, tmp_path / "b")
