"""Pictures as files, and many on one sheet."""

import cv2
import numpy as np
import pytest

from shared_encoder_perception.drawing.pictures import tile, write_picture

GREY = np.full((320, 800, 3), 100, np.uint8)


def test_tile_holds_every_picture():
    sheet = tile([GREY, GREY[:, :400], GREY], columns=2, width=100)
    assert sheet.shape[1] == 2 * 104
    assert sheet.shape[0] == (80 + 4) + (40 + 4)
    with pytest.raises(ValueError, match="at least one"):
        tile([])


def test_a_picture_is_whole_or_not_there(tmp_path):
    write_picture(tmp_path / "below" / "a.png", GREY)
    assert np.array_equal(cv2.imread(str(tmp_path / "below" / "a.png")), GREY)
    with pytest.raises(OSError, match=r"use \.png or \.jpg"):
        write_picture(tmp_path / "a.nothing", GREY)
    assert [path.name for path in tmp_path.rglob("a*")] == ["a.png"]
