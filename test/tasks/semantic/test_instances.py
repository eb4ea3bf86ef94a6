# SPDX-License-Identifier: Apache-2.0
"""iIoU: an object weighs what an average one of its class does, whatever its size."""

from __future__ import annotations

import math

import numpy as np
import pytest

from shared_encoder_perception.images.preprocess import Crop
from shared_encoder_perception.tasks.semantic.answer import SemanticMask
from shared_encoder_perception.tasks.semantic.classes import UNLABELLED
from shared_encoder_perception.tasks.semantic.instances import AVERAGE_PX
from shared_encoder_perception.tasks.semantic.label import Label
from shared_encoder_perception.tasks.semantic.metric import FullMetric
from shared_encoder_perception.tasks.semantic.tables import CAMVID_11, CITYSCAPES_19, WORLD

SIZE = (20, 40)
WHOLE = Crop(0, 0, SIZE[1], SIZE[0])
IDS = {one.name: one.id for one in CITYSCAPES_19}
ROAD, CAR, BUS, PERSON = (IDS[name] for name in ("road", "car", "bus", "person"))


def score(said, truth, instances, crop=WHOLE, table=CITYSCAPES_19):
    metric = FullMetric()
    answer = SemanticMask(said, np.full(SIZE, 255, np.uint8), table)
    metric.update(answer, Label(truth, table, instances=instances), SIZE, crop)
    return metric.compute()["instances"]


def two_cars():
    """A near car of 200 pixels and a far one of 4, on a road."""
    truth, instances = np.full(SIZE, ROAD, np.uint8), np.zeros(SIZE, np.uint16)
    truth[:10, :20], instances[:10, :20] = CAR, 7
    truth[12:14, 30:32], instances[12:14, 30:32] = CAR, 9
    return truth, instances


def test_a_far_object_weighs_as_much_as_a_near_one():
    truth, instances = two_cars()
    said = truth.copy()
    said[12:14, 30:32] = ROAD
    assert score(said, truth, instances)["classes"]["car"] == pytest.approx(0.5)
    half = truth.copy()
    half[:10, :10] = ROAD
    assert score(half, truth, instances)["classes"]["car"] == pytest.approx(0.75)


def test_what_is_wrongly_said_is_not_weighted():
    truth, instances = two_cars()
    said = truth.copy()
    said[15:, :] = CAR
    found, wrong = 2 * AVERAGE_PX["car"], 5 * SIZE[1]
    assert score(said, truth, instances)["classes"]["car"] == pytest.approx(found / (found + wrong))


def test_objects_of_average_size_are_scored_as_pixels_are(monkeypatch):
    """Limit: then iIoU is IoU."""
    truth, instances = two_cars()
    instances[instances == 9], truth[12:14, 30:32] = 0, ROAD
    monkeypatch.setattr(
        "shared_encoder_perception.tasks.semantic.instances.AVERAGE_PX", {"car": 200.0}
    )
    said = truth.copy()
    said[:10, :5], said[15, :] = ROAD, CAR
    metric = FullMetric()
    answer = SemanticMask(said, np.full(SIZE, 255, np.uint8), CITYSCAPES_19)
    metric.update(answer, Label(truth, CITYSCAPES_19, instances=instances), SIZE, WHOLE)
    iou = (10 * 15) / (200 + SIZE[1])
    assert metric.compute()["instances"]["classes"]["car"] == pytest.approx(iou)


def test_one_vehicle_for_another_is_right_as_a_category():
    truth, instances = two_cars()
    said = np.where(truth == CAR, BUS, truth).astype(np.uint8)
    found = score(said, truth, instances)
    assert found["classes"]["car"] == found["classes"]["bus"] == 0.0
    assert found["categories"]["vehicle"] == found["category_iiou"] == 1.0


def test_without_instances_there_is_no_score_and_never_zero():
    truth, _ = two_cars()
    found = score(np.full(SIZE, ROAD, np.uint8), truth, None)
    assert found["images"] == 0 and found["classes"] == {} and math.isnan(found["iiou"])
    nobody = score(np.full(SIZE, ROAD, np.uint8), truth, np.zeros(SIZE, np.uint16))
    assert nobody["images"] == 1 and all(map(math.isnan, nobody["classes"].values()))
    assert math.isnan(nobody["iiou"]) and math.isnan(nobody["categories"]["vehicle"])


def test_a_crowd_and_what_is_not_labelled_have_no_objects():
    truth, instances = two_cars()
    truth[16:, :10] = PERSON  # of whom nobody told one from another
    hidden = truth.copy()
    hidden[:10, :20] = UNLABELLED
    said = np.full(SIZE, ROAD, np.uint8)
    said[12:14, 30:32] = CAR
    found = score(said, hidden, instances)
    assert found["classes"]["car"] == 1.0 and math.isnan(found["classes"]["person"])


def test_one_number_in_two_classes_is_two_objects():
    truth, instances = two_cars()
    truth[16:, :10], instances[16:, :10] = PERSON, 7
    found = score(truth, truth, instances)["classes"]
    assert found["car"] == found["person"] == 1.0


def test_the_crop_cuts_what_is_scored_and_not_how_large_objects_are():
    truth, instances = two_cars()
    said = truth.copy()
    said[:, 10:20] = ROAD
    left = Crop(0, 0, 10, SIZE[0])
    assert score(said, truth, instances, left)["classes"]["car"] == 1.0
    said = truth.copy()
    said[:10, :10] = ROAD  # half of the near car is missed; of the far one nothing is scored
    near = score(said, truth, instances, Crop(0, 0, 20, SIZE[0]))
    assert near["classes"]["car"] == pytest.approx(0.5)


def test_only_classes_of_a_known_size_are_scored():
    truth = np.full(SIZE, 8, np.uint8)  # CamVid's car, and its pedestrians, who are no persons
    found = score(truth, truth, np.ones(SIZE, np.uint16), table=CAMVID_11)
    assert found["classes"] == {"car": 1.0} and found["categories"] == {"vehicle": 1.0}
    person = next(one.id for one in WORLD if one.name == "person")
    ids = np.full(SIZE, person, np.uint8)
    assert score(ids, ids, np.ones(SIZE, np.uint16), table=WORLD)["classes"] == {"person": 1.0}


def test_merged_is_pooled():
    rng = np.random.default_rng(0)
    pooled, merged = FullMetric(), FullMetric()
    for _ in range(4):
        truth = rng.integers(11, 19, SIZE, np.uint8)
        said = np.where(rng.random(SIZE) < 0.5, truth, 3).astype(np.uint8)
        label = Label(truth, CITYSCAPES_19, instances=rng.integers(0, 3, SIZE, np.uint16))
        answer = SemanticMask(said, np.full(SIZE, 255, np.uint8), CITYSCAPES_19)
        one = FullMetric()
        for metric in (pooled, one):
            metric.update(answer, label, SIZE, WHOLE)
        merged.merge(one)
    expected, found = pooled.compute()["instances"], merged.compute()["instances"]
    for key in ("classes", "categories"):
        assert found[key] == pytest.approx(expected[key], rel=1e-12)
    assert found["images"] == expected["images"] == 4
    merged.merge(FullMetric())
    assert merged.compute()["instances"] == found
