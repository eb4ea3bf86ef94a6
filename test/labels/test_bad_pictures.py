# SPDX-License-Identifier: Apache-2.0
"""One bad picture of a data set is left out and listed, in every format; the others go on."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("torch", reason="the offline side needs torch: make test")

from labelled_set import write_set
from straight_road import SIZE, THREE

from shared_encoder_perception.__main__ import main
from shared_encoder_perception.artifact.calibration_inputs import open_images
from shared_encoder_perception.labels import native

ROAD = [[0, 719], [1279, 719], [640, 300]]
COUNT = 3


def picture(path, suffix=".jpg"):
    """Write a picture with something to see, and return where."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = np.arange(SIZE[0], dtype=np.uint8)[:, None, None]
    pixels = np.broadcast_to(rows, (*SIZE, 3)) + np.random.default_rng(0).integers(
        0, 9, (*SIZE, 3), np.uint8
    )
    path.write_bytes(cv2.imencode(suffix, pixels)[1].tobytes())
    return path


def tusimple(folder):
    rows = list(range(240, 720, 10))
    lanes = [[round(640 + side * (row - 237)) for row in rows] for side in (-1, 1)]
    lines = [
        json.dumps({"raw_file": f"{i}.jpg", "h_samples": rows, "lanes": lanes})
        for i in range(COUNT)
    ]
    (folder / "label_data_1.json").write_text("\n".join(lines) + "\n")
    return [picture(folder / f"{i}.jpg") for i in range(COUNT)]


def culane(folder):
    text = "\n".join(" ".join(f"{x} {y}" for x, y in b.points) for b in THREE)
    for i in range(COUNT):
        (folder / f"{i}.lines.txt").write_text(text)
    return [picture(folder / f"{i}.jpg") for i in range(COUNT)]


def curvelanes(folder):
    (folder / "labels").mkdir()
    lines = [[{"x": str(x), "y": str(y)} for x, y in b.points] for b in THREE]
    for i in range(COUNT):
        (folder / f"labels/{i}.lines.json").write_text(json.dumps({"Lines": lines}))
    return [picture(folder / f"images/{i}.jpg") for i in range(COUNT)]


def bdd100k(folder):
    area = {"category": "area/drivable", "poly2d": [[x, y, "L"] for x, y in ROAD]}
    for i in range(COUNT):
        record = {"name": f"{i}", "frames": [{"objects": [area]}]}
        (folder / f"{i}.json").write_text(json.dumps(record))
    return [picture(folder / f"{i}.jpg") for i in range(COUNT)]


def yolo(folder):
    (folder / "data.yaml").write_text("names: [road]")
    (folder / "labels").mkdir()
    for i in range(COUNT):
        (folder / f"labels/{i}.txt").write_text("0 0 1 1 1 0.5 0.5")
    return [picture(folder / f"images/{i}.jpg") for i in range(COUNT)]


def camvid(folder):
    (folder / "trainannot").mkdir()
    for i in range(COUNT):
        cv2.imwrite(str(folder / f"trainannot/{i}.png"), np.full(SIZE, 3, np.uint8))
    return [picture(folder / f"train/{i}.png", ".png") for i in range(COUNT)]


FORMATS = {make.__name__: make for make in (tusimple, culane, curvelanes, bdd100k, yolo, camvid)}


def spoil(path, how):
    """Make a picture unusable."""
    content = path.read_bytes()
    if how == "missing":
        path.unlink()
    else:
        wrong_size = cv2.imencode(path.suffix, np.zeros((90, 160, 3), np.uint8))[1].tobytes()
        path.write_bytes(
            {
                "empty": b"",
                "text": b"no picture",
                "cut off": content[: len(content) // 2],
                "another size": wrong_size,
            }[how]
        )


CASES = [(name, how) for name in FORMATS for how in ("empty", "text", "cut off")]
CASES += [(name, "missing") for name in FORMATS if name != "camvid"]  # which lists pictures
CASES += [("tusimple", "another size")]


@pytest.mark.parametrize(("name", "how"), CASES)
def test_one_bad_picture_is_left_out_and_listed(tmp_path, capsys, name, how):
    source, out = tmp_path / "source", tmp_path / "out"
    source.mkdir()
    pictures = FORMATS[name](source)
    spoil(pictures[1], how)
    assert main(["dataset", "convert", name, str(source), "--out", str(out)]) == 1
    assert sorted(frame.image_path.stem for frame in native.read(out)) == ["0", "2"]
    faults = (out / "convert_faults.txt").read_text().splitlines()
    assert len(faults) == 1 and pictures[1].stem in faults[0] and str(source) in faults[0]
    assert "1 frames could not be converted" in capsys.readouterr().out
    assert main(["dataset", "validate", str(out)]) == 0


@pytest.mark.parametrize("name", FORMATS)
def test_bad_pictures_only_are_an_error(tmp_path, capsys, name):
    source, out = tmp_path / "source", tmp_path / "out"
    source.mkdir()
    for path in FORMATS[name](source):
        spoil(path, "empty")
    assert main(["dataset", "convert", name, str(source), "--out", str(out)]) == 2
    assert ".jpg" in (err := capsys.readouterr().err) or ".png" in err
    assert not (out / "frames.jsonl").exists()


@pytest.mark.parametrize("name", FORMATS)
def test_what_systems_leave_behind_is_no_part_of_a_data_set(tmp_path, name):
    source, out = tmp_path / "source", tmp_path / "out"
    source.mkdir()
    FORMATS[name](source)
    for path in list(source.rglob("*")):
        if path.is_file():
            (path.parent / f"._{path.name}").write_bytes(b"\0\5\x16\7")
            for place in (".thumbnails", "@eaDir", "__MACOSX"):
                (path.parent / place).mkdir(exist_ok=True)
                (path.parent / place / path.name).write_bytes(b"thumb")
    assert main(["dataset", "convert", name, str(source), "--out", str(out)]) == 0
    assert len(list(native.read(out))) == COUNT


# ---- other commands that take pictures in --------------------------------------------------------


@pytest.mark.parametrize("how", ["missing", "empty", "text", "another size"])
@pytest.mark.parametrize("teacher", ["model", "masks"])
def test_labelling_a_set_leaves_a_bad_picture_out(tmp_path, how, teacher):
    source, out = write_set(tmp_path / "set", 3, lanes=None, mask=None), tmp_path / "out"
    spoil(source / "images/road/001.png", how)
    options = []
    if teacher == "masks":
        for i in range(3):
            path = tmp_path / f"masks/road/{i:03d}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(path), np.zeros((180, 320), np.uint8))
        options = ["--drivable", str(tmp_path / "masks")]
    assert main(["dataset", "label", str(source), "--out", str(out), *options]) == 1
    assert [frame.image_path.stem for frame in native.read(out)] == ["000", "002"]
    (fault,) = (out / "label_faults.txt").read_text().splitlines()
    assert str(source / "images/road/001.png") in fault
    assert main(["dataset", "validate", str(out)]) == 0


def test_folders_of_pictures_are_the_users_own(tmp_path):
    for name in ("a.JPG", "clips/b.jpg", "._a.JPG", ".thumbnails/a.jpg", "clips/@eaDir/b.jpg"):
        picture(tmp_path / name)
    assert [frame.name for frame in open_images(tmp_path)] == ["a.JPG", "clips/b.jpg"]
    masks = tmp_path / "clips"  # what lies in there is no picture to label
    options = ["--drivable", str(masks), "--out", str(tmp_path.parent / f"{tmp_path.name}_out")]
    cv2.imwrite(str(masks / "a.png"), np.zeros(SIZE, np.uint8))
    assert main(["dataset", "label", str(tmp_path), *options]) == 0
    assert [frame.image_path.name for frame in native.read(Path(options[-1]))] == ["a.JPG"]


def test_merging_takes_no_two_empty_files_for_one_picture(tmp_path, capsys):
    first, second = write_set(tmp_path / "a", 2), write_set(tmp_path / "b", 2)
    for folder in (first, second):
        spoil(folder / "images/road/001.png", "empty")
    out = str(tmp_path / "out")
    assert main(["dataset", "merge", str(first), str(second), "--out", out]) == 2
    assert str(first / "images/road/001.png") in capsys.readouterr().err
