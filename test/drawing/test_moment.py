# SPDX-License-Identifier: Apache-2.0
"""A moment of a rig as a picture: every camera in its place, and the map beside them."""

import numpy as np
import pytest
from flat_ground import camera

from shared_encoder_perception import tasks
from shared_encoder_perception.drawing.moment import CAMERA_PX, MISSING, draw_moment
from shared_encoder_perception.rig.grid import BevGrid
from shared_encoder_perception.rig.rig import Rig
from shared_encoder_perception.structures import Perception

TASK = next(iter(tasks.RIG_ROOMS))
GRID = BevGrid()
SIZE = (160, 400)


def drawn(names, there):
    """Draw a moment of cameras whose pictures are all green, of those that are there."""
    rig = Rig(tuple(camera(name, 0.0, size=SIZE) for name in names))
    green = np.zeros((*SIZE, 3), np.uint8)
    green[..., 1] = 200
    seen = np.ones(GRID.shape, bool)
    answer = tasks.part(TASK, "answer").Answer(
        GRID, seen, drivable=np.zeros(GRID.shape, np.float32)
    )
    images = dict.fromkeys(there, green)
    cameras = {name: Perception(SIZE, {}) for name in there}
    return draw_moment(rig, images, cameras, TASK, answer), answer


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 6])
def test_each_camera_has_its_place_whether_it_gave_a_picture_or_not(count):
    names = [f"camera {index}" for index in range(count)]
    whole, _ = drawn(names, names)
    for name in names:
        picture, _ = drawn(names, [name])
        assert picture.shape == whole.shape
        green = (picture == (0, 200, 0)).all(axis=-1)
        grey = (picture == MISSING).all(axis=-1)
        area = CAMERA_PX * CAMERA_PX * SIZE[0] // SIZE[1]
        assert green.sum() == pytest.approx(area, rel=0.02)
        assert grey.sum() == pytest.approx((count - 1) * area, rel=0.02, abs=area // 50)


def test_the_map_is_on_the_right_and_ahead_is_up():
    picture, answer = drawn(["front"], ["front"])
    above = tasks.part(TASK, "draw").picture(answer)
    right = picture[: above.shape[0], -above.shape[1] :]
    np.testing.assert_array_equal(right[100:], above[100:])  # its corner has the legend
