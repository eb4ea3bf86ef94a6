# SPDX-License-Identifier: Apache-2.0
"""Messages: the layout of nav_msgs/OccupancyGrid, for rclpy and for rosbags alike, and back."""

from array import array

import numpy as np
import pytest
from surround_scene import BLOCK, GRID, NARROW, answer_of, one_vehicle, seen_behind_nothing, soft

pytest.importorskip("rclpy", reason="ROS 2 is not installed")
pytest.importorskip("nav_msgs.msg", reason="nav_msgs is not installed")

from rclpy.serialization import deserialize_message, serialize_message
from std_msgs.msg import Header
from task_messages import same

from shared_encoder_perception.node.messages import check_message
from shared_encoder_perception.node.messages import new_message as new_in_rclpy
from shared_encoder_perception.replay.messages import from_bytes, new_header, to_bytes
from shared_encoder_perception.replay.messages import new_message as new_in_rosbags
from shared_encoder_perception.rig.grid import BevGrid
from shared_encoder_perception.tasks.contract.rigs import RigContext
from shared_encoder_perception.tasks.surround import content, markers
from shared_encoder_perception.tasks.surround.answer import Surround

SEEN = seen_behind_nothing()
ANSWER = soft(answer_of(seen=SEEN))
MASKS = Surround(GRID, SEEN, drivable=ANSWER.drivable)
MAPS = (content.OCCUPANCY_TOPIC, content.VEHICLES_TOPIC, content.DRIVABLE_TOPIC)
KINDS = {topic.name: topic.kind for topic in content.TOPICS}


def header():
    """Return a header unlike the default one."""
    message = Header(frame_id="base_link")
    message.stamp.sec, message.stamp.nanosec = 17, 3
    return message


def sent(answer):
    """Return all messages as rclpy sends them, received again."""
    made = content.messages(answer, RigContext(header()), new_in_rclpy)
    messages = {topic: make() for topic, make in made.items()}
    for topic, message in messages.items():
        check_message(message, topic)
    return {
        topic: deserialize_message(serialize_message(message), type(message))
        for topic, message in messages.items()
    }


def recorded(answer):
    """Return all messages as bytes, as rosbags writes them."""
    made = content.messages(answer, RigContext(new_header(header())), new_in_rosbags)
    return {topic: to_bytes(make()) for topic, make in made.items()}


def cells(message):
    """Return the values of a grid (height, width)."""
    return np.asarray(message.data, np.int8).reshape(message.info.height, message.info.width)


@pytest.mark.parametrize(("block", "y_m"), [(BLOCK, 3.0), (BLOCK, -7.0), (NARROW, 2.0)])
def test_a_lone_object_is_at_the_index_that_the_message_says(block, y_m):
    """A vehicle of 1 m on a corner of cells covers the four around it, and no other."""
    answer = answer_of(one_vehicle(10.0, y_m, 0.0, 1.0, 1.0), block=block)
    message = sent(answer)[content.VEHICLES_TOPIC]
    info = message.info
    ix = round((10.0 - info.origin.position.x) / info.resolution)
    iy = round((y_m - info.origin.position.y) / info.resolution)
    around = {x + y * info.width for x in (ix - 1, ix) for y in (iy - 1, iy)}
    assert {index for index, value in enumerate(message.data) if value == 100} == around
    assert set(message.data) == {0, 100}


def test_a_single_cell_is_at_the_index_of_its_place():
    vehicle = np.zeros(GRID.shape, np.float32)
    column, row = np.floor(GRID.cells(np.array((10.1, 3.1))) + 0.5).astype(int)
    vehicle[row, column] = 0.87
    answer = Surround(GRID, np.ones(GRID.shape, np.bool_), vehicle)
    message = sent(answer)[content.VEHICLES_TOPIC]
    info = message.info
    ix = int((10.1 - info.origin.position.x) / info.resolution)
    iy = int((3.1 - info.origin.position.y) / info.resolution)
    assert message.data[ix + iy * info.width] == 87
    assert sum(message.data) == 87
    assert info.origin.orientation.w == 1


def test_maps_are_arrays_of_rclpys_own_kind():
    made = content.messages(ANSWER, RigContext(header()), new_in_rclpy)
    for topic in MAPS:
        data = made[topic]().data
        assert isinstance(data, array) and data.typecode == "b"


@pytest.mark.parametrize("answer", [ANSWER, MASKS], ids=["network", "masks"])
def test_messages_of_rclpy_and_of_rosbags_are_the_same(answer):
    live, offline = sent(answer), recorded(answer)
    assert live.keys() == offline.keys() == KINDS.keys()
    for topic, kind in KINDS.items():
        assert same(live[topic], from_bytes(offline[topic], kind)), topic


@pytest.mark.parametrize("answer", [ANSWER, MASKS], ids=["network", "masks"])
def test_what_was_recorded_is_the_answer(answer):
    first = recorded(answer)
    again = content.read({topic: from_bytes(first[topic], KINDS[topic]) for topic in MAPS})
    assert (again.seen == answer.seen).all()
    assert (again.grid.extent_m, again.grid.cell_m) == (GRID.extent_m, GRID.cell_m)
    for name in ("vehicle", "drivable"):
        one, other = getattr(again, name), getattr(answer, name)
        assert (one is None) == (other is None)
        if one is not None:
            np.testing.assert_allclose(one, other, atol=0.0051)
    once_more = recorded(again)
    for topic in MAPS:
        assert once_more[topic] == first[topic], topic
    live = content.read(sent(answer))
    np.testing.assert_array_equal(live.drivable, again.drivable)


def test_unseen_cells_are_minus_one_on_every_map():
    messages = sent(ANSWER)
    for topic in MAPS:
        assert ((cells(messages[topic]) == -1) == ~SEEN).all(), topic


def test_occupancy_is_what_the_two_other_maps_say():
    messages = sent(ANSWER)
    occupied, vehicle, drivable = (cells(messages[topic]).astype(float)[SEEN] for topic in MAPS)
    exact = 100 * (1 - drivable / 100 * (1 - vehicle / 100))
    np.testing.assert_allclose(occupied, exact, atol=0.501)
    assert occupied.min() < 30
    assert occupied.max() > 95


def test_occupancy_is_unknown_where_either_map_is():
    maps = (np.array([[-1, 100, 0, 50]], np.int8), np.array([[100, -1, 100, 50]], np.int8))
    assert content.occupancy(*maps).tolist() == [[-1, -1, 0, 75]]
    assert content.occupancy(None, maps[1]).tolist() == [[0, -1, 0, 50]]
    assert content.occupancy(maps[0], None) is None


def test_without_a_network_occupancy_is_of_drivable_and_no_cell_is_free_of_vehicles():
    messages = sent(MASKS)
    assert (cells(messages[content.VEHICLES_TOPIC]) == -1).all()
    occupied, drivable = (
        cells(messages[topic])[SEEN].astype(int)
        for topic in (content.OCCUPANCY_TOPIC, content.DRIVABLE_TOPIC)
    )
    np.testing.assert_array_equal(occupied, 100 - drivable)


def test_without_drivable_ground_nothing_is_called_free():
    answer = Surround(GRID, SEEN, ANSWER.vehicle)
    messages = sent(answer)
    for topic in (content.OCCUPANCY_TOPIC, content.DRIVABLE_TOPIC):
        assert (cells(messages[topic]) == -1).all()
    assert (cells(messages[content.VEHICLES_TOPIC]) >= 0).any()
    assert content.read(messages).drivable is None


def test_a_moment_in_which_nothing_is_seen_can_be_read():
    blind = ANSWER.within(np.zeros(GRID.shape, np.bool_))
    first = recorded(blind)
    again = content.read({topic: from_bytes(first[topic], KINDS[topic]) for topic in MAPS})
    assert not again.seen.any()
    assert recorded(again)[content.OCCUPANCY_TOPIC] == first[content.OCCUPANCY_TOPIC]


@pytest.mark.parametrize("cell_m", [0.1, 0.25, 0.3, 0.125])
def test_the_size_of_a_cell_survives_a_field_of_four_bytes(cell_m):
    grid = BevGrid(-1.3, -2.7, 7, 5, cell_m)
    seen = np.ones(grid.shape, np.bool_)
    answer = Surround(grid, seen, np.zeros(grid.shape, np.float32))
    again = content.read(sent(answer))
    assert again.grid == grid


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda m: setattr(m.info.origin.orientation, "z", 0.1), "turned"),
        (lambda m: setattr(m.info, "width", 99), "10000 values for 99 x 100"),
        (lambda m: setattr(m.info, "width", 0), "values for 0 x"),
        (lambda m: setattr(m.info, "resolution", float("nan")), "grid"),
        (lambda m: m.data.__setitem__(5, 101), "0 to 100"),
        (lambda m: m.data.__setitem__(5, -2), "0 to 100"),
    ],
)
def test_a_grid_that_makes_no_sense_is_refused(change, text):
    messages = sent(ANSWER)
    change(messages[content.DRIVABLE_TOPIC])
    with pytest.raises(ValueError, match=text):
        content.read(messages)


def test_maps_that_are_missing_or_of_other_cells_are_refused():
    messages = sent(ANSWER)
    with pytest.raises(LookupError, match="surround/drivable"):
        content.read({content.VEHICLES_TOPIC: messages[content.VEHICLES_TOPIC]})
    messages[content.DRIVABLE_TOPIC].info.origin.position.x += 0.5
    with pytest.raises(ValueError, match="surround/vehicles is of"):
        content.read(messages)


def test_every_message_has_the_anchors_time_and_the_rigs_frame():
    messages = sent(ANSWER)
    for topic in MAPS:
        assert messages[topic].header == header()
        assert messages[topic].info.map_load_time == header().stamp
    assert all(one.header == header() for one in messages[content.OBJECTS_TOPIC].markers)


def test_markers_begin_by_removing_the_old_ones_and_stand_on_the_ground():
    first, *others = sent(ANSWER)[content.OBJECTS_TOPIC].markers
    assert first.action == first.DELETEALL == markers.DELETE_ALL
    boxes = [one for one in others if one.ns == markers.BOX]
    texts = [one for one in others if one.ns == markers.TEXT]
    assert len(boxes) == len(texts) == len(ANSWER.objects)
    for marker, text, one in zip(boxes, texts, ANSWER.objects, strict=True):
        place, size, turn = marker.pose.position, marker.scale, marker.pose.orientation
        assert marker.type == marker.CUBE
        assert text.type == text.TEXT_VIEW_FACING
        assert (place.x, place.y) == (one.x_m, one.y_m)
        assert place.z == size.z / 2
        assert (size.x, size.y) == (one.length_m, one.width_m)
        assert 2 * np.arctan2(turn.z, turn.w) == pytest.approx(one.yaw_rad)
        assert text.text == f"{one.score:.2f}"
        assert marker.lifetime.sec > 0
    assert len({(one.ns, one.id) for one in others}) == len(others)
    (only,) = sent(MASKS)[content.OBJECTS_TOPIC].markers
    assert only.action == only.DELETEALL


def test_what_is_found_is_a_vehicle():
    assert content.found(ANSWER) == ("vehicle",)
    assert content.found(MASKS) == ()
