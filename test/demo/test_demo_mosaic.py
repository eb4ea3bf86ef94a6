# SPDX-License-Identifier: Apache-2.0
"""One picture of all questions: of one moment, and what is not says how old it is."""

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("nav_msgs.msg", reason="nav_msgs is not installed")

from shared_encoder_perception.demo.recording import AnsweredImage
from shared_encoder_perception.demo.rigs.absent import AbsentCameras
from shared_encoder_perception.demo.rigs.recording import RecordedMoment
from shared_encoder_perception.demo.vehicle.captions import (
    LINE_PX,
    PAPER,
    Word,
    width_of,
    write_words,
)
from shared_encoder_perception.demo.vehicle.clip import vehicle_rig
from shared_encoder_perception.demo.vehicle.mosaic import HEIGHT, WIDTH, mosaic
from shared_encoder_perception.demo.vehicle.recording import Dated, Newest, VehicleMoment
from shared_encoder_perception.rig.grid import BevGrid
from shared_encoder_perception.structures import Perception
from shared_encoder_perception.tasks.depth.answer import DepthMap
from shared_encoder_perception.tasks.drivable.answer import DrivableMask
from shared_encoder_perception.tasks.lanes.answer import Lanes
from shared_encoder_perception.tasks.semantic.answer import SemanticMask
from shared_encoder_perception.tasks.semantic.tables import numbered
from shared_encoder_perception.tasks.surround.answer import Surround

RIG = vehicle_rig()
SIZE = RIG.cameras[0].image_size
ABSENT = AbsentCameras(RIG)
GRID = BevGrid()
SECOND = 1_000_000_000
INK = (255, 255, 255)


def answered(level=100, **changed):
    """Return an image that was answered."""
    full = np.full(SIZE, 255, np.uint8)
    answers = {
        "lanes": Lanes.nothing(),
        "drivable_surface": DrivableMask(np.zeros(SIZE, np.uint8)),
        "semantic": SemanticMask(np.zeros(SIZE, np.uint8), full, numbered(3)),
        "depth": DepthMap(np.full(SIZE, 20.0, np.float32), focal_px=800.0),
        **changed,
    }
    return AnsweredImage(np.full((*SIZE, 3), level, np.uint8), Perception(SIZE, answers))


def around(level=100, vehicle=0.0):
    """Return a map with the pictures of its cameras."""
    maps = {"vehicle": np.full(GRID.shape, vehicle, np.float32)}
    maps["drivable"] = np.ones(GRID.shape, np.float32)
    images = {one.name: np.full((*one.image_size, 3), level, np.uint8) for one in RIG.cameras}
    cameras = {one.name: Perception(one.image_size, {}) for one in RIG.cameras}
    said = Surround(GRID, np.ones(GRID.shape, np.bool_), **maps)
    return RecordedMoment(SECOND, said, images, dict.fromkeys(images, 0.0), cameras, 50.0, {})


def shown(ahead=None, above=None, ahead_ns=SECOND, above_ns=SECOND):
    """Return the picture of a moment at one second."""
    moment = VehicleMoment(
        SECOND,
        None if ahead is None else Dated(ahead_ns, ahead),
        None if above is None else Dated(above_ns, above),
    )
    return mosaic(RIG, moment, 0.0, ABSENT)


def changed(first, second):
    """Return the box of what differs: rows and columns."""
    rows, columns = np.nonzero((first != second).any(axis=-1))
    return rows.min(), rows.max(), columns.min(), columns.max()


def test_what_was_newest_is_told_for_rising_times():
    newest = Newest([Dated(10, "a"), Dated(20, "b"), Dated(30, "c")])
    assert newest.at(9) is None
    assert [newest.at(stamp).value for stamp in (10, 19, 20, 35, 36)] == list("aabcc")
    assert Newest([]).at(5) is None


def test_age_is_that_of_what_is_shown():
    moment = VehicleMoment(3 * SECOND, Dated(SECOND, None), Dated(3 * SECOND, None))
    assert moment.age_s(moment.ahead) == 2.0
    assert moment.age_s(moment.around) == moment.age_s(None) == 0.0


def test_the_picture_has_one_size_whatever_there_is():
    for picture in (shown(), shown(answered()), shown(None, around()), shown(answered(), around())):
        assert picture.shape == (HEIGHT, WIDTH, 3)


def test_each_question_has_a_place_of_its_own():
    plain = shown(answered(), around())
    ids = np.full(SIZE, 2, np.uint8)
    other = {
        "ground": answered(drivable_surface=DrivableMask(np.full(SIZE, 255, np.uint8))),
        "classes": answered(semantic=SemanticMask(ids, np.full_like(ids, 255), numbered(3))),
        "depth": answered(depth=DepthMap(np.full(SIZE, 5.0, np.float32), focal_px=800.0)),
    }
    boxes = [changed(plain, shown(one, around())) for one in other.values()]
    boxes.append(changed(plain, shown(answered(), around(vehicle=1.0))))
    for index, (top, bottom, left, right) in enumerate(boxes):
        assert (bottom - top) * (right - left) > 100 * 300
        for up, down, first, last in boxes[:index]:
            apart = up > bottom or down < top or first > right or last < left
            assert apart, "no two share a pixel"


def test_what_is_of_another_moment_is_kept_and_says_so():
    now, late = shown(answered(), around()), shown(answered(), around(), ahead_ns=SECOND // 2)
    top, bottom, _, right = changed(now, late)
    assert right < 776, "the map is of this moment"
    pictures = (now[60:350, :776] == late[60:350, :776]).all(axis=-1)
    assert pictures.mean() > 0.98, "the pictures are the same, words are more"
    assert top < 60 and bottom < 420
    late = shown(answered(), around(), above_ns=SECOND // 2)
    assert changed(now, late)[1] > 560, "above each camera, too"


def test_a_camera_that_gave_no_picture_is_grey_and_the_others_stay():
    whole = around(level=200)
    images = {name: one for name, one in whole.images.items() if name != "left"}
    top, _, left, right = changed(
        shown(answered(), whole), shown(answered(), replace(whole, images=images))
    )
    assert top > 560 and left >= 320 and right < 640


def test_words_are_broken_into_lines_and_stand_low():
    words = [Word("some words", INK)] * 5
    width = 2 * width_of("some words") + 30
    canvas = np.full((3 * LINE_PX, width, 3), PAPER, np.uint8)
    assert write_words(canvas, words) == 5
    lines = [(canvas[i * LINE_PX : (i + 1) * LINE_PX] != PAPER).any() for i in range(3)]
    assert lines == [True, True, True]
    canvas[:] = PAPER
    assert write_words(canvas, words[:3]) == 3
    assert not (canvas[:LINE_PX] != PAPER).any()
    canvas = np.full((LINE_PX, width, 3), PAPER, np.uint8)
    assert write_words(canvas, words) == 2, "the rest is left out"
