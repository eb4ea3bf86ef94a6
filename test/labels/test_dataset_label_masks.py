# SPDX-License-Identifier: Apache-2.0
"""dataset label: masks of another network become labels."""

import cv2
import numpy as np
import pytest
from labelled_set import label_of, lanes_of, mask_of, write_set

pytest.importorskip("torch", reason="the offline side needs torch: make test")

from test_dataset_label import doubts, lane_confidence, mask_confidence

from shared_encoder_perception.__main__ import main
from shared_encoder_perception.labels import native
from shared_encoder_perception.labels.teacher_masks import TeacherMasks, label_by_masks
from shared_encoder_perception.tasks.drivable.mask_teacher import Config, without_border
from shared_encoder_perception.tasks.label_files import LabelError
from shared_encoder_perception.tasks.lanes.answer import LaneId


def write_masks(folder, names, planes):
    """Write masks by the paths of their images."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), planes)
    return folder


def teacher(height=180, width=320):
    """A road's surface and the paint on it, which is cut out of the surface."""
    scale = width / 320
    surface = np.zeros((height, width), np.uint8)
    cv2.fillPoly(surface, [np.round(scale * np.array(SURFACE)).astype(np.int32)], 242)
    paint = np.zeros((height, width), np.uint8)
    for near in (-60, 60, 250, 380):
        line = scale * np.array([[160, 50], [near, 179]])
        cv2.polylines(paint, [np.round(line).astype(np.int32)], False, 230, round(6 * scale))
    surface[paint > 0] = 0
    return surface, paint


SURFACE = [[0, 179], [150, 60], [170, 60], [319, 179]]


UNLABELLED = {"lanes": None, "mask": None}


def by_masks(path, border_px=None, **folders):
    masks = TeacherMasks(folders, {"drivable_surface": Config(border_px)})
    return list(label_by_masks(masks, path, doubts(lane=0.3)))


def test_masks_of_another_network_label_a_native_set(tmp_path):
    plain = write_set(tmp_path / "plain", 2, **UNLABELLED)
    surface, paint = teacher()
    names = ("road/000.png", "road/001.png")
    folders = {
        "drivable": write_masks(tmp_path / "surface", names, surface),
        "markings": write_masks(tmp_path / "paint", names, paint),
    }
    for frame in by_masks(plain, **folders, border_px=4):
        assert set(frame.pseudo) == {"lanes", "drivable_surface"}
        mask, confidence = mask_of(frame), mask_confidence(frame)
        both = np.maximum(surface, paint)
        assert (mask[both >= 230] == 255).all()  # paint is drivable
        near = cv2.dilate((both > 0).view(np.uint8), np.ones((5, 5))) > 0
        assert (mask[near & (both == 0)] == 127).all()
        far = cv2.dilate((both > 0).view(np.uint8), np.ones((11, 11))) == 0
        assert (mask[far] == 0).all()
        assert np.array_equal(confidence, np.abs(2 * both.astype(int) - 255))
        assert all(points is not None for points in lanes_of(frame).values())  # unknown, not absent
        ego = lanes_of(frame)[LaneId.EGO]
        middle = 160 + (155 - 160) * (ego[:, 1] - 50) / 129
        assert np.abs(ego[:, 0] - middle).max() < 2
        assert lane_confidence(frame)[LaneId.EGO] == pytest.approx(230 / 255, abs=0.01)
        assert len(label_of(frame, "lanes").boundaries) == 4


def test_only_the_border_of_the_drivable_area_is_ignored():
    mask = np.zeros((40, 60), np.uint8)
    mask[20:, 20:40] = 255
    mask[5, 30] = 127
    assert without_border(mask, 0) is mask
    ignored = without_border(mask, 3) == 127
    assert ignored[17, 30] and ignored[30, 17] and ignored[30, 42] and ignored[5, 30]
    assert not ignored[16, 30] and not ignored[30, 16] and not ignored[30, 43]
    assert ignored[18, 18] and not ignored[17, 17]  # as far in every direction
    assert not ignored[20:, 20:40].any()
    nothing = np.zeros((4, 6), np.uint8)
    assert (without_border(nothing, 100) == 0).all()


def test_masks_may_be_smaller_than_their_images(tmp_path):
    plain = write_set(tmp_path / "plain", 1, **UNLABELLED)
    folder = write_masks(tmp_path / "surface", ["000.png"], teacher(90, 160)[0])  # by its stem
    [frame] = by_masks(plain, drivable=folder)
    assert mask_of(frame).shape == frame.size
    assert frame.pseudo == ("drivable_surface",) and lanes_of(frame) == {}
    inside = mask_of(frame)[150:, 145:165]
    assert (inside == 255).all()


def test_labels_by_people_are_left_alone_by_masks(tmp_path):
    surface, paint = teacher()
    folders = {
        "drivable": write_masks(tmp_path / "surface", ["000.png"], surface),
        "markings": write_masks(tmp_path / "paint", ["000.png"], paint),
    }
    people = write_set(tmp_path / "people", 1)
    [frame], [before] = by_masks(people, **folders), list(native.read(people))
    assert frame.pseudo == () and lane_confidence(frame) == {}
    assert mask_confidence(frame) is None
    assert np.array_equal(mask_of(frame), mask_of(before))
    for lane, points in lanes_of(before).items():
        assert (
            np.array_equal(lanes_of(frame)[lane], points) or lanes_of(frame)[lane] is points is None
        )
    assert lanes_of(frame).keys() == lanes_of(before).keys()
    lanes_only = write_set(tmp_path / "lanes", 1, mask=None)
    [frame] = by_masks(lanes_only, **folders)
    assert frame.pseudo == ("drivable_surface",) and lane_confidence(frame) == {}
    other = write_set(
        tmp_path / "other", 1, pseudo=["lanes", "mask"], lane_confidence={"left_ego": 0.7}
    )
    [frame] = by_masks(other, **folders)
    assert set(frame.pseudo) == {"lanes", "drivable_surface"}
    assert lane_confidence(frame).keys() == lanes_of(frame).keys() != set(LaneId)
    assert not np.array_equal(mask_of(frame), mask_of(before))
    # A teacher that says nothing about lanes does not replace those of another one.
    [frame] = by_masks(other, drivable=folders["drivable"])
    assert set(frame.pseudo) == {"lanes", "drivable_surface"}
    assert lane_confidence(frame) == {LaneId.LEFT_EGO: 0.7}


def test_the_command_with_masks_writes_a_valid_set(tmp_path, capsys):
    pictures = tmp_path / "pictures"
    for index in range(3):
        name = f"a/{index}.png"
        write_masks(pictures, [name], np.full((180, 320, 3), 90, np.uint8))
    surface, paint = teacher()
    folders = [
        "--drivable",
        str(write_masks(tmp_path / "surface", ["a/0.png", "a/1.png"], surface)),
        "--markings",
        str(write_masks(tmp_path / "paint", ["a/0.png", "a/1.png", "a/2.png"], paint)),
    ]
    out = tmp_path / "set"
    label_them = ["dataset", "label", str(pictures), *folders, "--out", str(out), "--lane", "0.3"]
    assert main(label_them) == 1  # one mask is missing
    printed = capsys.readouterr().out
    assert "2 frames:" in printed and "ego by the teacher: 2" in printed
    assert "1 frames left out" in printed
    assert "the mask of a/2.png is missing" in (out / "label_faults.txt").read_text()
    assert main(["dataset", "validate", str(out)]) == 0
    for frame in native.read(out):
        assert set(frame.pseudo) == {"lanes", "drivable_surface"}
        assert lane_confidence(frame)[LaneId.EGO] == pytest.approx(230 / 255, abs=0.01)
        confidence = mask_confidence(frame.load())
        assert set(np.unique(confidence)) == {205, 229, 255}


@pytest.mark.parametrize(
    ("plane", "reason"),
    [
        (np.zeros((180, 321 + 10), np.uint8), "the same aspect ratio"),
        (np.zeros((180, 320, 3), np.uint8), "one channel of 8 bits"),
        (np.zeros((180, 320), np.uint16), "one channel of 8 bits"),
        (np.ones((180, 320), np.uint8), "values 0 and 1"),
    ],
)
def test_masks_that_do_not_fit_are_named(tmp_path, plane, reason):
    plain = write_set(tmp_path / "plain", 1, **UNLABELLED)
    folder = write_masks(tmp_path / "surface", ["road/000.png"], plane)
    [fault] = by_masks(plain, drivable=folder)
    assert isinstance(fault, LabelError)
    assert reason in str(fault) and str(folder / "road/000.png") in str(fault)


def test_one_mask_is_not_taken_for_two_images(tmp_path):
    for name in ("a/0.png", "b/0.png"):
        write_masks(tmp_path / "pictures", [name], np.zeros((180, 320, 3), np.uint8))
    folder = write_masks(tmp_path / "surface", ["0.png"], teacher()[0])
    first, second = by_masks(tmp_path / "pictures", drivable=folder)
    assert first.name == "a/0.png"
    assert "the mask of image 1 would be that of image 2 (b/0.png) too" in str(second)
