# SPDX-License-Identifier: Apache-2.0
"""nuScenes becomes labelled rigs: ego motion between exposures, half sizes, classes, visibility."""

import json
import re

import cv2
import numpy as np
import pytest
from rig_sets import KEY_FRAME, SIZE, camera, image
from rig_tables import matrix, tables, write_tables, yawed

from shared_encoder_perception.__main__ import main
from shared_encoder_perception.labels.adapters.nuscenes import kind_of, read
from shared_encoder_perception.labels.rigs.native import read_records, read_rigs
from shared_encoder_perception.tasks.label_files import LabelError

START = yawed(2.1, (1010.0, 612.0, 0.0)) @ matrix(cv2.Rodrigues(np.array([0.01, -0.02, 0.0]))[0])
KEY_US = 1_532_402_927_647_951
SPEED, TURN = 12.0, 0.4


def world_from_vehicle(time_us):
    """Where the vehicle is, which drives and turns."""
    seconds = (time_us - KEY_US) * 1e-6
    return START @ yawed(TURN * seconds, (SPEED * seconds, 0, 0))


def cameras(folder):
    found = {}
    for at, (channel, yaw, late_us) in enumerate(
        (("CAM_FRONT", 0, -35_000), ("CAM_BACK_LEFT", 110, -5_000), ("CAM_BACK", 180, 12_000))
    ):
        view = camera(channel, yaw).view
        file = f"samples/{channel}/a.png"
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(folder / file), image(at))
        found[channel] = {
            "vehicle_from_optical": matrix(view.extrinsics.rotation, view.extrinsics.position),
            "world_from_vehicle": world_from_vehicle(KEY_US + late_us),
            "k": view.camera.matrix,
            "size": SIZE,
            "file": file,
            "time_us": KEY_US + late_us,
        }
    return found


BOXES = [
    ("vehicle.car", yawed(0.3, (12.0, 2.0, 0.8)), (1.8, 4.2, 1.6), "4"),
    ("vehicle.bicycle", yawed(-2.0, (-4.0, 7.0, 0.7)), (0.6, 1.7, 1.4), "2"),
    ("human.pedestrian.adult", yawed(3.0, (-9.0, -1.0, 0.9)), (0.7, 0.6, 1.8), "1"),
    ("movable_object.trafficcone", yawed(0.0, (6.0, -1.0, 0.3)), (0.3, 0.3, 0.6), ""),
]


@pytest.fixture
def mini(tmp_path):
    folder = tmp_path / "nuscenes"
    found = tables(cameras(folder), BOXES, world_from_vehicle(KEY_US), KEY_US)
    return write_tables(folder, found)


def edit(folder, name, **changes):
    path = folder / f"v1.0-mini/{name}.json"
    rows = json.loads(path.read_text())
    rows[0] |= changes
    path.write_text(json.dumps(rows))


def test_boxes_are_in_the_vehicles_frame_at_the_key_frames_time(mini):
    (record,) = read(mini)
    assert record.rig.names == ("back", "back_left", "front")
    assert [box.kind for box in record.objects] == [
        "vehicle",
        "two_wheels",
        "person",
        "trafficcone",
    ]
    assert [box.visible for box in record.objects] == [0.9, 0.5, 0.2, None]
    for box, (_, place, (width, length, height), _) in zip(record.objects, BOXES, strict=True):
        assert (box.x_m, box.y_m, box.z_m) == pytest.approx(place[:3, 3], abs=1e-6)
        assert (box.length_m, box.width_m, box.height_m) == (length, width, height)
        assert np.cos(box.yaw_rad) == pytest.approx(place[0, 0], abs=1e-3)  # the world is tilted
        assert np.sin(box.yaw_rad) == pytest.approx(place[1, 0], abs=1e-3)


def test_each_camera_sees_the_world_from_where_it_was(mini):
    (record,) = read(mini)
    seen = 0
    for channel, one in cameras(mini).items():
        name = channel.removeprefix("CAM_").lower()
        assert record.stamps_s[name] == pytest.approx(one["time_us"] * 1e-6, abs=1e-6)
        optical_from_world = np.linalg.inv(one["world_from_vehicle"] @ one["vehicle_from_optical"])
        for box in record.objects:
            centre = np.array([box.x_m, box.y_m, box.z_m])
            x, y, z = (optical_from_world @ world_from_vehicle(KEY_US) @ (*centre, 1))[:3]
            pixel = record.rig[name].see(centre[None])[0]
            if np.isfinite(pixel).all():
                seen += 1
                assert pixel == pytest.approx((one["k"] @ (x / z, y / z, 1))[:2], abs=1e-6)
    assert seen >= 4


def test_without_the_motion_between_exposures_boxes_are_elsewhere(mini):
    (record,) = read(mini)
    view = cameras(mini)["CAM_FRONT"]
    still = view["vehicle_from_optical"]
    box = record.objects[3]
    centre = np.array([box.x_m, box.y_m, box.z_m])
    x, y, z = (np.linalg.inv(still) @ (*centre, 1))[:3]
    wrong = (view["k"] @ (x / z, y / z, 1))[:2]
    assert np.abs(record.rig["front"].see(centre[None])[0] - wrong).max() > 0.5


def test_without_a_lidar_the_nearest_sensor_tells_where_the_vehicle_is(mini, tmp_path):
    found = tables(cameras(mini), BOXES, world_from_vehicle(KEY_US), KEY_US, lidar=False)
    (record,) = read(write_tables(tmp_path / "other", found))
    # The camera of the left, 5 ms early: all else is said in the frame of that moment.
    moved = np.linalg.inv(world_from_vehicle(KEY_US - 5_000)) @ world_from_vehicle(KEY_US)
    box = record.objects[0]
    assert (box.x_m, box.y_m, box.z_m) == pytest.approx((moved @ BOXES[0][1])[:3, 3], abs=1e-6)
    left = record.rig["back_left"].view.extrinsics
    assert left.position == pytest.approx(camera("x", 110).view.position, abs=1e-6)


def test_no_annotations_is_that_nobody_looked(mini):
    (mini / "v1.0-mini/sample_annotation.json").unlink()
    (record,) = read(mini)
    assert record.objects is None
    assert record.label().in_view is None


@pytest.mark.parametrize(
    ("category", "kind"),
    [
        ("vehicle.bus.rigid", "vehicle"),
        ("vehicle.motorcycle", "two_wheels"),
        ("vehicle.emergency.police", "vehicle"),
        ("vehicle.of.a.kind.to.come", "vehicle"),
        ("human.pedestrian.child", "person"),
        ("movable_object.barrier", "barrier"),
        ("animal", "animal"),
    ],
)
def test_classes(category, kind):
    assert kind_of(category) == kind


def test_it_is_converted(mini, tmp_path, capsys):
    assert main(["dataset", "convert", "nuscenes", str(mini), "--out", str(tmp_path / "out")]) == 0
    (before,), (after,) = read(mini), read_records(tmp_path / "out")
    assert after.licence == "CC BY-NC-SA 4.0"
    assert after.objects == before.objects
    for name, path in after.pictures.items():
        assert path.read_bytes() == before.pictures[name].read_bytes()
        assert after.rig[name].view.extrinsics.position == pytest.approx(
            before.rig[name].view.extrinsics.position, abs=0
        )
    assert main(["dataset", "validate", str(tmp_path / "out")]) == 0
    assert "1 moments, 0 faulty" in capsys.readouterr().out


def fault_of(folder):
    try:
        (found,) = read(folder)
    except LabelError as error:
        return str(error)
    assert isinstance(found, LabelError)
    return str(found)


BAD = [
    ("sample_data", {"timestamp": 10**400}, "timestamp"),
    ("sample_data", {"ego_pose_token": "gone"}, "names 'gone', which the table ego_pose does not"),
    ("sample_data", {"filename": "../../etc/passwd"}, "camera front, filename .*leaves the folder"),
    ("sample_data", {"height": 0}, "camera front: "),
    ("calibrated_sensor", {"sensor_token": "x"}, "names 'x', which the table sensor does not have"),
    ("calibrated_sensor", {"camera_intrinsic": []}, "camera front: k has 0 numbers, expected 9"),
    ("calibrated_sensor", {"rotation": [0, 0, 0, 0]}, "camera front: .*quaternion"),
    ("calibrated_sensor", {"translation": [1e300, 0, 0]}, "camera front: translation"),
    ("calibrated_sensor", {"translation": [1500, 0, 0]}, "camera front: .*expected metres"),
    ("ego_pose", {"rotation": [float("nan")] * 4}, "a row of ego_pose, rotation.*finite"),
    ("sample_annotation", {"size": [0, 1, 1]}, "sides above 0"),
    ("sample_annotation", {"translation": [1e300, 0, 0]}, "translation is"),
    ("instance", {"category_token": "x"}, "names 'x', which the table category does not have"),
    ("sample", {"token": "other"}, "no sample_data that are key frames"),
    ("sensor", {"modality": 7}, "a row of sensor, modality is 7, expected text"),
]


@pytest.mark.parametrize(("table", "changes", "message"), BAD, ids=[f"{t}-{m}" for t, _, m in BAD])
def test_a_bad_row_is_one_clear_line(mini, tmp_path, capsys, table, changes, message):
    edit(mini, table, **changes)
    assert re.search(message, fault_of(mini))
    out = tmp_path / "out"
    assert main(["dataset", "convert", "nuscenes", str(mini), "--out", str(out)]) == 2
    assert "Traceback" not in capsys.readouterr().err
    assert not (out / "rigs.jsonl").exists()


@pytest.mark.parametrize("name", ["sensor", "ego_pose", "instance", "sample"])
def test_a_missing_table_is_named(mini, name):
    (mini / f"v1.0-mini/{name}.json").unlink()
    match = "v1.0" if name == "sample" else f"{name}.json: the table is missing"
    with pytest.raises(LabelError, match=match):
        list(read(mini))


def test_a_missing_picture_leaves_out_its_moment(mini, tmp_path, capsys):
    (mini / "samples/CAM_BACK/a.png").unlink()
    assert main(["dataset", "convert", "nuscenes", str(mini), "--out", str(tmp_path / "out")]) == 2
    assert "camera back: cannot read the picture" in capsys.readouterr().err


def key_frame(folder):
    """Return the tables of the real key frame, out of the flattened ``rig.json``."""
    rig = json.loads((KEY_FRAME / "rig.json").read_text())
    found, ego_from_lidar = {}, np.array(rig["ego_from_lidar"])
    for channel, one in rig["cameras"].items():
        own = np.array(one["ego_from_optical"])
        with_motion = ego_from_lidar @ np.linalg.inv(one["optical_from_lidar_with_ego_motion"])
        (folder / "samples" / channel).mkdir(parents=True)
        file = f"samples/{channel}/{one['image']}"
        (folder / file).write_bytes((KEY_FRAME / one["image"]).read_bytes())
        found[channel] = {
            "vehicle_from_optical": own,
            "world_from_vehicle": START @ with_motion @ np.linalg.inv(own),
            "k": one["k"],
            "size": one["size"],
            "file": file,
            "time_us": round(one["timestamp_s"] * 1e6),
        }
    names = {"pedestrian": "human.pedestrian.adult", "barrier": "movable_object.barrier"}
    names["traffic_cone"] = "movable_object.trafficcone"
    boxes = [
        (
            names.get(box["class"], f"vehicle.{box['class']}"),
            yawed(box["yaw_rad"], box["centre_m"]),  # of the whole box: people fit into theirs
            (box["width_m"], box["length_m"], box["height_m"]),
            "4",
        )
        for box in rig["boxes"]
    ]
    return rig, tables(found, boxes, START, round(rig["timestamp_s"] * 1e6))


@pytest.mark.skipif(not KEY_FRAME.exists(), reason=f"needs the key frame in {KEY_FRAME}")
def test_the_real_key_frame_projects_where_its_authors_say(tmp_path):
    rig, found = key_frame(tmp_path / "nuscenes")
    write_tables(tmp_path / "nuscenes", found)
    out = tmp_path / "out"
    args = ["dataset", "convert", "nuscenes", str(tmp_path / "nuscenes"), "--out", str(out)]
    assert main(args) == 0
    (frame,) = read_rigs(out)
    centres = np.array([[b.x_m, b.y_m, b.z_m] for b in frame.label.objects])
    count, worst = 0, 0.0
    for channel, one in rig["cameras"].items():
        camera = frame.rig[channel.removeprefix("CAM_").lower()]
        pose = camera.view.extrinsics
        seen = camera.view.camera.pixels((centres - pose.position) @ pose.rotation)
        for _, u, v, _ in one["centres_px"]:
            count += 1
            worst = max(worst, np.nanmin(np.abs(seen - (u, v)).max(axis=1)))
    assert count == 84
    assert worst < 0.05
