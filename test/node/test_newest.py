# SPDX-License-Identifier: Apache-2.0
"""Of the pictures that come by topic, file and camera, the newest taken is in use."""

from dataclasses import replace
from functools import partial

import pytest
from pair_model import noise

from shared_encoder_perception.images.taken import Taken
from shared_encoder_perception.node.newest import Newest

S = 10**9
DAY = 86_400
NOW_S = 10 * DAY
IMAGE = Taken("", noise(0), "", NOW_S * S)
FILE = Taken("empty.png", noise(1), "", (NOW_S - 300) * S)
OLD = Taken("/background", noise(2), "", (NOW_S - DAY) * S)
NEW = replace(OLD, stamp_ns=(NOW_S - 10) * S)
MISSING = Taken("gone.png", None, "is missing")


class Held(Newest):
    """Keeps what is logged."""

    def __init__(self):
        self.log = []
        super().__init__("background", self.log.append)

    def came(self, taken):
        self.arrived(partial(replace, taken))

    def stamp_ns(self, image=IMAGE):
        return self(image).stamp_ns


def test_a_day_old_one_on_the_topic_does_not_replace_a_file_of_minutes_ago():
    held = Held()
    assert held.use_file(FILE, "") == ""
    held.came(OLD)
    assert held(IMAGE) is FILE
    assert (
        len(held.log) == 1 and "taken 86100 s before the one in use, from empty.png" in held.log[0]
    )
    held.came(OLD)
    assert held(IMAGE) is FILE and len(held.log) == 1, "told once"
    held.came(NEW)
    assert held.stamp_ns() == NEW.stamp_ns
    held.came(OLD)
    assert held.stamp_ns() == NEW.stamp_ns, "nor its own"


@pytest.mark.parametrize(
    ("in_use", "image"),
    [
        (replace(FILE, stamp_ns=0), IMAGE),
        (FILE, replace(IMAGE, stamp_ns=OLD.stamp_ns + S)),  # the bag begins again
        (MISSING, IMAGE),
    ],
    ids=["unknown", "other clock", "unreadable"],
)
def test_stamps_that_cannot_be_compared_leave_it_to_the_last_that_came(in_use, image):
    held = Held()
    held.use_file(in_use, "")
    held.came(OLD)
    assert held.stamp_ns(image) == OLD.stamp_ns and not held.log
    held.use(FILE)
    held.came(replace(OLD, stamp_ns=0))
    assert held.stamp_ns() == 0


def test_what_somebody_asks_for_is_used_however_old():
    held = Held()
    held.came(NEW)
    assert held.stamp_ns() == NEW.stamp_ns
    held.use_file(replace(FILE, stamp_ns=S), "")
    assert held.stamp_ns() == S
    held.came(NEW)
    held.use(replace(FILE, stamp_ns=2 * S))
    assert held.stamp_ns() == 2 * S, "what came before it was asked for does not count"


def test_a_file_that_cannot_be_read_leaves_a_good_one_in_use():
    held = Held()
    assert not held.any
    assert held.use_file(MISSING, "gone") == "" and held.note == ""
    assert held(IMAGE) is MISSING and held.any
    held.came(NEW)
    assert held.use_file(MISSING, "gone") == "the topic" and held.note == "gone"
    assert held.stamp_ns() == NEW.stamp_ns and held.note == ""
    assert held.use_file(MISSING, "gone") == "/background"
    assert held.stamp_ns() == NEW.stamp_ns and held.note == "gone"
    held.use(FILE)
    assert held.note == ""


def test_without_its_file_the_last_one_of_the_topic_counts_again():
    held = Held()
    held.came(NEW)
    held(IMAGE)
    held.use_file(FILE, "")
    held.drop("another.png")
    assert held(IMAGE) is FILE
    held.drop(FILE.source)
    assert held.stamp_ns() == NEW.stamp_ns
    held = Held()
    held.use_file(FILE, "")
    held.came(OLD)
    assert held(IMAGE) is FILE
    held.drop(FILE.source)
    assert held.any and held.stamp_ns() == OLD.stamp_ns
    held = Held()
    held.use_file(FILE, "")
    held.drop(FILE.source)
    assert held(IMAGE) is None and not held.any
