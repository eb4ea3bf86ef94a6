# SPDX-License-Identifier: Apache-2.0
"""Recordings in CARLA become labelled rigs."""

import json

import cv2
import numpy as np
import pytest
from rig_sets import image

from shared_encoder_perception.__main__ import main
from shared_encoder_perception.labels.adapters.carla_rig import kind_of, read
from shared_encoder_perception.labels.rigs.native import read_rigs
from shared_encoder_perception.tasks.label_files import LabelError

SIZE = (60, 100)
FOV = 90.0
SENSORS = {
    "front": ((1.5, 0.0, 1.6), (-8.0, 0.0, 0.0)),
    "right": ((0.2, 0.9, 1.2), (-12.0, 70.0, 3.0)),
    "rear_left": ((-1.0, -0.8, 1.3), (-10.0, -150.0, 0.0)),
}
EGO = ((120.0, -45.0, 0.3), (2.0, -130.0, -1.0))
ACTORS = [
    # type, place in the vehicle's frame of CARLA, yaw against the vehicle's, half sizes, wheels
    ("vehicle.tesla.model3", (14.0, 3.0, 0.0), 20.0, (2.4, 1.1, 0.75), 4),
    ("vehicle.yamaha.yzf", (2.0, 9.0, 0.0), -70.0, (1.1, 0.4, 0.7), 0),
    ("walker.pedestrian.0012", (-9.0, -4.0, 0.9), 100.0, (0.2, 0.2, 0.9), 0),
]


def left_handed(location, angles):
    """``carla.Transform.get_matrix``, as documented."""
    (cp, cy, cr), (sp, sy, sr) = np.cos(np.deg2rad(angles)), np.sin(np.deg2rad(angles))
    return np.array(
        [
            [cp * cy, cy * sp * sr - sy * cr, -cy * sp * cr - sy * sr, location[0]],
            [cp * sy, sy * sp * sr + cy * cr, -sy * sp * cr + cy * sr, location[1]],
            [sp, -cp * sr, cp * cr, location[2]],
            [0, 0, 0, 1],
        ]
    )


def transform(matrix):
    """Return a ``carla.Transform`` as JSON, out of its left-handed matrix."""
    pitch = np.arcsin(matrix[2, 0])
    yaw, roll = np.arctan2(matrix[1, 0], matrix[0, 0]), np.arctan2(-matrix[2, 1], matrix[2, 2])
    angles = np.rad2deg((pitch, yaw, roll)).tolist()
    return {
        "location": dict(zip("xyz", matrix[:3, 3].tolist(), strict=True)),
        "rotation": dict(zip(("pitch", "yaw", "roll"), angles, strict=True)),
    }


def moment(folder, number=0):
    """Write a moment; return its JSON."""
    ego = left_handed(*EGO)
    sensors = {}
    for at, (name, place) in enumerate(SENSORS.items()):
        file = f"{name}/{number:06d}.png"
        (folder / name).mkdir(parents=True, exist_ok=True)
        bgra = np.dstack([image(at + 10 * number), np.full(SIZE, 255, np.uint8)])
        cv2.imwrite(str(folder / file), bgra)
        sensors[name] = {
            "image": file,
            "width": SIZE[1],
            "height": SIZE[0],
            "fov": FOV,
            "transform": transform(ego @ left_handed(*place)),
        }
    actors = [
        {
            "id": 7 + at,
            "type": kind,
            "transform": transform(ego @ left_handed(place, (0.0, yaw, 0.0))),
            "bounding_box": {
                "location": {"x": 0.1, "y": -0.05, "z": half[2]},
                "extent": dict(zip("xyz", half, strict=True)),
            },
            **({"wheels": wheels} if wheels else {}),
        }
        for at, (kind, place, yaw, half, wheels) in enumerate(ACTORS)
    ]
    own = {**actors[0], "id": 3, "transform": transform(ego)}
    raw = {
        "timestamp": 12.5 + number,
        "ego": {"id": 3, "transform": transform(ego)},
        "sensors": sensors,
        "actors": [*actors, own],
    }
    (folder / "frames").mkdir(exist_ok=True)
    (folder / f"frames/{number:06d}.json").write_text(json.dumps(raw))
    return raw


def projected(raw, name, point):
    """Return where CARLA's own formulas see a point of its world, in our pixels."""
    place = raw["sensors"][name]["transform"]
    angles = tuple(place["rotation"][key] for key in ("pitch", "yaw", "roll"))
    matrix = left_handed(tuple(place["location"].values()), angles)
    x, y, z, _ = np.linalg.inv(matrix) @ (*point, 1)
    focal = SIZE[1] / 2 / np.tan(np.deg2rad(FOV) / 2)
    if x <= 0:
        return None
    return np.array([SIZE[1] / 2 + focal * y / x, SIZE[0] / 2 - focal * z / x]) - 0.5


def test_boxes_are_seen_where_carla_sees_them(tmp_path):
    raw = moment(tmp_path)
    (record,) = read(tmp_path)
    assert record.rig.names == tuple(SENSORS)
    assert [box.kind for box in record.objects] == ["vehicle", "two_wheels", "person"]  # not itself
    seen = set()
    for box, actor in zip(record.objects, raw["actors"], strict=False):
        place, drawn = actor["transform"], actor["bounding_box"]
        angles = tuple(place["rotation"][key] for key in ("pitch", "yaw", "roll"))
        matrix = left_handed(tuple(place["location"].values()), angles)
        centre = (matrix @ (*drawn["location"].values(), 1))[:3]
        for name in record.rig.names:
            ours = record.rig[name].see(np.array([[box.x_m, box.y_m, box.z_m]]))[0]
            theirs = projected(raw, name, centre)
            if np.isfinite(ours).all():
                seen.add((name, box.kind))
                assert ours == pytest.approx(theirs, abs=1e-6)
            else:
                assert theirs is None or not ((theirs > 0) & (theirs < SIZE[::-1])).all()
        assert (box.length_m, box.width_m, box.height_m) == pytest.approx(
            tuple(2 * half for half in drawn["extent"].values())
        )
    assert seen == {("front", "vehicle"), ("right", "two_wheels"), ("rear_left", "person")}


def test_what_is_to_the_right_in_carla_has_a_negative_y(tmp_path):
    moment(tmp_path)
    (record,) = read(tmp_path)
    for box, (_, place, yaw_deg, _, _) in zip(record.objects, ACTORS, strict=True):
        assert (box.x_m, -box.y_m) == pytest.approx(place[:2], abs=0.15)
        assert np.rad2deg(box.yaw_rad) == pytest.approx(-yaw_deg, abs=0.1)


def test_it_is_converted(tmp_path, capsys):
    for number in range(2):
        moment(tmp_path / "recording", number)
    source, out = str(tmp_path / "recording"), str(tmp_path / "out")
    assert main(["dataset", "convert", "carla", source, "--out", out]) == 0
    frames = list(read_rigs(tmp_path / "out"))
    assert [one.name for one in frames] == ["000000", "000001"]
    assert [dict(one.stamps_s) for one in frames] == [
        dict.fromkeys(SENSORS, t) for t in (12.5, 13.5)
    ]
    for number, one in enumerate(frames):
        for at, name in enumerate(SENSORS):
            assert np.array_equal(one.images[name], image(at + 10 * number))
    assert main(["dataset", "validate", out]) == 0


def test_without_actors_nobody_looked(tmp_path):
    raw = moment(tmp_path)
    del raw["actors"]
    (tmp_path / "frames/000000.json").write_text(json.dumps(raw))
    (record,) = read(tmp_path)
    assert record.objects is None
    assert record.label().in_view is None


@pytest.mark.parametrize(
    ("type_id", "wheels", "kind"),
    [
        ("vehicle.gazelle.omafiets", 0, "two_wheels"),
        ("vehicle.gazelle.omafiets", 4, "vehicle"),
        ("vehicle.brand.new", 2, "two_wheels"),
        ("vehicle.brand.new", 0, "vehicle"),
        ("walker.pedestrian.0001", 0, "person"),
        ("static.prop.streetbarrier", 0, "static.prop.streetbarrier"),
    ],
)
def test_classes(type_id, wheels, kind):
    assert kind_of(type_id, wheels) == kind


def put(raw, path, value):
    for key in path[:-1]:
        raw = raw[key]
    raw[path[-1]] = value


FRONT = ("sensors", "front")
BAD = [
    ((*FRONT, "fov"), 200, "camera front: fov is 200"),
    ((*FRONT, "width"), 0, "camera front: width, height are"),
    ((*FRONT, "image"), "../x.png", "camera front, image is .*leaves the folder"),
    (
        (*FRONT, "transform", "location", "x"),
        -200.0,
        "camera front: .*expected metres in the vehicle",
    ),
    ((*FRONT, "transform", "location", "x"), float("nan"), "camera front, .*a finite number"),
    ((*FRONT, "transform", "location", "x"), 1e300, "camera front: a place is"),
    ((*FRONT, "transform", "rotation", "yaw"), 9e9, "camera front: pitch, yaw, roll are"),
    ((*FRONT, "fovv"), 1, "camera front has the unknown key 'fovv'; did you mean 'fov'"),
    (("sensors",), {}, "sensors is {}, expected an object of at least one camera"),
    (("sensors", "a\nb"), {}, "the name of a camera is"),
    (("ego", "transform"), 1, "ego, transform is 1"),
    (("timestamp",), None, "the file, timestamp is None"),
    (("actors", 0, "bounding_box", "extent", "y"), 0, "actor 0: .*sides above 0"),
    (("actors", 1, "type"), "", "actor 1: type is ''"),
    (("actors",), {}, "actors is {}, expected a list"),
    (("actor",), {}, "unknown key 'actor'; did you mean 'actors'"),
]


@pytest.mark.parametrize(("path", "value", "message"), BAD, ids=[m[:40] for _, _, m in BAD])
def test_a_bad_file_is_one_clear_line_and_the_others_go_on(tmp_path, path, value, message):
    raw = moment(tmp_path, 0)
    moment(tmp_path, 1)
    put(raw, path, value)
    (tmp_path / "frames/000000.json").write_text(json.dumps(raw))
    fault, good = read(tmp_path)
    assert good.name == "000001"
    assert isinstance(fault, LabelError)
    with pytest.raises(LabelError, match=rf"^{tmp_path}/frames/000000\.json: {message}"):
        raise fault
    assert "\n" not in str(fault)


def test_a_folder_without_a_recording_says_what_is_expected(tmp_path):
    with pytest.raises(LabelError, match=r"expected frames/\*\.json, see docs/rigs_format\.md"):
        list(read(tmp_path))
