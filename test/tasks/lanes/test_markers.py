# SPDX-License-Identifier: Apache-2.0
"""markers: what a 3D viewer is told, line by line."""

from dataclasses import replace

import numpy as np
import pytest
from ground_lines import AHEAD, FRAME, SIZE, ground_lanes, ground_line, lateral
from task_messages import messages_of

from shared_encoder_perception.spec import ModelSpec
from shared_encoder_perception.structures import Perception
from shared_encoder_perception.tasks.lanes.answer import LaneId, LaneLine, LaneStatus
from shared_encoder_perception.tasks.lanes.content import MARKERS_TOPIC
from shared_encoder_perception.tasks.lanes.markers import (
    BAND,
    LINE,
    STATIONS,
    TEXT,
    ShapeType,
    lane_shapes,
)

SPEC = ModelSpec("tiny", "1.2.3")
FAR = AHEAD[-3]


def by_name(lanes):
    """Shapes by namespace and number."""
    return {(shape.namespace, shape.number): shape for shape in lane_shapes(lanes)}


def test_every_list_names_every_marker():
    names = {(namespace, lane) for namespace in (LINE, BAND, TEXT) for lane in range(5)}
    for lanes in (ground_lanes(), tuple(LaneLine(lane) for lane in LaneId)):
        shapes = lane_shapes(lanes)
        assert len(shapes) == 15
        assert {(shape.namespace, shape.number) for shape in shapes} == names


def test_lines_run_on_the_lanes():
    line = by_name(ground_lanes())[LINE, LaneId.LEFT_EGO]
    assert line.type is ShapeType.LINE_STRIP
    assert len(line.points_m) == STATIONS
    assert line.points_m[[0, -1], 0] == pytest.approx([AHEAD[0], FAR])
    exact = lateral(LaneId.LEFT_EGO, line.points_m[:, 0])
    np.testing.assert_allclose(line.points_m[:, 1], exact, atol=1e-3)


def test_a_predicted_line_is_dashed():
    shape = by_name(ground_lanes(ego=LaneStatus.PREDICTED))[LINE, LaneId.EGO]
    assert shape.type is ShapeType.LINE_LIST
    assert len(shape.points_m) % 2 == 0, "pairs of points"


def test_the_band_is_two_sigma_wide_and_seen_from_above():
    band = by_name(ground_lanes())[BAND, LaneId.EGO].points_m.reshape(-1, 3, 3)
    assert len(band) == 2 * (STATIONS - 1)
    corners = band[0]
    near = corners[np.isclose(corners[:, 0], AHEAD[0], rtol=1e-6), 1]
    assert lateral(LaneId.EGO, AHEAD[0]) - near.min() == pytest.approx(2 * 0.11, rel=1e-4)
    corners = band[-2:].reshape(-1, 3)
    last = corners[np.isclose(corners[:, 0], FAR, rtol=1e-6), 1]
    half = 2 * (0.05 + 0.01 * FAR)
    assert np.ptp(last) == pytest.approx(2 * half, rel=1e-4)
    (a, b, c) = (band[:, i, :2] for i in range(3))
    turn = (b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0]
    assert (turn > 0).all(), "counter-clockwise: viewers that cull show the upper side"


def test_unknown_deviation_has_a_line_but_no_band():
    line = ground_line(LaneId.EGO)
    unknown = replace(line, ground=replace(line.ground, y_std_m=np.full(len(AHEAD), np.nan)))
    shapes = by_name([unknown])
    assert len(shapes[LINE, 0].points_m) == STATIONS
    assert not len(shapes[BAND, 0].points_m)


def test_texts_say_confidence_and_track():
    lines = [ground_line(LaneId.RIGHT_EGO, track_id=7), ground_line(LaneId.EGO)]
    shapes = by_name(lines)
    assert shapes[TEXT, LaneId.RIGHT_EGO].text == "right 0.70 #7"
    assert shapes[TEXT, LaneId.EGO].text == "ego 0.50"
    position = shapes[TEXT, LaneId.RIGHT_EGO].points_m[0]
    assert abs(position[0] - 20) < 2 and position[2] > 0.5


@pytest.mark.parametrize("seen", [0, 1])
def test_too_few_points_on_the_road_are_no_line(seen):
    line = ground_line(LaneId.EGO)
    points = np.full((len(AHEAD), 3), np.nan)
    points[:seen] = 1.0
    line = replace(line, ground=replace(line.ground, points_m=points))
    assert not any(len(shape.points_m) for shape in lane_shapes([line]))


def markers(lanes):
    """The real messages, by namespace and number."""
    pytest.importorskip("visualization_msgs.msg", reason="visualization_msgs is not installed")
    from builtin_interfaces.msg import Time
    from std_msgs.msg import Header

    from shared_encoder_perception.node.messages import new_message

    header = Header(stamp=Time(sec=5, nanosec=7), frame_id="camera")
    perception = Perception(SIZE, {"lanes": lanes})
    made = messages_of(perception, header, SPEC, new_message, frame_id=FRAME)[MARKERS_TOPIC]
    return {(m.ns, m.id): m for m in made.markers}


def test_messages_carry_stamp_and_frame_and_delete_what_is_gone():
    messages = markers(ground_lanes(left_ego=LaneStatus.NOT_DETECTED))
    assert len(messages) == 15
    for (_, number), message in messages.items():
        assert message.header.frame_id == FRAME
        assert (message.header.stamp.sec, message.header.stamp.nanosec) == (5, 7)
        there = number in (LaneId.EGO, LaneId.RIGHT_EGO)
        assert message.action == (message.ADD if there else message.DELETE)
    line, text = messages[LINE, LaneId.EGO], messages[TEXT, LaneId.EGO]
    assert line.type == line.LINE_STRIP and len(line.points) == STATIONS
    assert 0 < line.scale.x < 0.5 and line.color.a == 1 and line.lifetime.sec == 1
    assert line.pose.orientation.w == 1
    assert messages[BAND, LaneId.EGO].type == line.TRIANGLE_LIST
    assert 0 < messages[BAND, LaneId.EGO].color.a < 1
    assert text.type == text.TEXT_VIEW_FACING and text.text == "ego 0.50"
    assert text.pose.position.x == pytest.approx(20, abs=2) and text.scale.z == pytest.approx(0.8)


def test_shape_types_are_those_of_the_message():
    message = next(iter(markers(ground_lanes()).values()))
    for kind in ShapeType:
        assert getattr(message, kind.name) == kind
