# SPDX-License-Identifier: Apache-2.0
"""predict --rig: folders and sets of several cameras; maps, and each camera's answers."""

import json
import re
import shutil
from dataclasses import replace

import cv2
import numpy as np
import pytest
from rig_drive import (
    COUNT,
    RIG,
    expected_maps,
    map_of,
    moment,
    picture_name,
    predict,
    predictor_at,
    write_place,
)

from shared_encoder_perception.ground.extrinsics import Extrinsics
from shared_encoder_perception.labels.rigs.record import RigRecord
from shared_encoder_perception.labels.rigs.writer import RigWriter
from shared_encoder_perception.rig.rig_file import RigFile, write_rig


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Return a folder with the model, a rig.yaml, a folder of pictures for each camera."""
    return write_place(tmp_path_factory.mktemp("rig"))


@pytest.fixture(scope="module")
def maps(place):
    return expected_maps(place)


@pytest.fixture
def own(place, tmp_path):
    """Return a copy of the folder of pictures that a test may damage."""
    return shutil.copytree(place / "in", tmp_path / "in")


def test_each_moment_has_a_line_and_its_map(place, maps, tmp_path):
    out = tmp_path / "out"
    lines = predict(place, place / "in", out)
    assert [line["moment"] for line in lines] == ["0", "1"]
    for line, expected in zip(lines, maps, strict=True):
        np.testing.assert_array_equal(map_of(out, line), expected)
        assert line["missing"] == []
        assert line["surround_vehicle"] is None
        assert line["surround_grid"]["cell_m"] == 0.5
        assert set(line["stage_ms"]) == {"preprocess", "inference", "decode"}
    assert not np.array_equal(*maps)
    assert not list(out.rglob("*.part"))
    assert not (out / "overlays").exists()


@pytest.mark.parametrize("name", ["front", "rear"])
def test_each_cameras_answers_are_those_of_predict_of_its_folder(place, tmp_path, name):
    predict(place, place / "in", tmp_path / "rig")
    predict(place, place / "in" / name, tmp_path / "alone", rig=None)
    together, alone = tmp_path / "rig" / "cameras" / name, tmp_path / "alone"
    found, expected = (
        [json.loads(line) for line in (one / "predictions.jsonl").read_text().splitlines()]
        for one in (together, alone)
    )
    for line in found + expected:
        line.pop("stage_ms")
    assert found == expected
    for line in found:
        assert (together / line["mask"]).read_bytes() == (alone / line["mask"]).read_bytes()


def test_a_picture_that_cannot_be_read_is_told_and_its_camera_missing(place, own, tmp_path, capsys):
    (own / "right" / "1.png").write_bytes(b"not a picture")
    out = tmp_path / "out"
    first, second = predict(place, own, out, status=1)
    assert "problem: camera right: " in capsys.readouterr().err
    assert (first["missing"], second["missing"]) == ([], ["right"])
    images = {name: one for name, one in moment(1).items() if name != "right"}
    seen = predictor_at(place).predict(images).surround.seen
    np.testing.assert_array_equal(map_of(out, second) != 255, seen)
    lines = (out / "cameras" / "right" / "predictions.jsonl").read_text().splitlines()
    assert [json.loads(line)["image"] for line in lines] == ["0.png"]


def test_a_source_without_anything_leaves_nothing(place, own, tmp_path, capsys):
    for path in own.glob("*/*"):
        path.write_bytes(b"nothing")
    assert predict(place, own, tmp_path / "out", status=2) is None
    assert "no picture of" in capsys.readouterr().err
    assert not [path for path in (tmp_path / "out").rglob("*") if path.suffix != ".lock"]


def remove_one(folder):
    (folder / "rear" / "1.png").unlink()


def remove_folder(folder):
    shutil.rmtree(folder / "left")


def enlarge(folder):
    for path in (folder / "front").iterdir():
        cv2.imwrite(str(path), np.zeros((400, 800, 3), np.uint8))


def enlarge_later(folder):
    cv2.imwrite(str(folder / "front" / "1.png"), np.zeros((400, 800, 3), np.uint8))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (remove_one, "camera rear has 1 pictures, camera front has 2"),
        (remove_folder, "camera left has no pictures in .*left.*folders there are: front, rear"),
        (enlarge, "camera front gives pictures of 800x400 pixels, its intrinsics are for 800x320"),
        (enlarge_later, r"1: the picture of camera front is uint8 \(400, 800, 3\)"),
    ],
)
def test_pictures_that_are_not_the_rigs_are_refused_by_name(
    place, own, tmp_path, capsys, damage, message
):
    damage(own)
    predict(place, own, tmp_path / "out", status=2)
    assert not (tmp_path / "out" / "surround.jsonl").exists()
    error = capsys.readouterr().err.replace("\n", " ")
    assert re.search(message, error)


def test_a_folder_of_no_camera_is_named(place, own, tmp_path, capsys):
    shutil.copytree(own / "front", own / "roof")
    assert len(predict(place, own, tmp_path / "out")) == COUNT
    assert "roof is of no camera of the rig" in capsys.readouterr().out


# ---- sets ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def rig_set(place, tmp_path_factory):
    """Return a set whose second moment was taken by a rig that hangs 0.3 m higher."""
    folder = tmp_path_factory.mktemp("set") / "set"
    with RigWriter(folder) as writer:
        for index, rig in enumerate((RIG, raised())):
            files = {name: place / "in" / picture_name(name, index) for name in rig.names}
            writer.write(RigRecord(f"moment_{index}", rig, files))
    return folder


def raised():
    lift = np.array((0.0, 0.0, 0.3))
    moved = [
        replace(one, pose=Extrinsics(one.pose.rotation, one.pose.position + lift))
        for one in RigFile.of(RIG).entries
    ]
    return RigFile(tuple(moved)).rig()


def test_a_set_brings_the_calibration_of_each_moment(place, rig_set, maps, tmp_path):
    out = tmp_path / "out"
    first, second = predict(place, rig_set, out, rig=None)
    assert (first["moment"], second["moment"]) == ("moment_0", "moment_1")
    np.testing.assert_array_equal(map_of(out, first), maps[0])
    seen = predictor_at(place, raised()).predict(moment(1)).surround.seen
    np.testing.assert_array_equal(map_of(out, second) != 255, seen)
    assert not np.array_equal(map_of(out, second), maps[1])


def test_a_given_rig_stands_for_that_of_a_set(place, rig_set, maps, tmp_path, capsys):
    out = tmp_path / "out"
    lines = predict(place, rig_set / "rigs.jsonl", out)
    assert "note: the calibration is that of --rig" in capsys.readouterr().out
    for line, expected in zip(lines, maps, strict=True):
        np.testing.assert_array_equal(map_of(out, line), expected)


# ---- pictures, and what is refused --------------------------------------------------------------


def test_a_moment_is_shown_with_all_cameras_and_the_map(place, own, tmp_path):
    (own / "left" / "10.png").write_bytes(b"")
    video, out = tmp_path / "seen.mp4", tmp_path / "out"
    predict(place, own, out, "--overlay", "--video", video, status=1)
    whole, without = (cv2.imread(str(out / "overlays" / f"{index}.png")) for index in range(2))
    assert whole.shape == without.shape
    width = 480
    # The left camera's picture is the second of the first row.
    patch = np.s_[60:150, width + 20 : 2 * width - 20]
    assert whole[patch].std() > 20
    assert without[patch].std() == 0
    shown = cv2.VideoCapture(str(video))
    assert int(shown.get(cv2.CAP_PROP_FRAME_COUNT)) == COUNT
    assert abs(shown.get(cv2.CAP_PROP_FRAME_WIDTH) - whole.shape[1]) <= 1


def test_a_finished_result_is_replaced_only_when_asked_and_then_all_of_it(
    place, own, tmp_path, capsys
):
    out = tmp_path / "out"
    predict(place, own, out, "--overlay")
    stranger = out / "cameras" / "front" / "mine.txt"
    stranger.write_text("stays")
    predict(place, own, out, status=2)
    assert "exists: choose another --out" in capsys.readouterr().err
    remaining = RIG.only(["front", "rear"])
    write_rig(place / "two.yaml", RigFile.of(remaining))
    for name in RIG.names:
        (own / name / ("1.png" if name != "left" else "10.png")).unlink()
    lines = predict(place, own, out, "--force", rig="two.yaml")
    assert len(lines) == 1
    files = {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()}
    files = {name for name in files if not name.endswith(".lock")}
    expected = {"surround.jsonl", "surround_drivable/0.png", "cameras/front/mine.txt"}
    for name in remaining.names:
        expected |= {f"cameras/{name}/predictions.jsonl", f"cameras/{name}/masks/0.png.png"}
    assert files == expected


def test_no_more_moments_than_asked_for(place, tmp_path):
    assert len(predict(place, place / "in", tmp_path / "out", "--limit", 1)) == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--crop", "0,0,100,100"), "--crop is for single cameras: a rig.yaml has a crop"),
        (("--topic", "/a"), "--topic is for single cameras"),
        (("--focal-px", "500"), "--focal-px is for single cameras"),
        (("--sheet",), "--sheet is for single cameras: --overlay"),
        (("--max-skew-s", "0.1"), "--max-skew-s is for bags"),
        (("--max-skew-s", "-1"), "--max-skew-s is -1, expected 0 or more"),
    ],
)
def test_options_that_are_not_for_rigs_are_refused(place, tmp_path, capsys, options, message):
    predict(place, place / "in", tmp_path / "out", *options, status=2)
    assert message in capsys.readouterr().err


def test_a_skew_without_a_rig_is_refused(place, tmp_path, capsys):
    source = place / "in" / "front"
    predict(place, source, tmp_path / "out", "--max-skew-s", "1", rig=None, status=2)
    assert "--max-skew-s is for --rig" in capsys.readouterr().err


def test_a_source_of_one_camera_is_refused(place, tmp_path, capsys):
    picture = place / "in" / "front" / "0.png"
    predict(place, picture, tmp_path / "out", status=2)
    assert "no source of several cameras" in capsys.readouterr().err
    predict(place, place / "nowhere", tmp_path / "out", status=2)
    assert "there is no" in capsys.readouterr().err
