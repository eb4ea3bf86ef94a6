# SPDX-License-Identifier: Apache-2.0
"""A recorded rig put together again by its stamps, and drawn: ahead is up, left is left."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed: make setup")
pytest.importorskip("nav_msgs.msg", reason="nav_msgs is not installed")
pytest.importorskip("visualization_msgs.msg", reason="visualization_msgs is not installed")

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from shared_encoder_perception.demo.diagnosed import DIAGNOSTICS
from shared_encoder_perception.demo.rigs.absent import AbsentCameras, seen_alone
from shared_encoder_perception.demo.rigs.diagnosed import (
    ends_of,
    is_calibrated,
    maps_of,
    medians_ms,
    told_by,
)
from shared_encoder_perception.demo.rigs.picture import moment_picture
from shared_encoder_perception.demo.rigs.recording import MomentGatherer
from shared_encoder_perception.demo.rigs.summary import CameraSummary, RigSummary
from shared_encoder_perception.images.image_msg import fill_image
from shared_encoder_perception.node.messages import new_message
from shared_encoder_perception.rig.grid import BevGrid
from shared_encoder_perception.rig.rig_file import RigFile
from shared_encoder_perception.tasks.contract.rigs import RigContext
from shared_encoder_perception.tasks.surround import content
from shared_encoder_perception.tasks.surround.answer import SeenObject, Surround
from shared_encoder_perception.tasks.surround.draw import VEHICLE
from shared_encoder_perception.world.rigs.dice_rig import four_cameras

GRID = BevGrid()
RIG = four_cameras((48, 120))
FILE = RigFile(
    tuple(replace(entry, topic=f"{entry.name}/image") for entry in RigFile.of(RIG).entries)
)
SECOND = 1_000_000_000
OBJECTS = (
    SeenObject(12.0, 8.0, 4.5, 2.0, 0.3, 0.91, 36),
    SeenObject(-6.0, -9.0, 5.0, 2.0, np.pi / 2, 0.62, 40),
)


def header(stamp_ns, frame="base_link"):
    """Return a header of that time."""
    made = Header(frame_id=frame)
    made.stamp.sec, made.stamp.nanosec = divmod(stamp_ns, SECOND)
    return made


def answer(objects=(), vehicle_at=None, seen=None):
    """Return a map with vehicles in the cells around a place, and free ground elsewhere."""
    x, y = np.moveaxis(GRID.centres(), -1, 0)
    at = (1e6, 1e6) if vehicle_at is None else vehicle_at
    vehicle = (np.hypot(x - at[0], y - at[1]) < 3).astype(np.float32)
    seen = np.ones(GRID.shape, np.bool_) if seen is None else seen
    maps = {"vehicle": vehicle, "drivable": 1 - vehicle}
    for plane in maps.values():
        plane[~seen] = np.nan
    return Surround(GRID, seen, objects=objects, **maps)


def send(gatherer, stamp_ns, said, without=(), latency_ns=30_000_000):
    """Send the messages of a map; return what came out."""
    makers = content.messages(said, RigContext(header(stamp_ns)), new_message)
    found = [
        gatherer.add(f"/{topic}", stamp_ns + latency_ns, make())
        for topic, make in makers.items()
        if topic not in without
    ]
    return [one for one in found if one is not None]


def show(gatherer, stamp_ns, name, level=0):
    """Send an image of a camera, in one grey level."""
    message = Image(header=header(stamp_ns, name))
    fill_image(message, np.full((*RIG[name].image_size, 3), level, np.uint8), "bgr8")
    assert gatherer.add(f"/{name}/image", stamp_ns, message) is None


def diagnostics(**tasks):
    """Return what a node says, by task."""
    statuses = [
        DiagnosticStatus(
            level=level,
            name=f"/surround: {task.replace('_', ' ')}",
            message=text,
            values=[KeyValue(key=key, value=str(value)) for key, value in values.items()],
        )
        for task, (level, text, values) in tasks.items()
    ]
    return DiagnosticArray(status=statuses)


def test_a_map_has_the_images_that_are_near_its_stamp():
    gatherer, stamp = MomentGatherer(FILE, max_skew_s=0.05), 7 * SECOND
    show(gatherer, stamp, "front", 10)
    show(gatherer, stamp - 100_000_000, "left", 20)
    show(gatherer, stamp + 12_000_000, "left", 21)
    show(gatherer, stamp + 110_000_000, "left", 22)
    show(gatherer, stamp + 51_000_000, "rear", 30)
    assert send(gatherer, stamp, answer()) == []
    show(gatherer, stamp - 3_000_000, "right", 40)  # recorded after the map it belongs to
    (found,) = [gatherer.last()]
    assert {name: int(image[0, 0, 0]) for name, image in found.images.items()} == {
        "front": 10,
        "left": 21,
        "right": 40,
    }
    assert found.later_ms == {"front": 0.0, "left": 12.0, "right": -3.0}
    assert found.latency_ms == 30.0
    assert gatherer.last() is None


def test_a_map_is_given_out_with_the_next_and_only_whole_ones_are():
    gatherer = MomentGatherer(FILE)
    assert send(gatherer, 1 * SECOND, answer()) == []
    (first,) = send(gatherer, 2 * SECOND, answer())
    assert first.stamp_ns == 1 * SECOND
    assert send(gatherer, 3 * SECOND, answer(), without=[content.DRIVABLE_TOPIC]) == []
    assert gatherer.last().stamp_ns == 2 * SECOND
    # Objects are sent only while somebody listens.
    assert send(gatherer, 4 * SECOND, answer(), without=[content.OBJECTS_TOPIC]) == []
    assert gatherer.last().stamp_ns == 4 * SECOND


def test_a_map_that_makes_no_sense_is_counted_and_not_shown():
    gatherer = MomentGatherer(FILE)
    makers = content.messages(answer(), RigContext(header(SECOND)), new_message)
    for topic, make in makers.items():
        message = make()
        if topic == content.DRIVABLE_TOPIC:
            message.info.width += 1
        gatherer.add(f"/{topic}", SECOND, message)
    assert gatherer.last() is None
    assert gatherer.spoilt == 1


def test_objects_come_back_from_their_markers():
    gatherer = MomentGatherer(FILE)
    send(gatherer, SECOND, answer(OBJECTS, (12.0, 8.0)))
    found = gatherer.last().surround.objects
    assert len(found) == len(OBJECTS)
    for one, sent in zip(found, OBJECTS, strict=True):
        for name in ("x_m", "y_m", "length_m", "width_m", "yaw_rad", "score"):
            assert getattr(one, name) == pytest.approx(getattr(sent, name), abs=5e-3), name


@pytest.mark.parametrize(("x_m", "y_m"), [(20, 15), (20, -15), (-10, 15), (-10, -15)])
def test_ahead_is_up_and_left_is_left(x_m, y_m):
    gatherer = MomentGatherer(FILE)
    send(gatherer, SECOND, answer(vehicle_at=(x_m, y_m)))
    picture = moment_picture(RIG, gatherer.last(), 0.0)
    drawn = np.abs(picture[:, 480:].astype(int) - VEHICLE).sum(axis=-1) < 20
    drawn[:110, :200] = False  # the legend has that colour, too
    rows, columns = np.nonzero(drawn)
    assert len(rows) > 1000
    side = picture.shape[1] - 484
    middle = (side * (GRID.extent_m[2] / 50), 4 + side / 2)  # the vehicle's origin
    assert (rows.mean() < middle[0]) == (x_m > 0)
    assert (columns.mean() < middle[1]) == (y_m > 0)


def test_the_picture_has_one_size_whoever_is_there_and_marks_who_is_not():
    gatherer = MomentGatherer(FILE)
    for name in RIG.names:
        show(gatherer, SECOND, name, 200)
    send(gatherer, SECOND, answer(OBJECTS))
    full = gatherer.last()
    bright = moment_picture(RIG, full, 0.0)
    dark = moment_picture(RIG, full, 0.0, ["front"])
    without = moment_picture(RIG, replace(full, images={}, cameras={}, later_ms={}), 0.0)
    assert bright.shape == dark.shape == without.shape
    assert bright.shape[1] == 1280 and bright.shape[0] % 2 == 0
    rows = slice(0, 100)
    assert bright[rows, :480].mean() > 2 * dark[rows, :480].mean()
    rest = slice(220, 400)
    assert np.array_equal(bright[rest, :480], dark[rest, :480])


@pytest.mark.parametrize("name", RIG.names)
def test_a_camera_that_is_not_in_the_map_is_named_by_its_own_cells(name):
    absent = AbsentCameras(RIG)
    assert absent.of(answer()) == ()
    alone = seen_alone(RIG, GRID)
    assert all(cells.any() for cells in alone.values())
    assert absent.of(answer(seen=~alone[name])) == (name,)
    # The front's cells are ahead, the left's to the left.
    x, y = GRID.centres()[alone[name]].mean(axis=0)
    side = {"front": x > 5, "left": y > 5, "rear": x < -5, "right": y < -5}
    assert side[name]


def test_a_camera_that_sees_nothing_alone_is_never_named():
    twice = (*RIG.cameras[:1], replace(RIG.cameras[0], name="again"))
    nothing = answer(seen=np.zeros(GRID.shape, np.bool_))
    assert AbsentCameras(replace(RIG, cameras=twice)).of(nothing) == ()


def test_what_the_node_says_is_read_task_by_task():
    ends = {"received": 9, "used": 7, "replaced": 1, "waiting": 1, "in_work": 0}
    message = diagnostics(
        rig=(DiagnosticStatus.OK, "calibrated", {"tables": 1, "maps": 7, "partial": 2}),
        camera_front=(DiagnosticStatus.WARN, "late", ends),
        processing=(DiagnosticStatus.OK, "10 Hz", {"inference_p50_ms": "12.50", "busy_s": "0"}),
    )
    said = told_by(message)
    plain = SimpleNamespace(status=[SimpleNamespace(**_fields(one)) for one in message.status])
    assert told_by(plain) == said  # as rosbags reads it: levels are numbers
    assert said["camera front"].level == 1
    found = ends_of(said, "front")
    assert {end: count for end, count in found.items() if count} == {
        "used": 7,
        "replaced": 1,
        "waiting": 1,
    }
    assert maps_of(said) == (7, 2)
    assert medians_ms(said) == {"inference": 12.5}
    assert sum(ends_of(said, "rear").values()) == 0 and maps_of({}) == (0, 0)


def _fields(status):
    """Return the fields of a status as rosbags has them."""
    fields = {name: getattr(status, name) for name in ("name", "message", "values")}
    return {**fields, "level": status.level[0]}


def test_a_rig_that_is_of_no_use_is_no_reason_to_wait():
    said = told_by(diagnostics(rig=(DiagnosticStatus.STALE, "inactive", {})))
    assert not is_calibrated(said) and not is_calibrated({})
    assert is_calibrated(told_by(diagnostics(rig=(DiagnosticStatus.OK, "", {"tables": 1}))))
    bad = told_by(diagnostics(rig=(DiagnosticStatus.ERROR, "camera left sees nothing", {})))
    with pytest.raises(RuntimeError, match="camera left sees nothing"):
        is_calibrated(bad)


def test_the_video_shows_what_was_said_last_before_the_next_map():
    gatherer = MomentGatherer(FILE)
    said = diagnostics(rig=(DiagnosticStatus.OK, "calibrated", {"maps": 1}))
    send(gatherer, SECOND, answer())
    assert gatherer.add(DIAGNOSTICS, SECOND, said) is None
    assert maps_of(gatherer.last().said) == (1, 0)


def test_each_loss_has_a_line():
    good = CameraSummary(9, 9, {"used": 9}, 0, 0)
    assert RigSummary(9, 0, 9, 0, {"front": good}).problems() == []
    assert RigSummary(0, 0, 0, 0, {"front": good}).problems() == ["no map came back"]
    bad = CameraSummary(9, 9, {"used": 6, "lost": 1}, 2, 0)
    first, second = RigSummary(9, 0, 9, 0, {"front": bad}).problems()
    assert first == "2 images of front are in none of the counts"
    assert second.startswith("1 images of front were lost")
