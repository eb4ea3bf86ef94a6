# SPDX-License-Identifier: Apache-2.0
"""YOLO exports as they are in the world: layouts, suffixes, rounded numbers, other classes."""

import cv2
import numpy as np
import pytest

pytest.importorskip("torch", reason="the offline side needs torch: make test")

from labelled_set import mask_of

from shared_encoder_perception.__main__ import main
from shared_encoder_perception.images.listing import IMAGE_SUFFIXES
from shared_encoder_perception.labels import formats, native
from shared_encoder_perception.tasks.label_files import LabelError

SIZE = (40, 60)
LOWER_HALF = "1 0 0.5 1 0.5 1 1 0 1\n"
LAYOUTS = {
    "roboflow": ("train/images/a", "train/labels/a.txt"),
    "ultralytics": ("images/train/a", "labels/train/a.txt"),
    "deeper": ("images/train/city/a", "labels/train/city/a.txt"),
    "flat": ("images/a", "labels/a.txt"),
    "twice": ("images/images/a", "labels/images/a.txt"),
    "other split": ("train2017/images/a", "train2017/labels/a.txt"),
}


def export(
    folder, label=LOWER_HALF, image="images/a.png", text="labels/a.txt", names="[car, road]"
):
    for path in (folder / image, folder / text):
        path.parent.mkdir(parents=True, exist_ok=True)
    (folder / "data.yaml").write_text(f"names: {names}\n")
    suffix = (folder / image).suffix.lower()
    gray = suffix in (".pgm", ".pbm")
    pixels = np.full(SIZE if gray else (*SIZE, 3), 90, np.uint8)
    encoded = cv2.imencode(".png" if suffix in (".jfif", ".jp2") else suffix, pixels)[1]
    (folder / image).write_bytes(encoded.tobytes())
    (folder / text).write_text(label)
    return folder


def one(folder):
    (frame,) = formats.read("yolo", folder)
    return frame


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_usual_layout_is_found(tmp_path, layout):
    stem, text = LAYOUTS[layout]
    frame = one(export(tmp_path, image=f"{stem}.jpg", text=text))
    assert frame.name == f"{stem}.jpg" and frame.notes == ()
    assert (mask_of(frame)[21:] == 255).all() and (mask_of(frame)[:19] == 0).all()


@pytest.mark.parametrize("suffix", [*IMAGE_SUFFIXES, ".JPG", ".Webp", ".TIF"])
def test_no_picture_vanishes_for_its_suffix(tmp_path, suffix):
    out = tmp_path / "out"
    source = export(tmp_path / "source", image=f"images/train/a{suffix}", text="labels/train/a.txt")
    assert main(["dataset", "convert", "yolo", str(source), "--out", str(out)]) == 0
    (frame,) = native.read(out)
    assert frame.name.endswith(suffix) and (mask_of(frame)[21:] == 255).all()


@pytest.mark.parametrize("name", ["data.yaml", "dataset.yaml", "coco.yml"])
def test_the_only_yaml_names_the_classes(tmp_path, name):
    (export(tmp_path) / "data.yaml").rename(tmp_path / name)
    assert (mask_of(one(tmp_path))[21:] == 255).all()


@pytest.mark.parametrize(
    "line",
    [
        "1 0 0.5 1.0000001 0.5 1 1 0 1",
        "1 -0.004 0.5 1.01 0.5 1 1.0099 0 1",
        "1.0 0 0.5 1 0.5 1 1 0 1",
    ],
)
def test_numbers_that_exports_rounded_are_taken(tmp_path, line):
    mask = mask_of(one(export(tmp_path, line)))
    assert (mask[21:] == 255).all() and (mask[:19] == 0).all()


@pytest.mark.parametrize(
    "line",
    ["0 0.5 0.5 0.2 0.2", "0 0.5 0.5 0.2", "0 7 7 7 7 7 7", "0 x", "0 0.1 0.1 1.5 0.5 0 0 1"],
)
def test_what_is_said_of_a_class_that_does_not_matter_does_not_matter(tmp_path, line):
    frame = one(export(tmp_path, f"{line}\n{LOWER_HALF}"))
    assert (mask_of(frame)[21:] == 255).all() and (mask_of(frame)[:19] == 0).all()
    assert frame.notes == ()


@pytest.mark.parametrize("shape", ["0 0 1 0 1 0.2 0 0.2", "0.5 0.1 1 0.2"])
def test_a_class_of_an_unknown_name_is_not_labelled(tmp_path, shape):
    names = "['car', 'road', 'drivable left lane']"
    frame = one(export(tmp_path, f"2 {shape}\n{LOWER_HALF}", names=names))
    mask = mask_of(frame)
    assert (mask[:7] == 127).all() and (mask[10:19] == 0).all() and (mask[21:] == 255).all()
    assert frame.notes == ("class 'drivable left lane' is not known: ignored where it is",)


def test_a_label_that_is_missing_is_said(tmp_path):
    (export(tmp_path) / "labels/a.txt").unlink()
    assert one(tmp_path).notes == ("no label file: nothing is drivable, by the format's rule",)


def test_names_of_classes_beside_the_labels_are_no_label(tmp_path):
    export(tmp_path)
    (tmp_path / "labels/classes.txt").write_text("car\nroad\n")
    assert one(tmp_path).name == "images/a.png"


@pytest.mark.parametrize("word", ["-1", "1.5", "nan", "1e0", "²", "99999999999999999999"])
def test_classes_that_are_none_are_named(tmp_path, word):
    with pytest.raises(LabelError, match=r"a\.txt, line 1: class is"):
        one(export(tmp_path, f"{word} 0 0 1 0 1 1\n"))


def test_a_folder_without_pictures_is_named(tmp_path):
    (export(tmp_path) / "images/a.png").rename(tmp_path / "images/a.txt")
    with pytest.raises(
        LabelError, match="no pictures in it: expected them in images, images/SPLIT"
    ):
        one(tmp_path)
