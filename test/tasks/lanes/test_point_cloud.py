# SPDX-License-Identifier: Apache-2.0
"""point_cloud: the standard message holds what the lanes say, for every reader alike."""

import struct
from array import array
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from ground_lines import AHEAD, FRAME, SIZE, ground_lanes, ground_line, lateral
from task_messages import messages_of

from shared_encoder_perception.spec import ModelSpec
from shared_encoder_perception.structures import Perception
from shared_encoder_perception.tasks.lanes.answer import LaneId, LaneLine
from shared_encoder_perception.tasks.lanes.content import POINTS_TOPIC
from shared_encoder_perception.tasks.lanes.point_cloud import (
    POINT_DTYPE,
    fill_cloud,
    lane_points,
    read_points,
)

SPEC = ModelSpec("tiny", "1.2.3")
SEEN = len(AHEAD) - 2
"""Points of a line in ``ground_lines`` that meet the road."""


def field(kind="sensor_msgs/msg/PointField", **values):
    """A PointField of no middleware."""
    assert kind == "sensor_msgs/msg/PointField"
    return SimpleNamespace(**values)


def cloud(points, is_bigendian=False):
    """A PointCloud2 of no middleware."""
    message = SimpleNamespace(data=array("B"))
    fill_cloud(message, points, field)
    if is_bigendian:
        message.is_bigendian = True
        message.data = points.byteswap().tobytes()
    return message


def test_points_are_those_of_the_lanes_on_the_road():
    points = lane_points(ground_lanes())
    assert points["lane"].tolist() == [0] * SEEN + [1] * SEEN + [2] * SEEN
    left = points[points["lane"] == LaneId.LEFT_EGO]
    np.testing.assert_allclose(left["x"], AHEAD[:SEEN], rtol=1e-6)
    np.testing.assert_allclose(left["y"], lateral(LaneId.LEFT_EGO)[:SEEN], rtol=1e-6)
    np.testing.assert_allclose(left["sigma"], 0.05 + 0.01 * AHEAD[:SEEN], rtol=1e-6)
    assert (left["z"] == 0).all()
    assert (left["confidence"] == np.float32(0.6)).all()


def test_bytes_are_read_by_hand():
    """Six four-byte fields, little-endian, without padding: told by struct, not by numpy."""
    message = cloud(lane_points([ground_line(LaneId.RIGHT_EGO)]))
    assert [f.name for f in message.fields] == ["x", "y", "z", "lane", "sigma", "confidence"]
    assert [f.offset for f in message.fields] == [0, 4, 8, 12, 16, 20]
    assert [f.datatype for f in message.fields] == [7, 7, 7, 6, 7, 7]
    assert message.point_step == 24 and message.row_step == 24 * SEEN
    assert (message.height, message.width, message.is_dense) == (1, SEEN, True)
    rows = list(struct.iter_unpack("<fffIff", bytes(message.data)))
    assert len(rows) == SEEN
    assert rows[0] == pytest.approx((6.0, lateral(LaneId.RIGHT_EGO)[0], 0, 2, 0.11, 0.7), rel=1e-6)


@pytest.mark.parametrize("is_bigendian", [False, True])
def test_what_was_written_is_read(is_bigendian):
    points = lane_points(ground_lanes())
    read = read_points(cloud(points, is_bigendian))
    for name in POINT_DTYPE.names:
        np.testing.assert_array_equal(read[name], points[name])


def test_no_lane_on_the_road_is_an_empty_cloud():
    points = lane_points([LaneLine(lane) for lane in LaneId])
    message = cloud(points)
    assert (message.width, message.row_step, len(message.data)) == (0, 0, 0)
    assert len(message.fields) == 6, "a reader still learns what would be there"
    assert read_points(message).shape == (0,)


def test_unknown_deviations_are_not_dense():
    line = ground_line(LaneId.EGO)
    unknown = replace(line.ground, y_std_m=np.full(len(AHEAD), np.nan))
    message = cloud(lane_points([replace(line, ground=unknown)]))
    assert message.width == SEEN and not message.is_dense


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"data": b"short"}, "holds 5 bytes"),
        ({"width": 7}, "expected 1 rows of 7 points"),
        ({"fields": [field(name="x", offset=0, datatype=99, count=1)]}, r"fields \['x'\]"),
        ({"fields": [field(name="x", offset=0, datatype=7, count=3)]}, r"fields \['x'\]"),
    ],
)
def test_a_damaged_cloud_is_refused(changes, reason):
    message = cloud(lane_points([ground_line(LaneId.EGO)]))
    vars(message).update(changes)
    with pytest.raises(ValueError, match=reason):
        read_points(message)


def ros_message(lanes):
    """The real message."""
    pytest.importorskip("sensor_msgs.msg", reason="ROS 2 is not installed")
    from builtin_interfaces.msg import Time
    from std_msgs.msg import Header

    from shared_encoder_perception.node.messages import new_message

    header = Header(stamp=Time(sec=5, nanosec=7), frame_id="camera")
    perception = Perception(SIZE, {"lanes": lanes})
    return messages_of(perception, header, SPEC, new_message, frame_id=FRAME)[POINTS_TOPIC]


def test_the_message_has_the_images_stamp_and_the_vehicles_frame():
    lanes = ground_lanes()
    message = ros_message(lanes)
    assert (message.header.stamp.sec, message.header.stamp.nanosec) == (5, 7)
    assert message.header.frame_id == FRAME
    np.testing.assert_array_equal(read_points(message), lane_points(lanes))


def test_equal_to_what_sensor_msgs_py_makes_and_reads():
    reference = pytest.importorskip(
        "sensor_msgs_py.point_cloud2", reason="sensor_msgs_py is not installed: needs a full ROS 2"
    )
    lanes = ground_lanes()
    ours = ros_message(lanes)
    points = lane_points(lanes)
    theirs = reference.create_cloud(ours.header, ours.fields, points)
    assert bytes(theirs.data) == bytes(ours.data)
    assert (theirs.point_step, theirs.row_step) == (ours.point_step, ours.row_step)
    assert (theirs.height, theirs.width) == (ours.height, ours.width)
    np.testing.assert_array_equal(reference.read_points(ours), points)
