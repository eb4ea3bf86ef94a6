# SPDX-License-Identifier: Apache-2.0
"""Our scores of classes are those of the benchmark's own evaluator, of cityscapesScripts."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from shared_encoder_perception.images.preprocess import Crop
from shared_encoder_perception.tasks.semantic.answer import SemanticMask
from shared_encoder_perception.tasks.semantic.classes import UNLABELLED
from shared_encoder_perception.tasks.semantic.label import Label
from shared_encoder_perception.tasks.semantic.metric import FullMetric, Metric
from shared_encoder_perception.tasks.semantic.tables import (
    CITYSCAPES_19,
    CITYSCAPES_34,
    CITYSCAPES_TRAINED,
)

evaluator = pytest.importorskip("cityscapesscripts.evaluation.evalPixelLevelSemanticLabeling")

SIZE = (48, 96)
CELLS = (12, 24)
WITH_OBJECTS = tuple(range(24, 34))
CARAVAN, TRAILER = 29, 30
MAPS = 50


def blocks(rng, ids):
    """Draw ids in blocks, as things are: neighbours are often of one class."""
    return cv2.resize(
        rng.choice(ids, CELLS).astype(np.uint8), SIZE[::-1], interpolation=cv2.INTER_NEAREST
    )


def random_maps(seed, said_ids=tuple(range(34))):
    """Return labels, instances and answers, in the benchmark's ids, ignored ones among them."""
    rng = np.random.default_rng(seed)
    truth = blocks(rng, 34)
    said = np.where(rng.random(SIZE) < 0.6, truth, blocks(rng, said_ids))
    said = np.where(np.isin(said, said_ids), said, said_ids[0]).astype(np.uint8)
    number = blocks(rng, 4).astype(np.int32)  # 3: one of many, which nobody told apart
    objects = np.isin(truth, WITH_OBJECTS)
    single = objects & (number < 3)
    instances = np.where(single, truth.astype(np.int32) * 1000 + number, truth)
    return truth, instances.astype(np.uint16), said


def theirs(folder, maps, monkeypatch):
    """Run the evaluator on files, as the benchmark has them."""
    monkeypatch.setattr(np, "in1d", np.isin, raising=False)  # NumPy 2.4 has it no more
    for name, value in (("quiet", True), ("JSONOutput", False), ("evalInstLevelScore", True)):
        monkeypatch.setattr(evaluator.args, name, value)
    said_files, truth_files = [], []
    for index, (truth, instances, said) in enumerate(maps):
        for kind, plane in (("labelIds", truth), ("instanceIds", instances), ("said", said)):
            assert cv2.imwrite(str(folder / f"{index}_{kind}.png"), plane)
        truth_files.append(str(folder / f"{index}_labelIds.png"))
        said_files.append(str(folder / f"{index}_said.png"))
    return evaluator.evaluateImgLists(said_files, truth_files, evaluator.args)


def ours(maps, crop=None):
    """Score the same maps as answers of a model of the 19 classes."""
    to_trained = np.full(256, UNLABELLED, np.uint8)
    to_trained[list(CITYSCAPES_TRAINED)] = range(19)
    basic, full = Metric(), FullMetric()
    for truth, instances, said in maps:
        answer = SemanticMask(to_trained[said], np.full(SIZE, 255, np.uint8), CITYSCAPES_19)
        single = np.where(instances >= 1000, instances, np.uint16(0))
        label = Label(truth, CITYSCAPES_34, instances=single)
        for metric in (basic, full):
            metric.update(answer, label, SIZE, crop or Crop(0, 0, SIZE[1], SIZE[0]))
    return {**basic.compute(), **full.compute()}


def test_classes_and_categories_are_theirs_on_fifty_maps(tmp_path, monkeypatch):
    """To the last bit of each class; ignored ids are labelled, and said, in all of the maps."""
    maps = [random_maps(seed) for seed in range(MAPS)]
    expected, found = theirs(tmp_path, maps, monkeypatch), ours(maps)
    scores = found["semantic"]
    names = [one.name for one in CITYSCAPES_19]
    assert {name: scores["classes"][name]["iou"] for name in names} == {
        name: expected["classScores"][name] for name in names
    }
    assert scores["miou"] == pytest.approx(expected["averageScoreClasses"], rel=1e-12)
    for name, iou in scores["categories"].items():
        assert iou == pytest.approx(expected["categoryScores"][name], rel=1e-12)
    assert scores["category_iou"] == pytest.approx(expected["averageScoreCategories"], rel=1e-12)


def test_each_map_alone_is_scored_as_theirs(tmp_path, monkeypatch):
    for seed in range(MAPS):
        maps = [random_maps(1000 + seed)]
        expected, scores = theirs(tmp_path, maps, monkeypatch), ours(maps)["semantic"]
        for name, one in scores["classes"].items():
            assert one["iou"] == pytest.approx(expected["classScores"][name], abs=0, nan_ok=True)


def test_objects_weigh_as_theirs(tmp_path, monkeypatch):
    """By iIoU of classes and of categories.

    What is said to be a caravan or trailer, which a model of 19 classes cannot say, is left out:
    the evaluator takes it for a vehicle in the categories' iIoU, and for a miss in their IoU.
    """
    sayable = tuple(one for one in range(34) if one not in (CARAVAN, TRAILER))
    maps = [random_maps(seed, sayable) for seed in range(MAPS)]
    expected, found = theirs(tmp_path, maps, monkeypatch), ours(maps)["instances"]
    assert found["images"] == MAPS
    assert list(found["classes"]) == [
        *("person", "rider", "car", "truck", "bus", "train", "motorcycle", "bicycle")
    ]
    for name, iiou in found["classes"].items():
        assert 0 < iiou < 1
        assert iiou == pytest.approx(expected["classInstScores"][name], rel=1e-12)
    assert list(found["categories"]) == ["human", "vehicle"]
    for name, iiou in found["categories"].items():
        assert iiou == pytest.approx(expected["categoryInstScores"][name], rel=1e-12)
    assert found["iiou"] == pytest.approx(expected["averageScoreInstClasses"], rel=1e-12)
    assert found["category_iiou"] == pytest.approx(
        expected["averageScoreInstCategories"], rel=1e-12
    )


def test_classes_weigh_as_theirs_though_anything_is_said(tmp_path, monkeypatch):
    maps = [random_maps(2000 + seed) for seed in range(MAPS)]
    expected, found = theirs(tmp_path, maps, monkeypatch), ours(maps)["instances"]
    for name, iiou in found["classes"].items():
        assert iiou == pytest.approx(expected["classInstScores"][name], rel=1e-12)
