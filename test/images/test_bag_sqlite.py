# SPDX-License-Identifier: Apache-2.0
"""sqlite3 files: every row that can be reached is read, and what waits beside the file."""

import shutil
import sqlite3
import struct

import bag_damage
import pytest
import replay_bags
from bag_damage import (
    COUNT,
    noise,
    read,
)
from replay_bags import COMPRESSED, TOPIC, stamps

from shared_encoder_perception.images.bags import typestore


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
