# SPDX-License-Identifier: Apache-2.0
"""Class maps in files: what is written is read; what is wrong is named with the file."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from shared_encoder_perception.images.preprocess import Crop, ImageTransform
from shared_encoder_perception.tasks.label_files import LabelError
from shared_encoder_perception.tasks.semantic import labels as room
from shared_encoder_perception.tasks.semantic.classes import UNLABELLED
from shared_encoder_perception.tasks.semantic.decode import Decoder, Options
from shared_encoder_perception.tasks.semantic.label import Label, in_table
from shared_encoder_perception.tasks.semantic.spec import Block
from shared_encoder_perception.tasks.semantic.tables import CAMVID_11, IDD_7, WORLD

SIZE = (32, 80)
PICTURE = Path("drive/0001.jpg")


def label(table=WORLD, seed=0, confidence=None):
    ids = np.random.default_rng(seed).integers(0, len(table), SIZE, np.uint8)
    ids[:4] = UNLABELLED
    return Label(ids, table, confidence)


@pytest.mark.parametrize("sure", [False, True])
def test_what_is_written_is_read(tmp_path, sure):
    confidence = np.full(SIZE, 200, np.uint8) if sure else None
    first = label(confidence=confidence)
    record = room.write(first, tmp_path, PICTURE)
    assert not list(room.faults(record, SIZE))
    read = room.read(record, tmp_path, SIZE)()
    np.testing.assert_array_equal(read.ids, first.ids)
    assert read.classes == WORLD
    assert (read.confidence is None) != sure


def with_instances(seed=0):
    instances = np.random.default_rng(seed).integers(0, 60000, SIZE, np.uint16)
    return replace(label(), instances=instances)


def test_instances_are_written_in_sixteen_bits_and_read(tmp_path):
    first = with_instances()
    record = room.write(first, tmp_path, PICTURE)
    assert record["instances"] == "instances/drive/0001.png"
    read = room.read(record, tmp_path, SIZE)()
    assert read.instances.dtype == np.uint16
    np.testing.assert_array_equal(read.instances, first.instances)
    assert "instances" not in room.write(label(), tmp_path / "other", PICTURE)


def test_instances_move_with_their_classes():
    first, crop = with_instances(), Crop(10, 4, 40, 16)
    transform = ImageTransform.fit(SIZE, (16, 40), crop)
    mirrored = room.mirror(first, SIZE[1])
    np.testing.assert_array_equal(mirrored.instances[:, ::-1], first.instances)
    np.testing.assert_array_equal(
        room.view(first, transform).instances, first.instances[crop.window]
    )
    shifted = room.warp(first, np.array([[1.0, 0, 3], [0, 1, 0]]), SIZE)
    np.testing.assert_array_equal(shifted.instances[:, 3:], first.instances[:, :-3])
    assert not shifted.instances[:, :3].any()
    inside = room.inside(first, crop)
    np.testing.assert_array_equal(inside.instances[crop.window], first.instances[crop.window])
    assert inside.instances.astype(bool).sum() == first.instances[crop.window].astype(bool).sum()


def test_instances_that_only_the_second_set_has_are_added():
    first, second, third = label(), with_instances(), with_instances(1)
    merged, lost = room.merge(first, second)
    assert merged.instances is second.instances and not lost
    assert room.merge(second, first) == (second, ())
    assert room.merge(second, third) == (second, (("instances", None),))
    assert room.merge(label(seed=1), second)[1] == (("classes", None),)


def test_sets_with_other_tables_share_a_folder(tmp_path):
    """Tables are named by what they hold: a merged set keeps both."""
    records = [
        room.write(label(table), tmp_path, Path(f"drive/{index}.jpg"))
        for index, table in enumerate((WORLD, CAMVID_11, WORLD))
    ]
    assert records[0]["class_table"] == records[2]["class_table"] != records[1]["class_table"]
    found = [room.read(record, tmp_path, SIZE)().classes for record in records]
    assert found == [WORLD, CAMVID_11, WORLD]


def test_a_table_that_is_written_again_is_read_again(tmp_path):
    record = room.write(label(IDD_7), tmp_path, PICTURE)
    read = room.read(record, tmp_path, SIZE)
    assert read().classes[0].name == "drivable"
    path = tmp_path / record["class_table"]
    rows = json.loads(path.read_text())
    rows[0]["name"] = "road"
    path.write_text(json.dumps(rows))
    os.utime(path, ns=(1, 1))
    assert read().classes[0].name == "road"


def broken(tmp_path, what):
    """Write a set and break one thing of it; return its line."""
    record = room.write(with_instances(), tmp_path, PICTURE)
    path, instances = (tmp_path / record[key] for key in ("classes", "instances"))
    table = tmp_path / record["class_table"]
    ids = label().ids.copy()
    if what == "ids":
        ids[5, 3:7], ids[6, 6] = 13, 200
        cv2.imwrite(str(path), ids)
    elif what == "colours":
        cv2.imwrite(str(path), np.dstack((ids, ids, ids)))
    elif what == "16 bit":
        cv2.imwrite(str(path), ids.astype(np.uint16))
    elif what == "size":
        cv2.imwrite(str(path), ids[:, :40])
    elif what == "no map":
        path.unlink()
    elif what == "8 bit instances":
        cv2.imwrite(str(instances), ids)
    elif what == "size of instances":
        cv2.imwrite(str(instances), ids[:, :40].astype(np.uint16))
    elif what == "no instances":
        instances.unlink()
    elif what == "no table":
        table.unlink()
    elif what == "bad table":
        table.write_text("[]")
    return record


BROKEN = {
    "ids": r"classes/drive/0001.png: the class map has ids that its table lacks: 13 \(4 pixels\), "
    r"200 \(1 pixels\); expected 0 to 12, or 255",
    "colours": r"classes/drive/0001.png: the class map is uint8 \(32, 80, 3\), expected",
    "16 bit": r"classes/drive/0001.png: the class map is uint16",
    "size": r"classes/drive/0001.png: the class map is uint8 \(32, 40\), expected",
    "8 bit instances": r"instances/drive/0001.png: the map of instances is uint8 \(32, 80\), "
    "expected uint16",
    "size of instances": r"the map of instances is uint16 \(32, 40\), expected uint16 \(32, 80\)",
    "no instances": r"instances/drive/0001.png: cannot read the map of instances",
    "no map": r"classes/drive/0001.png: cannot read the class map",
    "no table": r"class_tables/.*json: cannot read the table of classes",
    "bad table": r"class_tables/.*json: the table of classes: 0 classes, expected 1 to 254",
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_file_is_named_with_the_reason(tmp_path, what):
    read = room.read(broken(tmp_path, what), tmp_path, SIZE)
    with pytest.raises(LabelError, match=BROKEN[what]):
        read()


def test_a_line_without_its_table_is_refused():
    faults = list(room.faults({"classes": "classes/a.png"}, SIZE))
    assert faults == [
        "class_table is missing, expected the file that says what the ids of classes are"
    ]


def test_instances_without_classes_are_refused():
    (fault,) = room.faults({"instances": "instances/a.png"}, SIZE)
    assert fault == "classes is missing, expected the class map whose objects instances tells apart"
    (fault,) = room.faults(
        {"classes": "a.png", "class_table": "a.json", "instances": "../a.png"}, SIZE
    )
    assert fault.startswith("instances is")


def test_a_label_that_does_not_fit_is_refused():
    with pytest.raises(ValueError, match=r"classes is uint8 \(32, 80\), expected uint8 \(32, 81\)"):
        label().check((32, 81))
    with pytest.raises(ValueError, match="ids that its table lacks"):
        Label(label().ids, IDD_7).check(SIZE)


def test_a_class_that_the_other_table_lacks_is_not_labelled():
    """Unknown never becomes another class."""
    ids = {one.name: one.id for one in CAMVID_11}
    truth = np.full(SIZE, ids["fence"], np.uint8)
    truth[0] = ids["road"]
    other = in_table(Label(truth, CAMVID_11), WORLD)
    assert set(other[0]) == {0} and set(other[1:].ravel()) == {UNLABELLED}


@pytest.mark.parametrize("crop", [None, Crop(8, 4, 60, 24), Crop(3, 1, 41, 17)])
@pytest.mark.parametrize("stride", [1, 4])
def test_grid_and_pixels_are_the_same_places(crop, stride):
    """A view of a label, sampled at its cells and brought back, is the label at those cells."""
    transform = ImageTransform.fit(SIZE, (64, 160), crop)
    columns = np.tile(np.arange(SIZE[1], dtype=np.uint8), (SIZE[0], 1))
    view = room.view(Label(columns, WORLD), transform).ids
    grid = view[stride // 2 :: stride, stride // 2 :: stride]
    outputs = {"semantic": grid, "semantic_confidence": np.full_like(grid, 255)}
    answer = Decoder(Block(semantic_stride=stride), (64, 160))(outputs, transform, Options())
    seen = transform.crop.window
    apart = answer.ids[seen].astype(int) - columns[seen]
    assert np.abs(apart).max() <= stride / transform.scale[0] / 2 + 1
    assert abs(apart.mean()) < 0.51
    outside = np.ones(SIZE, np.bool_)
    outside[seen] = False
    assert set(answer.ids[outside]) <= {UNLABELLED} and not answer.confidence[outside].any()


def test_what_is_not_sure_enough_is_not_said():
    transform = ImageTransform.fit((64, 160), (64, 160))
    confidence = np.tile(np.arange(160, dtype=np.uint8), (64, 1))
    outputs = {"semantic": np.zeros((64, 160), np.uint8), "semantic_confidence": confidence}
    decoder = Decoder(Block(), (64, 160))
    assert (decoder(outputs, transform, Options()).ids == 0).all()
    answer = decoder(outputs, transform, Options(unlabelled_below=0.4))
    np.testing.assert_array_equal(answer.ids == UNLABELLED, confidence < 102)
    np.testing.assert_array_equal(answer.confidence, confidence)
