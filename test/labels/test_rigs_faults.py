# SPDX-License-Identifier: Apache-2.0
"""What the validator finds in a set of rigs, and what it only tells."""

import json

import cv2
import numpy as np
import pytest
from rig_sets import camera, frame, image, line, thing, write_lines

from shared_encoder_perception.__main__ import main
from shared_encoder_perception.labels.rigs.faults import RigCheck
from shared_encoder_perception.labels.rigs.lines import parse_line
from shared_encoder_perception.labels.rigs.projected import box_px, overlap
from shared_encoder_perception.labels.rigs.record import record_of
from shared_encoder_perception.labels.rigs.writer import RigWriter, encoded

AROUND = [
    {"x": 9.0, "y": 2.0, "yaw": 0.2},
    {"x": 14.0, "y": -4.0, "yaw": 1.2},
    {"x": 7.0, "y": -1.5, "yaw": -0.3},
    {"x": 18.0, "y": 6.0, "yaw": 0.0},
    {"x": -9.0, "y": 2.5, "yaw": 0.4},
    {"x": -12.0, "y": -5.0, "yaw": 2.0},
    {"x": -16.0, "y": 7.0, "yaw": 3.0},
]


def pose(yaw_deg, pitch_deg=10.0):
    placed = np.eye(4)
    found = camera("x", yaw_deg, pitch_deg=pitch_deg).view.extrinsics
    placed[:3, :3], placed[:3, 3] = found.rotation, found.position
    return placed.tolist()


def drawn(folder, changes=AROUND, yaws=(0.0, 180.0)):
    """Return a line whose boxes in pictures are where its objects are."""
    raw = line(folder, objects=[thing(**one) for one in changes])
    for name, yaw in zip(raw["cameras"], yaws, strict=True):
        raw["cameras"][name]["vehicle_from_optical"] = pose(yaw)
    record = parse_line(json.dumps(raw), folder / "rigs.jsonl", 1)
    for box, one in zip(record.objects, raw["objects"], strict=True):
        seen = {c.name: box_px(c, box) for c in record.rig.cameras}
        one["boxes_px"] = {name: list(corners) for name, corners in seen.items() if corners}
        assert one["boxes_px"]
    return raw


def found(folder, **how):
    check = RigCheck(folder, **how)
    faults = [text for _, texts in check.lines() for text in texts]
    return faults, list(check.notes())


def test_a_good_set_has_no_fault(tmp_path):
    with RigWriter(tmp_path) as writer:
        for number in range(2):
            one = frame(number)
            pictures = {name: encoded(picture) for name, picture in one.images.items()}
            writer.write(record_of(one), pictures)
    assert found(tmp_path) == ([], [])


@pytest.mark.parametrize("turn", [np.flipud, np.fliplr, np.ascontiguousarray])
def test_a_map_of_what_is_in_view_that_tells_of_cells_in_no_picture_is_found(tmp_path, turn):
    one = frame()
    with RigWriter(tmp_path) as writer:
        pictures = {name: encoded(picture) for name, picture in one.images.items()}
        writer.write(record_of(one), pictures)
    path = tmp_path / "in_view/images/000000.png"
    values = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    cv2.imwrite(str(path), turn(values))
    faults, _ = found(tmp_path)
    is_turned = turn is not np.ascontiguousarray
    assert ["in_view tells of cells of which" in text for text in faults] == [True] * is_turned


def test_a_map_of_what_is_in_view_that_is_missing_is_found(tmp_path):
    grid = {"x_min_m": 0, "y_min_m": 0, "cells_x": 4, "cells_y": 4, "cell_m": 0.5}
    raw = line(tmp_path, in_view={"file": "none.png", "grid": grid})
    faults, _ = found(write_lines(tmp_path, raw))
    assert len(faults) == 1 and "none.png: cannot read the map of the ground" in faults[0]


def test_boxes_in_pictures_that_fit_are_no_fault(tmp_path):
    assert found(write_lines(tmp_path, drawn(tmp_path))) == ([], [])


def test_mirrored_objects_are_found(tmp_path):
    raw = drawn(tmp_path)
    for one in raw["objects"]:
        one |= {"y": -one["y"], "yaw": -one["yaw"]}
    faults, _ = found(write_lines(tmp_path, raw))
    mirrored = [text for text in faults if "mirrored left to right" in text]
    assert len(mirrored) == 2
    assert all("camera front: " in text or "camera rear: " in text for text in mirrored)


def test_a_mirrored_rig_is_found(tmp_path):
    """Yaws of the other sign: a camera ahead cannot tell, one to the side does."""
    aside = [{"x": x, "y": y} for y in (8.0, -7.0) for x in (-3.0, 0.5, 2.0)]
    yaws = (80.0, -100.0)
    raw = drawn(tmp_path, aside, yaws)
    assert found(write_lines(tmp_path, raw)) == ([], [])
    for name, yaw in zip(raw["cameras"], yaws, strict=True):
        raw["cameras"][name]["vehicle_from_optical"] = pose(-yaw)
    faults, _ = found(write_lines(tmp_path, raw))
    assert len(faults) == 2
    assert all("boxes in its picture do not touch the objects" in text for text in faults)


def test_a_rig_that_is_turned_round_is_found(tmp_path):
    raw = drawn(tmp_path)
    cameras = raw["cameras"]
    front, rear = cameras["front"], cameras["rear"]
    front["vehicle_from_optical"], rear["vehicle_from_optical"] = (
        rear["vehicle_from_optical"],
        front["vehicle_from_optical"],
    )
    faults, _ = found(write_lines(tmp_path, raw))
    assert any("camera front: 4 of 4 boxes in its picture do not touch" in text for text in faults)
    assert any("camera rear: 3 of 3 boxes" in text for text in faults)


@pytest.mark.parametrize(
    ("pitch_deg", "message"), [(-60.0, "camera front sees only the sky"), (89.0, "only the ground")]
)
def test_a_camera_that_looks_into_the_sky_or_the_ground_is_named(tmp_path, pitch_deg, message):
    raw = line(tmp_path, objects=[])
    raw["cameras"]["front"]["vehicle_from_optical"] = pose(0.0, pitch_deg)
    faults, _ = found(write_lines(tmp_path, raw, raw), pictures=False)
    assert sum(message in text for text in faults) == 1  # once for a rig, not for each line


def test_objects_in_no_picture_are_counted(tmp_path):
    aside = [{"x": 0.0, "y": y} for y in (20.0, -20.0, 25.0)]
    things = [thing(**one) for one in (*AROUND[:2], *aside)]
    things[-1]["visible"] = 0
    things.append(thing(x=1.0, y=-30.0, visible=0))
    faults, notes = found(write_lines(tmp_path, line(tmp_path, objects=things)))
    assert faults == []
    assert notes == [
        "objects in no picture, not said to be hidden: 2",
        "objects that no camera sees: 2",
    ]


def test_objects_of_which_none_is_in_a_picture_are_a_fault(tmp_path):
    things = [thing(x=0.0, y=y) for y in (20.0, -20.0)]
    faults, _ = found(write_lines(tmp_path, line(tmp_path, objects=things)))
    assert len(faults) == 1
    assert "all 2 objects are in no picture of front, rear" in faults[0]


@pytest.mark.parametrize(("apart_s", "count"), [(0.09, 0), (0.11, 1), (30.0, 1)])
def test_stamps_apart_are_a_fault(tmp_path, apart_s, count):
    raw = line(tmp_path)
    raw["cameras"]["rear"]["stamp_s"] = raw["cameras"]["front"]["stamp_s"] + apart_s
    faults, _ = found(write_lines(tmp_path, raw))
    assert len(faults) == count
    assert all("between front and rear" in text for text in faults)


def test_another_calibration_of_the_same_cameras_is_told(tmp_path):
    one, other = line(tmp_path), line(tmp_path)
    other["cameras"]["front"]["k"][0][0] *= 1.01
    for at, raw in enumerate((one, other)):
        for name in raw["cameras"]:
            raw["cameras"][name]["image"] = f"{name}{at}.png"
            cv2.imwrite(str(tmp_path / f"{name}{at}.png"), image(at))
    faults, notes = found(write_lines(tmp_path, one, other))
    assert faults == []
    assert notes == ["2 calibrations of the cameras front, rear"]


def test_duplicates_are_named(tmp_path):
    one = line(tmp_path, name="a")
    faults, _ = found(write_lines(tmp_path, one, one))
    assert faults == [
        "the name 'a' is also in line 1",
        "camera front: its picture 'front.png' is also in line 1",
        "camera rear: its picture 'rear.png' is also in line 1",
    ]
    one["cameras"]["rear"]["image"] = "front.png"
    faults, _ = found(write_lines(tmp_path, one))
    assert faults == ["camera rear: its picture 'front.png' is also of another camera"]


def test_pictures_are_looked_at(tmp_path):
    write_lines(tmp_path, line(tmp_path, drivable={"file": "m.png", "grid": GRID}))
    (tmp_path / "front.png").unlink()
    cv2.imwrite(str(tmp_path / "rear.png"), image(0)[:, :50])
    faults, _ = found(tmp_path)
    assert len(faults) == 3
    assert "camera front: " in faults[0]
    assert "camera rear: " in faults[1]
    assert "is 50x60, size says 100x60" in faults[1]
    assert "m.png: cannot read the map of the ground" in faults[2]
    assert found(tmp_path, pictures=False) == ([], [])


GRID = {"x_min_m": 0, "y_min_m": 0, "cells_x": 4, "cells_y": 4, "cell_m": 0.5}


def test_the_command_says_file_and_line_and_fails(tmp_path, capsys):
    write_lines(tmp_path, line(tmp_path), "{}", line(tmp_path, name="x"))
    assert main(["dataset", "validate", str(tmp_path)]) == 1
    text = capsys.readouterr()
    assert "rigs.jsonl, line 2: cameras is None" in text.out + text.err
    assert "3 moments, 2 faulty" in text.out
    write_lines(tmp_path, line(tmp_path))
    assert main(["dataset", "validate", str(tmp_path / "rigs.jsonl")]) == 0
    write_lines(tmp_path)
    assert main(["dataset", "validate", str(tmp_path)]) == 1


def test_overlap_is_that_of_areas():
    assert overlap((0, 0, 2, 2), (1, 1, 3, 3)) == pytest.approx(1 / 7)
    assert overlap((0, 0, 2, 2), (2, 0, 3, 2)) == 0
    assert overlap((0, 0, 2, 2), (0, 0, 2, 2)) == 1
