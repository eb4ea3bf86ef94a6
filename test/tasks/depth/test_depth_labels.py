# SPDX-License-Identifier: Apache-2.0
"""Labels of depth: files, faults, pictures that are moved; and how answers are scored."""

import math
from dataclasses import replace

import cv2
import numpy as np
import pytest

from shared_encoder_perception.images.preprocess import Crop, ImageTransform
from shared_encoder_perception.tasks.depth import labels as room
from shared_encoder_perception.tasks.depth.answer import METRIC, RELATIVE, DepthMap
from shared_encoder_perception.tasks.depth.baseline import Constant
from shared_encoder_perception.tasks.depth.label import GROUND, VEHICLE, Label
from shared_encoder_perception.tasks.depth.metric import FullMetric, Metric, headline
from shared_encoder_perception.tasks.label_files import LabelError
from shared_encoder_perception.world.synthetic import VALIDATION_SEED, render_sample

SIZE = (40, 100)
WHOLE = Crop(0, 0, 100, 40)
GOOD = {"depth": "depth/a.png", "depth_scale_m": 0.01, "depth_kind": "metric", "focal_px": 90}


def plane(value=20.0):
    return np.full(SIZE, value, np.float32)


def test_steps_and_metres_are_each_others_inverse():
    depth = plane(12.5)
    depth[0, 0], depth[0, 1], depth[0, 2] = np.nan, np.inf, 1000.0
    steps = room.steps_of(depth, room.STEP_M)
    assert steps[0, :3].tolist() == [room.NOT_KNOWN, room.FAR, room.FAR]
    again = room.metres(steps, room.STEP_M)
    assert np.isnan(again[0, 0]) and np.isposinf(again[0, 1]) and again[5, 5] == 12.5


@pytest.mark.parametrize("kind", [METRIC, RELATIVE])
def test_a_label_survives_its_files(kind, tmp_path):
    from pathlib import Path

    depth = np.random.default_rng(0).uniform(1, 90, SIZE).astype(np.float32)
    focal = 90.0 if kind == METRIC else math.nan
    label = Label(depth, focal, kind, np.full(SIZE, GROUND, np.uint8), height_m=1.5)
    record = room.write(label, tmp_path, Path("a/b.jpg"))
    assert not list(room.faults(record, SIZE)) and room.complete(record) == (kind == METRIC)
    read = room.read(record, tmp_path, SIZE)()
    np.testing.assert_allclose(read.depth, depth, atol=record["depth_scale_m"] * 0.51)
    assert read.kind == kind and (read.owners == GROUND).all() and read.height_m == 1.5
    assert read.focal_px == focal or math.isnan(read.focal_px)


FAULTS = {
    "no path": ({"depth": "/etc/passwd"}, "depth is"),
    "no scale": ({"depth_scale_m": None}, "depth_scale_m is missing"),
    "scale of nothing": ({"depth_scale_m": 0}, "above 0"),
    "scale is text": ({"depth_scale_m": "mm"}, "above 0"),
    "no kind": ({"depth_kind": None}, "depth_kind is"),
    "another kind": ({"depth_kind": "disparity"}, "relative"),
    "no focal length": ({"focal_px": None}, "focal_px is missing"),
    "endless focal length": ({"focal_px": math.inf}, "above 0"),
    "below the road": ({"camera_height_m": -1.2}, "camera_height_m is -1.2"),
    "scale without depth": ({"depth": None}, "depth is missing"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_of_a_line_is_named(name):
    change, said = FAULTS[name]
    record = {key: value for key, value in (GOOD | change).items() if value is not None}
    assert any(said in fault for fault in room.faults(record, SIZE)), list(
        room.faults(record, SIZE)
    )
    assert not list(room.faults(GOOD, SIZE))


PNGS = {
    "8 bits": (np.full(SIZE, 7, np.uint8), "uint16"),
    "three channels": (np.full((*SIZE, 3), 700, np.uint16), "one channel"),
    "another size": (np.full((20, 20), 700, np.uint16), "(20, 20)"),
}


@pytest.mark.parametrize("name", PNGS)
def test_a_png_that_is_no_depth_is_refused(name, tmp_path):
    picture, said = PNGS[name]
    (tmp_path / "depth").mkdir()
    cv2.imwrite(str(tmp_path / "depth/a.png"), picture)
    with pytest.raises(LabelError, match=r"a\.png") as caught:
        room.read(GOOD, tmp_path, SIZE)()
    assert said in str(caught.value)


def test_moved_pictures_are_of_another_focal_length():
    label = Label(plane(), 80.0)
    transform = ImageTransform.fit(SIZE, (80, 200))
    assert room.view(label, transform).focal_px == 160.0
    turn = cv2.getRotationMatrix2D((50, 20), 17.0, 1.5)
    moved = room.warp(label, turn, SIZE)
    assert moved.focal_px == pytest.approx(120.0) and np.isnan(moved.depth).any()
    assert room.mirror(label, 100).focal_px == 80.0


def test_two_labels_of_one_picture():
    one, other = Label(plane(), 80.0), Label(plane(), 80.0, owners=np.ones(SIZE, np.uint8))
    assert room.merge(one, other)[0].owners is other.owners
    teacher = Label(plane(3.0), math.nan, RELATIVE)
    assert room.merge(teacher, one) == (one, (("depth", RELATIVE),))
    assert room.merge(one, Label(plane(21.0), 80.0))[1] == (("depth", None),)


@pytest.mark.parametrize(
    "change",
    [
        {"depth": plane().astype(float)},
        {"depth": plane(0.0)},
        {"focal_px": -1.0},
        {"kind": "x"},
        {"owners": np.full(SIZE, 9, np.uint8)},
    ],
)
def test_a_label_that_makes_no_sense_is_refused(change):
    with pytest.raises(ValueError, match=r"depth|focal|kind|owners"):
        replace(Label(plane(), 80.0), **change).check(SIZE)


def scored(answer, label, kind=Metric):
    metric = kind()
    metric.update(answer, label, SIZE, WHOLE)
    return metric.compute()


def test_errors_by_hand():
    truth, said = plane(20.0), plane(22.0)
    said[:, :10] = 40.0
    answer = DepthMap(said, np.full(SIZE, 0.2, np.float32), focal_px=50.0)
    found = scored(answer, Label(truth, 50.0))["depth"]
    assert found["absrel"] == pytest.approx(0.9 * 0.1 + 0.1 * 1.0)
    assert found["delta1"] == pytest.approx(0.9) and found["delta3"] == pytest.approx(0.9)
    assert found["rmse"] == pytest.approx(math.sqrt(0.9 * 4 + 0.1 * 400))
    assert found["within_sigma"] == pytest.approx(0.9)
    assert found["shape"]["absrel"] == pytest.approx(0.1 * (40 * 20 / 22 - 20) / 20)


def test_a_wrong_focal_length_is_a_wrong_depth():
    """Twenty percent too long, twenty percent too far; the shape hides it."""
    truth = np.random.default_rng(0).uniform(5, 50, SIZE).astype(np.float32)
    unit = DepthMap((truth / 80.0).astype(np.float32))
    right = scored(unit, Label(truth, 80.0))["depth"]
    wrong = scored(unit.through(96.0), Label(truth, 80.0))["depth"]
    assert right["absrel"] < 1e-6
    assert wrong["absrel"] == pytest.approx(0.2, abs=1e-4)
    assert wrong["shape"]["absrel"] == pytest.approx(0, abs=1e-4)


def test_the_unknown_is_not_scored_and_beyond_counts_as_the_farthest():
    truth, said = plane(20.0), plane(20.0)
    said[:, 50:] = np.nan
    found = scored(DepthMap(said, focal_px=80.0), Label(truth, 80.0))["depth"]
    assert (found["absrel"], found["answered"]) == (0.0, 0.5)
    said[:, 50:] = np.inf
    found = scored(DepthMap(said, beyond=40.0, focal_px=80.0), Label(truth, 80.0))["depth"]
    assert (found["absrel"], found["answered"]) == (0.5, 1.0)
    truth[:20] = np.inf
    found = scored(DepthMap(said, beyond=40.0, focal_px=80.0), Label(truth, 80.0))["depth"]
    assert found["beyond"] == 0.5


def test_relative_answers_have_a_shape_and_no_metres():
    truth = np.random.default_rng(0).uniform(5, 50, SIZE).astype(np.float32)
    said = (1 / (3 / truth + 0.1)).astype(np.float32)
    found = scored(DepthMap(said, kind=RELATIVE), Label(truth, 80.0))["depth"]
    assert math.isnan(found["absrel"]) and found["shape"]["absrel"] < 1e-3


def test_distances_and_owners_are_told_apart():
    truth, said = plane(5.0), plane(5.0)
    truth[:20], said[:20] = 30.0, 33.0
    owners = np.full(SIZE, GROUND, np.uint8)
    owners[:20] = VEHICLE
    label = Label(truth, 80.0, owners=owners)
    found = scored(DepthMap(said, focal_px=80.0), label, FullMetric)
    assert found["depth_bins"]["25-50 m"] == pytest.approx(
        {"pixels": 2000, "absrel": 0.1, "delta1": 1.0}
    )
    assert found["depth_owners"]["vehicle"]["absrel"] == pytest.approx(0.1)
    assert found["depth_owners"]["ground"]["absrel"] == 0


def test_a_flat_road_stands_beside_worlds():
    metric = FullMetric()
    for seed in range(3):
        label = render_sample(VALIDATION_SEED + seed, SIZE, tasks=("depth",)).labels["depth"]
        answer = DepthMap(label.depth, focal_px=label.focal_px)
        metric.update(answer, label, SIZE, WHOLE)
    flat = metric.compute()["depth_flat"]
    assert flat["all"]["model"] == 0 and 0 < flat["ground"]["flat"] < 0.5


def test_the_usual_depth_is_told_the_focal_length():
    usual = Constant()
    usual.update(Label(plane(20.0), 80.0), SIZE)
    usual.update(Label(plane(40.0), 160.0), SIZE)
    answer = usual.answer(SIZE)
    assert scored(answer, Label(plane(10.0), 40.0))["depth"]["absrel"] == pytest.approx(0, abs=1e-5)
    assert math.isnan(headline({"a": Metric()})["depth_delta1"])
