# SPDX-License-Identifier: Apache-2.0
"""Labelled rigs: what is written is what is read, in any order, also after a killed run."""

import json

import cv2
import numpy as np
import pytest
from rig_sets import SIZE, camera, frame, image, line, thing, write_lines

from shared_encoder_perception.ground.camera import CameraModel
from shared_encoder_perception.ground.extrinsics import Extrinsics
from shared_encoder_perception.ground.view import CameraView
from shared_encoder_perception.labels.rigs.cameras import camera_line, parse_camera
from shared_encoder_perception.labels.rigs.native import RigSet, is_rig_set, read_records, read_rigs
from shared_encoder_perception.labels.rigs.record import record_of
from shared_encoder_perception.labels.rigs.writer import JPG, PNG, RigWriter, encoded
from shared_encoder_perception.rig.grid import BevGrid
from shared_encoder_perception.rig.ground_map import NO, NOT_KNOWN, YES
from shared_encoder_perception.rig.rig import RigCamera


def save(folder, frames, suffix=PNG, **how):
    with RigWriter(folder, **how) as writer:
        for one in frames:
            writer.write(record_of(one, "test"), pngs(one, suffix))
    return folder


def pngs(one, suffix=PNG):
    return {name: encoded(picture, suffix) for name, picture in one.images.items()}


def write_negatives(folder):
    one = frame()
    with RigWriter(folder) as writer:
        pictures = {name: encoded(255 - picture, PNG) for name, picture in one.images.items()}
        writer.write(record_of(one, "test"), pictures)


def test_what_is_written_is_what_is_read(tmp_path):
    frames = [frame(number) for number in range(3)]
    save(tmp_path / "set", frames)
    assert is_rig_set(tmp_path / "set")
    for before, after in zip(frames, read_rigs(tmp_path / "set"), strict=True):
        assert after.name == before.name
        assert after.rig.names == before.rig.names
        assert dict(after.stamps_s) == dict(before.stamps_s)
        assert after.label.objects == before.label.objects
        assert after.label.drivable.grid == before.label.drivable.grid
        assert np.array_equal(after.label.drivable.values, before.label.drivable.values)
        assert after.label.in_view.grid == before.label.in_view.grid
        assert np.array_equal(after.label.in_view.values, before.label.in_view.values)
        for name in before.rig.names:
            assert np.array_equal(after.images[name], before.images[name])
            one, other = before.rig[name], after.rig[name]
            assert other.crop == one.crop
            assert (other.own is None) == (one.own is None)
            assert one.own is None or np.array_equal(other.own, one.own)
            assert np.array_equal(other.view.camera.distortion, one.view.camera.distortion)
            assert np.array_equal(other.view.camera.matrix, one.view.camera.matrix)
            assert np.array_equal(other.view.extrinsics.rotation, one.view.extrinsics.rotation)


def test_the_first_row_of_a_map_is_that_of_the_lowest_y(tmp_path):
    one = frame()
    save(tmp_path, [one])
    stored = cv2.imread(str(tmp_path / "drivable/test/000000.png"), cv2.IMREAD_UNCHANGED)
    assert np.array_equal(stored, one.label.drivable.values)
    raw = json.loads((tmp_path / "rigs.jsonl").read_text())
    assert raw["drivable"]["grid"] == {
        "x_min_m": -10.0,
        "y_min_m": -8.0,
        "cells_x": 40,
        "cells_y": 32,
        "cell_m": 0.5,
    }


def test_any_line_is_read_at_any_time(tmp_path):
    records = RigSet(save(tmp_path, [frame(number) for number in range(5)]))
    assert len(records) == 5
    assert [records[at].name for at in (4, 0, -2)] == ["000004", "000000", "000003"]
    assert [one.name for one in records[1:3]] == ["000001", "000002"]
    assert records[3].where.endswith("rigs.jsonl, line 4")
    with pytest.raises(IndexError):
        records[5]


def test_pictures_are_read_when_they_are_asked_for(tmp_path):
    save(tmp_path, [frame()])
    (record,) = read_records(tmp_path)
    record.pictures["left"].unlink()
    assert np.array_equal(record.picture("front"), image(0))
    with pytest.raises(ValueError, match=r"rigs\.jsonl, line 1: camera left: .*missing"):
        record.frame()


def test_a_camera_without_a_picture_is_left_out_of_the_frame(tmp_path):
    raw = line(tmp_path)
    del raw["cameras"]["rear"]["image"], raw["cameras"]["rear"]["stamp_s"]
    (found,) = read_rigs(write_lines(tmp_path, raw))
    assert found.rig.names == ("front", "rear")
    assert set(found.images) == set(found.stamps_s) == {"front"}


def test_nobody_looked_is_not_that_nothing_is_there(tmp_path):
    looked, not_looked = line(tmp_path, objects=[]), line(tmp_path)
    del not_looked["objects"]
    there, unknown = read_rigs(write_lines(tmp_path, looked, not_looked))
    assert there.label.objects == ()
    assert unknown.label.objects is None
    assert there.label.drivable is None
    assert there.label.in_view is None


def test_polygons_become_a_map_and_what_is_unknown_is_not_known(tmp_path):
    road = [[0, -4], [20, -4], [20, 4], [0, 4]]
    drivable = {"polygons": [road], "unknown": [[[10, 0], [12, 0], [12, 2], [10, 2]]]}
    wide = {**drivable, "extent": [-5, -10, 25, 10]}
    near, far = (
        one.label.drivable
        for one in read_rigs(
            write_lines(tmp_path, line(tmp_path, drivable=drivable), line(tmp_path, drivable=wide))
        )
    )
    grid = BevGrid(-10.0, -10.0, 40, 20, 1.0)
    x, y = np.moveaxis(grid.centres(), -1, 0)
    on_road = (x > 0) & (x < 20) & (np.abs(y) < 4)
    doubtful = (x > 10) & (x < 12) & (y > 0) & (y < 2)
    expected = np.where(doubtful, NOT_KNOWN, np.where(on_road, YES, NOT_KNOWN))
    assert np.array_equal(near.onto(grid).values, expected)
    spoken_of = (x > -5) & (x < 25)
    expected = np.where(doubtful, NOT_KNOWN, np.where(on_road, YES, NO))
    assert np.array_equal(far.onto(grid).values, np.where(spoken_of, expected, NOT_KNOWN))


def test_what_is_unknown_may_reach_out_of_the_extent_or_lie_outside(tmp_path):
    unknown = [[[4, -20], [9, -20], [9, 20], [4, 20]], [[30, 0], [31, 0], [31, 1]]]
    drivable = {"polygons": [], "unknown": unknown, "extent": [0, -5, 10, 5]}
    (one,) = read_rigs(write_lines(tmp_path, line(tmp_path, drivable=drivable)))
    grid = BevGrid(0.0, -5.0, 10, 10, 1.0)
    x = grid.centres()[..., 0]
    expected = np.where((x > 4) & (x < 9), NOT_KNOWN, NO)
    assert np.array_equal(one.label.drivable.onto(grid).values, expected)


def test_binning_and_rectification_are_worked_into_matrix_and_pose(tmp_path):
    turn = camera("x", 3.0, pitch_deg=2.0).view.extrinsics.rotation
    turn = turn @ camera("x", 0.0, pitch_deg=0.0).view.extrinsics.rotation.T
    matrix = np.array([[200.0, 0, 101.3], [0, 201.0, 61.2], [0, 0, 1]])
    bend = np.array([-0.1, 0.02, 0.001, 0.002, 0.0])
    lens = CameraModel(SIZE, matrix, bend, False, turn, (2, 2), (4.5, 3.5))
    one = RigCamera("a", CameraView(lens, Extrinsics.from_angles((1, 2, 1.5), 0.1, 0.2, 2.0)))
    again = parse_camera("a", json.loads(json.dumps(camera_line(one))), tmp_path).camera
    pixels = np.array([[0.0, 0.0], [50.5, 20.25], [99.0, 59.0]])
    assert again.view.rays(pixels) == pytest.approx(one.view.rays(pixels), abs=1e-6)
    points = one.view.rays(pixels) * 7 + one.view.position
    assert again.see(points) == pytest.approx(pixels, abs=1e-3)


@pytest.mark.parametrize("suffix", [PNG, JPG])
def test_pictures_are_files_of_the_kind_that_was_asked_for(tmp_path, suffix):
    save(tmp_path, [frame()], suffix)
    (record,) = read_records(tmp_path)
    assert record.pictures["left"].relative_to(tmp_path).as_posix() == (
        f"images/test/left/000000{suffix}"
    )


def test_a_broken_run_is_gone_on_with(tmp_path):
    frames = [frame(number) for number in range(4)]
    whole = save(tmp_path / "whole", frames)

    def killed():
        yield from frames[:2]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        save(tmp_path / "set", killed())
    part = tmp_path / "set/rigs.jsonl.part"
    part.write_text(part.read_text() + '{"name": "000002", "cam')  # cut off
    cut = tmp_path / "set/images/test/front/000002.png"
    cut.write_bytes(b"half a picture")
    with RigWriter(tmp_path / "set", resume=True) as writer:
        assert writer.done == {"000000", "000001"}
        for one in frames[2:]:
            writer.write(record_of(one, "test"), pngs(one))
    assert (tmp_path / "set/rigs.jsonl").read_bytes() == (whole / "rigs.jsonl").read_bytes()
    for path in whole.rglob("*.png"):
        assert (tmp_path / "set" / path.relative_to(whole)).read_bytes() == path.read_bytes()


def test_nothing_is_overwritten(tmp_path):
    save(tmp_path, [frame()])
    with pytest.raises(FileExistsError, match="exists already"):
        save(tmp_path, [frame()])
    (tmp_path / "rigs.jsonl").unlink()
    with pytest.raises(FileExistsError, match="holds something else"):
        write_negatives(tmp_path)
    (tmp_path / "single").mkdir()
    (tmp_path / "single/frames.jsonl").touch()
    with pytest.raises(FileExistsError, match=r"frames\.jsonl exists already"):
        save(tmp_path / "single", [frame()])
    with pytest.raises(FileExistsError, match="is in line 1 already"):
        save(tmp_path / "twice", [frame(), frame()])


@pytest.mark.parametrize("name", ["../x", "/x", "a\\..\\b"])
def test_a_name_that_leaves_the_folder_is_refused(tmp_path, name):
    one = frame()
    object.__setattr__(one, "name", name)
    with pytest.raises(ValueError, match="leaves the folder"):
        save(tmp_path / "set", [one])
    assert [path.name for path in tmp_path.iterdir()] == ["set"]


def test_a_camera_whose_name_is_no_folder_gets_another(tmp_path):
    raw = line(tmp_path)
    raw["cameras"] = {"../up": raw["cameras"]["front"], "a/b": raw["cameras"]["rear"]}
    (record,) = read_records(write_lines(tmp_path, raw))
    with RigWriter(tmp_path / "out") as writer:
        writer.write(record)
    (again,) = read_records(tmp_path / "out")
    assert [path.parent.name for path in again.pictures.values()] == ["camera_0", "camera_1"]
    assert again.rig.names == ("../up", "a/b")
    assert again.objects == record.objects


def test_boxes_in_pictures_are_kept(tmp_path):
    drawn = {"front": [40.5, 20, 60, 35]}
    write_lines(tmp_path, line(tmp_path, objects=[thing(boxes_px=drawn), thing(x=20.0)]))
    (record,) = read_records(tmp_path)
    with RigWriter(tmp_path / "out") as writer:
        writer.write(record)
    (again,) = read_records(tmp_path / "out")
    assert again.boxes_px[0] == {"front": (40.5, 20, 60, 35)}
    assert again.boxes_px[1] == {}
