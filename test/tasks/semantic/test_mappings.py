# SPDX-License-Identifier: Apache-2.0
"""Classes of public sets in other tables: literally, by files of one's own, and what is refused."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest

from shared_encoder_perception.__main__ import main
from shared_encoder_perception.labels import native
from shared_encoder_perception.tasks.semantic.classes import UNLABELLED, TableError
from shared_encoder_perception.tasks.semantic.label import Label
from shared_encoder_perception.tasks.semantic.mappings import MAPPINGS, mapping_of
from shared_encoder_perception.tasks.semantic.of_others import ids_of_colours
from shared_encoder_perception.tasks.semantic.tables import (
    CAMVID_11,
    CAMVID_32,
    CITYSCAPES_34,
    IDD_7,
    TABLES,
    WORLD,
)

SIZE = (32, 80)


@pytest.mark.parametrize("pair", MAPPINGS, ids=" to ".join)
def test_a_mapping_names_classes_of_both_tables_only(pair):
    source, target = (TABLES[name] for name in pair)
    assert set(MAPPINGS[pair]) <= {one.name for one in source}
    assert set(MAPPINGS[pair].values()) <= {one.name for one in target}


@pytest.mark.parametrize("name", TABLES)
def test_a_table_becomes_itself(name):
    assert mapping_of(name, TABLES[name]).ids(TABLES[name]) == list(range(len(TABLES[name])))


def test_train_ids_are_cityscapes_own():
    ids = mapping_of("cityscapes19", CITYSCAPES_34).ids(CITYSCAPES_34)
    assert (ids[7], ids[8], ids[33]) == (0, 1, 18)
    assert ids[0] == ids[9] == ids[14] == UNLABELLED
    assert sorted(one for one in ids if one != UNLABELLED) == list(range(19))


def test_every_class_of_cityscapes_has_a_category():
    assert UNLABELLED not in mapping_of("cityscapes8", CITYSCAPES_34).ids(CITYSCAPES_34)


def test_camvids_32_classes_are_11_but_for_void():
    left = [
        one.name
        for one, target in zip(
            CAMVID_32, mapping_of("camvid11", CAMVID_32).ids(CAMVID_32), strict=True
        )
        if target == UNLABELLED
    ]
    assert left == ["Void"]


def test_what_has_no_place_is_ignored_and_told():
    label = Label(np.repeat(np.arange(7, dtype=np.uint8), 10)[None], IDD_7)
    mapping = mapping_of("world", IDD_7)
    mapped = mapping(label)
    assert mapped.classes == WORLD
    names = [one.name for one in WORLD]
    assert (mapped.ids[0, :10] == names.index("road")).all()
    assert (mapped.ids[0, 50:60] == UNLABELLED).all(), "far objects are several things"
    assert mapping.left_out(label) == ["non-drivable", "roadside objects", "far objects"]


def test_colours_are_those_of_the_table_and_nothing_near_them():
    red, green, blue = CAMVID_32[5].colour
    pixels = np.array([[[blue, green, red], [blue + 1, green, red]]], np.uint8)
    assert ids_of_colours(pixels, CAMVID_32).tolist() == [[5, UNLABELLED]]


BAD = {
    "no mapping": ("[]", "is no mapping: expected"),
    "no JSON": ("{", "cannot read the mapping"),
    "unknown source": ('{"classes": "world", "map": {"cars": "vehicle"}}', "the key 'cars' of map"),
    "unknown target": ('{"classes": "world", "map": {"car": "auto"}}', "the value 'auto' of map"),
    "a number": ('{"classes": "world", "map": {"car": 3}}', "the value 3 of map"),
    "unknown table": ('{"classes": "worlds", "map": {}}', "no table of classes 'worlds'"),
    "bad table": ('{"classes": [], "map": {}}', "0 classes, expected 1 to 254"),
}


@pytest.mark.parametrize("what", BAD)
def test_a_bad_mapping_file_is_refused_with_the_reason(what, tmp_path):
    text, reason = BAD[what]
    (tmp_path / "mine.json").write_text(text)
    with pytest.raises(TableError, match=reason):
        mapping_of(str(tmp_path / "mine.json"), CAMVID_11)


def test_what_nobody_has_said_is_refused_with_what_there_is():
    with pytest.raises(TableError, match="of camvid11 are in idd7: there are mappings to world"):
        mapping_of("idd7", CAMVID_11)


# ---- the command --------------------------------------------------------------------------------


def camvid(folder):
    """CamVid's folders with one picture, as SegNet's tutorial lays them out."""
    ids = np.repeat(np.arange(12, dtype=np.uint8), 7)[None, :80].repeat(32, axis=0)
    for place, pixels in (("train", np.zeros((*SIZE, 3), np.uint8)), ("trainannot", ids)):
        (folder / place).mkdir(parents=True)
        cv2.imwrite(str(folder / place / "0001.png"), np.ascontiguousarray(pixels))
    return ids


def labels_of(folder):
    (frame,) = native.read(folder)
    return frame.load().labels


def test_convert_keeps_the_classes_of_a_set(tmp_path):
    ids = camvid(tmp_path / "camvid")
    out = tmp_path / "native"
    assert main(["dataset", "convert", "camvid", str(tmp_path / "camvid"), "--out", str(out)]) == 0
    label = labels_of(out)["semantic"]
    assert label.classes == CAMVID_11
    np.testing.assert_array_equal(label.ids, np.where(ids == 11, UNLABELLED, ids))
    assert main(["dataset", "validate", str(out)]) == 0


def test_convert_maps_them_and_says_what_is_left_out(tmp_path, capsys):
    camvid(tmp_path / "camvid")
    mapping = tmp_path / "mine.json"
    mapping.write_text(json.dumps({"classes": "world", "map": {"car": "vehicle"}}))
    out = tmp_path / "native"
    arguments = ["convert", "camvid", str(tmp_path / "camvid"), "--out", str(out)]
    assert main(["dataset", *arguments, "--classes", str(mapping)]) == 0
    label = labels_of(out)["semantic"]
    assert label.classes == WORLD and set(np.unique(label.ids)) == {9, UNLABELLED}
    assert "class fence: has no place there: 1" in capsys.readouterr().out


def test_convert_refuses_classes_of_a_set_that_has_none(tmp_path, capsys):
    (tmp_path / "a.json").write_text("")
    out = str(tmp_path / "out")
    status = main(
        ["dataset", "convert", "tusimple", str(tmp_path), "--out", out, "--classes", "world"]
    )
    assert status == 2 and "no option 'classes'" in capsys.readouterr().err


def test_planes_become_ids_where_one_class_alone_claims_a_pixel(tmp_path):
    folder = tmp_path / "planes"
    claims = {"road": slice(16, 32), "vehicle": slice(12, 20)}
    (folder / "images" / "drive").mkdir(parents=True)
    cv2.imwrite(str(folder / "images/drive/1.png"), np.zeros((*SIZE, 3), np.uint8))
    for name, rows in claims.items():
        mask = np.zeros(SIZE, np.uint8)
        mask[rows] = 255
        (folder / name / "drive").mkdir(parents=True)
        cv2.imwrite(str(folder / name / "drive/1.png"), mask)
    out = tmp_path / "native"
    assert main(["dataset", "convert", "planes", str(folder), "--out", str(out)]) == 0
    label = labels_of(out)["semantic"]
    assert [one.name for one in label.classes] == ["road", "vehicle"]
    assert label.ids[:, 0].tolist() == [255] * 12 + [1] * 4 + [255] * 4 + [0] * 12


def test_planes_with_a_table_that_does_not_fit_are_refused(tmp_path, capsys):
    folder = tmp_path / "planes"
    for place in ("images", "road", "sky"):
        (folder / place).mkdir(parents=True)
    cv2.imwrite(str(folder / "images/1.png"), np.zeros((*SIZE, 3), np.uint8))
    (folder / "classes.json").write_text('[{"id": 0, "name": "road", "colour": [1, 2, 3]}]')
    status = main(["dataset", "convert", "planes", str(folder), "--out", str(tmp_path / "out")])
    assert status == 2
    assert "the class 'sky' is missing in the classes.json" in capsys.readouterr().err
