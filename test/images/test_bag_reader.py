# SPDX-License-Identifier: Apache-2.0
"""Bags of others, and metadata that do not fit: topics are read by name and type."""

import os
import shutil
import sqlite3
from pathlib import Path

import bag_damage
import pytest
import replay_bags
from bag_damage import (
    COUNT,
    MCAP,
    SQLITE,
    read,
)
from replay_bags import IMAGE, TOPIC, drive

from shared_encoder_perception.images import own_topics
from shared_encoder_perception.images.bags import BagError, open_bag
from shared_encoder_perception.images.sources import open_source


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


@pytest.mark.parametrize("kind", [IMAGE, "sensor_msgs/msg/Imu"])
def test_a_topic_that_no_file_has_matters_where_it_has_images(sqlite, kind):
    def change(told):
        topics = told["topics_with_message_count"]
        other = {**topics[0]["topic_metadata"], "name": "/other", "type": kind}
        topics.append({"topic_metadata": other, "message_count": 3})

    bag_damage.change_metadata(sqlite, change)
    lost = ["all 3 messages on /other are lost"] if kind == IMAGE else []
    assert read(sqlite) == (list(range(COUNT)), lost)


def test_files_of_metadata_stay_in_the_bag(sqlite):
    other = sqlite.parent / "other.db3"
    bag_damage.storage(sqlite).rename(other)
    for name in ("../other.db3", str(other), "..", "/"):
        bag_damage.change_metadata(
            sqlite, lambda told, name=name: told.update(relative_file_paths=[name])
        )
        with pytest.raises(BagError):
            open_source(sqlite)


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


def test_a_pipe_is_no_bag(tmp_path):
    os.mkfifo(tmp_path / "drive.mcap")
    with pytest.raises(OSError, match="named pipe"):
        open_source(tmp_path / "drive.mcap")


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
