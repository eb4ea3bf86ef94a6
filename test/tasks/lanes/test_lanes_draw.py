# SPDX-License-Identifier: Apache-2.0
"""Lanes on pictures: where they are, in their colours, with their names."""

import numpy as np
import pytest
from perceptions import perception as perception_of

from shared_encoder_perception.drawing.overlay import draw, draw_labels
from shared_encoder_perception.tasks.lanes import draw as lanes_draw
from shared_encoder_perception.tasks.lanes.answer import LaneId, LaneLine, LaneStatus
from shared_encoder_perception.tasks.lanes.draw import LANE_COLOURS
from shared_encoder_perception.tasks.lanes.labels import Label

SIZE = (320, 800)
GREY = np.full((*SIZE, 3), 100, np.uint8)


def perception(**points):
    lanes = []
    for lane in LaneId:
        xy = points.get(lane.label)
        if xy is None:
            lanes.append(LaneLine(lane))
            continue
        xy = np.array(xy, np.float32)
        lanes.append(LaneLine(lane, LaneStatus.DETECTED, 0.5, xy, np.zeros(len(xy), np.float32)))
    return perception_of(SIZE, tuple(lanes))


def test_a_line_is_drawn_where_it_is_in_its_colour():
    picture = draw(GREY, perception(right_ego=[[600, 300], [600, 100]]))
    assert picture[200, 600].tolist() == list(LANE_COLOURS[LaneId.RIGHT_EGO])
    assert picture[200, 500].tolist() == [100, 100, 100]


@pytest.mark.parametrize("size", [(1, 1), (20, 50), (227, 404), (720, 1280)])
def test_any_size_can_be_drawn(size):
    grey = np.full((*size, 3), 100, np.uint8)
    picture = draw(grey, perception_of(size, tuple(LaneLine(lane) for lane in LaneId)))
    assert picture.shape == grey.shape
    assert (picture[-1, -1] == 100).all() or size[0] <= 20


def test_every_lane_is_named_those_not_found_in_grey():
    legend = lanes_draw.legend(perception(ego=[[400, 300], [400, 100]]).answers["lanes"])
    assert [text for text, _ in legend] == [
        "ego 0.50",
        "left",
        "right",
        "left split",
        "right split",
    ]
    assert legend[0][1] == LANE_COLOURS[LaneId.EGO]
    assert {colour for _, colour in legend[1:]} == {(150, 150, 150)}


def test_labels_are_painted_like_answers_and_outlined_in_white():
    points = np.array([[600, 300], [600, 100]], np.float32)
    label = Label({LaneId.RIGHT_EGO: points, LaneId.EGO: None})
    picture = draw_labels(GREY, {"lanes": label})
    assert picture[200, 600].tolist() == list(LANE_COLOURS[LaneId.RIGHT_EGO])
    canvas = GREY.copy()
    lanes_draw.outline_label(canvas, label)
    assert canvas[200, 600].min() > 230
    assert (canvas[:, :590] == 100).all()


def test_resized_lanes_stay_on_their_pixels():
    lanes = perception(ego=[[0, 319], [799, 0]]).answers["lanes"]
    half = lanes_draw.resized(lanes, SIZE, (160, 400))
    np.testing.assert_allclose(half[LaneId.EGO].points_px, [[-0.25, 159.25], [399.25, -0.25]])
    assert not half[LaneId.LEFT_EGO].detected


def test_colours_differ():
    assert len(set(LANE_COLOURS.values())) == len(LaneId)
