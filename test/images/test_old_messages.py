# SPDX-License-Identifier: Apache-2.0
"""Bags with messages that are older than our definitions: what is new in them is not known."""

import shutil
import sqlite3

import pytest
from replay_bags import START_NS, write_bag
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

from shared_encoder_perception.images.bags import message_folder, open_bag, read_messages, typestore
from shared_encoder_perception.replay.messages import new_message
from shared_encoder_perception.structures import Crop
from shared_encoder_perception.tasks.lanes.bag_labels import add
from shared_encoder_perception.tasks.lanes.content import ARRAY, LINE, read_crop
from shared_encoder_perception.tasks.lanes.progress import crop, progress

TOPIC = "/lane_lines"
PLUGINS = (StoragePlugin.MCAP, StoragePlugin.SQLITE3)


def array():
    """Return an array with all that an older one has."""
    message = new_message(ARRAY)
    message.lanes = [new_message(LINE) for _ in range(5)]
    for lane, line in enumerate(message.lanes):
        line.lane_id = lane
    message.sequence, message.processing_ms = 7, 12.5
    return message


def old_store():
    """Return the types as they were before the crop was added."""
    store = get_typestore(Stores.ROS2_JAZZY)
    folder = message_folder()
    text = (folder / "LaneLineArray.msg").read_text().split("# ---- what the network saw")[0]
    types = get_types_from_msg((folder / "LaneLine.msg").read_text(), LINE)
    store.register(types | get_types_from_msg(text, ARRAY))
    return store


def write_old(path, plugin):
    """Write one array as it was before the crop was added."""
    store, message = old_store(), array()
    fields = {name: getattr(message, name) for name, _ in store.fielddefs[ARRAY][1]}
    assert not any(name.startswith("crop") for name in fields)
    with Writer(path, version=9, storage_plugin=plugin) as writer:
        connection = writer.add_connection(TOPIC, ARRAY, typestore=store)
        old = store.types[ARRAY](**fields)
        writer.write(connection, START_NS, store.serialize_cdr(old, ARRAY))
    return path


def read(path):
    """Return the only message of a bag."""
    with open_bag(path) as reader:
        ((_, _, message),) = read_messages(reader, path)
    return message


def forget_definitions(path):
    """Take the definitions out of a bag, as those of ROS 2 Humble are without."""
    (file,) = path.glob("*.db3")
    with sqlite3.connect(file) as database:
        database.execute("DELETE FROM message_definitions")
    return path


def is_as_it_was(message):
    """Whether an older message says what it said, and nothing of the crop."""
    told = progress(message)
    return (told.sequence, told.stage_ms["processing"]) == (7, 12.5) and crop(message) is None


@pytest.mark.parametrize("plugin", PLUGINS)
def test_an_older_array_reads_by_the_definition_in_its_bag(tmp_path, plugin):
    message = read(write_old(tmp_path / "bag", plugin))
    assert is_as_it_was(message)
    assert read_crop(message) is None
    assert len(add(None, message).lines) == 5


def test_an_older_array_of_a_bag_without_definitions_reads_too(tmp_path):
    message = read(forget_definitions(write_old(tmp_path / "bag", StoragePlugin.SQLITE3)))
    assert is_as_it_was(message)


def test_a_new_array_of_a_bag_without_definitions_has_its_crop(tmp_path):
    message = array()
    message.crop_x, message.crop_y, message.crop_width, message.crop_height = 0, 224, 640, 256
    path = write_bag(tmp_path / "bag", [(TOPIC, START_NS, message)], StoragePlugin.SQLITE3)
    copy = forget_definitions(shutil.copytree(path, tmp_path / "copy"))
    for bag in (path, copy):
        assert read_crop(read(bag)) == Crop(0, 224, 640, 256)


def test_an_array_that_breaks_off_is_not_taken_for_an_older_one(tmp_path):
    store = typestore()
    data = bytes(store.serialize_cdr(array(), ARRAY))
    with Writer(tmp_path / "bag", version=9, storage_plugin=StoragePlugin.SQLITE3) as writer:
        connection = writer.add_connection(TOPIC, ARRAY, typestore=store)
        writer.write(connection, START_NS, data[:-40])
    with pytest.raises(ValueError, match=r"cannot read|damaged"):
        read(forget_definitions(tmp_path / "bag"))
