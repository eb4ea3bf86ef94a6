# SPDX-License-Identifier: Apache-2.0
"""Pictures as files, and many on one sheet."""

import cv2
import numpy as np
import pytest

from shared_encoder_perception.drawing.pictures import tile, write_picture
from shared_encoder_perception.drawing.text import CAPTION_PX, draw_caption

GREY = np.full((320, 800, 3), 100, np.uint8)


def test_tile_holds_every_picture():
    sheet = tile([GREY, GREY[:, :400], GREY], columns=2, width=100)
    assert sheet.shape[1] == 2 * 104
    assert sheet.shape[0] == (80 + 4) + (40 + 4)
    with pytest.raises(ValueError, match="at least one"):
        tile([])


def test_each_picture_of_a_sheet_has_its_name_below():
    names = ["a.jpg", "a very long name " * 20 + "end.jpg", "\N{SNOWMAN}\x1b[2J"]
    plain, named = tile([GREY] * 3, 2, 300), tile([GREY] * 3, 2, 300, names)
    assert named.shape[0] == plain.shape[0] + 2 * CAPTION_PX
    height = 120
    assert (named[:height] == plain[:height]).all(), "nothing is drawn on the picture"
    strip = named[height : height + CAPTION_PX]
    for left in (0, 304):
        assert strip[:, left : left + 300].min() < 100
    assert (strip[:, 300:304] == 255).all(), "the long one stays below its own"


def test_a_long_caption_keeps_its_end():
    strips = [np.full((CAPTION_PX, 200, 3), 255, np.uint8) for _ in range(3)]
    names = [start + "x" * 90 + end for start, end in (("a", "/1"), ("bc", "/1"), ("a", "/2"))]
    for strip, name in zip(strips, names, strict=True):
        draw_caption(strip, name)
    assert (strips[0] == strips[1]).all()
    assert (strips[0] != strips[2]).any()


def test_a_picture_is_whole_or_not_there(tmp_path):
    write_picture(tmp_path / "below" / "a.png", GREY)
    assert np.array_equal(cv2.imread(str(tmp_path / "below" / "a.png")), GREY)
    with pytest.raises(OSError, match=r"use \.png or \.jpg"):
        write_picture(tmp_path / "a.nothing", GREY)
    assert [path.name for path in tmp_path.rglob("a*")] == ["a.png"]
