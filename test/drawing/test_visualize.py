"""visualize: what was perceived shows, and nothing else changes."""

import numpy as np
import pytest
from perceptions import perception as perception_of

from shared_encoder_perception.drawing.visualize import LANE_COLOURS, draw, tile
from shared_encoder_perception.tasks.drivable.answer import DrivableMask
from shared_encoder_perception.tasks.lanes.answer import LaneId, LaneLine, LaneStatus

SIZE = (320, 800)
GREY = np.full((*SIZE, 3), 100, np.uint8)


def perception(mask=None, **points):
    lanes = []
    for lane in LaneId:
        xy = points.get(lane.label)
        if xy is None:
            lanes.append(LaneLine(lane))
            continue
        xy = np.array(xy, np.float32)
        lanes.append(LaneLine(lane, LaneStatus.DETECTED, 0.5, xy, np.zeros(len(xy), np.float32)))
    return perception_of(SIZE, tuple(lanes), mask)


def test_the_input_is_not_drawn_on():
    before = GREY.copy()
    draw(GREY, perception(ego=[[400, 300], [400, 100]]))
    assert np.array_equal(GREY, before)


def test_a_line_is_drawn_where_it_is_in_its_colour():
    picture = draw(GREY, perception(right_ego=[[600, 300], [600, 100]]))
    assert picture[200, 600].tolist() == list(LANE_COLOURS[LaneId.RIGHT_EGO])
    assert picture[200, 500].tolist() == [100, 100, 100]


def test_the_mask_tints_its_pixels_only():
    probability = np.zeros(SIZE, np.uint8)
    probability[200:300, 300:500] = 255
    picture = draw(GREY, perception(DrivableMask(probability)))
    assert (picture[250, 400] != 100).any()
    assert picture[250, 600].tolist() == [100, 100, 100]


@pytest.mark.parametrize("size", [(1, 1), (20, 50), (227, 404), (720, 1280)])
def test_any_size_can_be_drawn(size):
    grey = np.full((*size, 3), 100, np.uint8)
    lanes = tuple(LaneLine(lane) for lane in LaneId)
    picture = draw(grey, perception_of(size, lanes, None))
    assert picture.shape == grey.shape
    assert (picture[-1, -1] == 100).all() or size[0] <= 20


def test_the_legend_is_readable_on_a_white_road():
    white = np.full((*SIZE, 3), 255, np.uint8)
    corner = draw(white, perception(ego=[[400, 300], [400, 100]]))[:20, :80]
    ego = (np.abs(corner.astype(int) - LANE_COLOURS[LaneId.EGO]).max(axis=2) < 60).sum()
    assert ego > 50, "letters in the lane's colour"
    assert np.median(corner) < 100, "on a dark ground"


def test_another_size_is_refused():
    with pytest.raises(ValueError, match="the perception is of"):
        draw(np.zeros((10, 10, 3), np.uint8), perception())


def test_colours_differ():
    assert len(set(LANE_COLOURS.values())) == len(LaneId)


def test_tile_holds_every_picture():
    sheet = tile([GREY, GREY[:, :400], GREY], columns=2, width=100)
    assert sheet.shape[1] == 2 * 104
    assert sheet.shape[0] == (80 + 4) + (40 + 4)
    with pytest.raises(ValueError, match="at least one"):
        tile([])
