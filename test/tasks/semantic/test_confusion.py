# SPDX-License-Identifier: Apache-2.0
"""The confusion matrix: by identity, by hand, and against another way to count."""

from __future__ import annotations

import numpy as np
import pytest

from shared_encoder_perception.images.preprocess import Crop
from shared_encoder_perception.tasks.semantic.answer import SemanticMask
from shared_encoder_perception.tasks.semantic.classes import UNLABELLED
from shared_encoder_perception.tasks.semantic.confusion import (
    class_scores,
    counted,
    merged,
    scores_of,
)
from shared_encoder_perception.tasks.semantic.label import Label
from shared_encoder_perception.tasks.semantic.metric import Metric
from shared_encoder_perception.tasks.semantic.tables import CAMVID_11, CITYSCAPES_34, IDD_7, WORLD

SIZE = (40, 60)


def random_ids(seed, classes, unlabelled=0.1):
    rng = np.random.default_rng(seed)
    ids = rng.integers(0, classes, SIZE, np.uint8)
    ids[rng.random(SIZE) < unlabelled] = UNLABELLED
    return ids


def by_hand(said, truth, classes):
    """IoU of each class, counted class by class with sets of pixels."""
    labelled = truth != UNLABELLED
    ious = []
    for one in range(classes):
        here, there = (said == one) & labelled, truth == one
        union = (here | there).sum()
        ious.append((here & there).sum() / union if union else np.nan)
    return np.array(ious)


@pytest.mark.parametrize("seed", range(50))
def test_it_counts_as_sets_of_pixels_do(seed):
    classes = 3 + seed % 30
    said, truth = random_ids(seed, classes), random_ids(1000 + seed, classes)
    matrix = counted(said, truth, classes)
    assert matrix.sum() == (truth != UNLABELLED).sum()
    np.testing.assert_array_equal(class_scores(matrix).iou, by_hand(said, truth, classes))


def test_what_is_not_labelled_counts_nowhere_and_what_is_not_said_is_missed():
    truth = np.array([[0, 0, 1, UNLABELLED]], np.uint8)
    said = np.array([[0, UNLABELLED, 1, 0]], np.uint8)
    scores = class_scores(counted(said, truth, 3))
    np.testing.assert_array_equal(scores.iou, [0.5, 1.0, np.nan])
    np.testing.assert_array_equal(scores.precision, [1.0, 1.0, np.nan])
    np.testing.assert_array_equal(scores.recall, [0.5, 1.0, np.nan])


def test_the_label_itself_is_perfect_and_its_complement_worthless():
    truth = random_ids(0, len(WORLD))
    known = np.where(truth == UNLABELLED, 0, truth).astype(np.uint8)
    perfect = scores_of(counted(known, truth, 13), np.ones(13, np.int64), WORLD)
    assert perfect["miou"] == perfect["category_iou"] == perfect["pixel_accuracy"] == 1.0
    wrong = ((known + 1) % 13).astype(np.uint8)
    assert scores_of(counted(wrong, truth, 13), np.ones(13, np.int64), WORLD)["miou"] == 0.0


def test_confusion_inside_a_category_is_right_there():
    """A truck that is taken for a car is a vehicle all the same."""
    car, truck = 26, 27
    truth = np.array([[car, truck, truck, 7]], np.uint8)
    said = np.array([[car, car, truck, 7]], np.uint8)
    scores = scores_of(counted(said, truth, 34), np.ones(34, np.int64), CITYSCAPES_34)
    assert scores["categories"]["vehicle"] == scores["categories"]["flat"] == 1.0
    assert scores["classes"]["truck"]["recall"] == 0.5


def test_groups_keep_every_pixel():
    matrix = counted(random_ids(1, 7), random_ids(2, 7), 7)
    whole = merged(matrix, [0, 0, 1, 2, 1, 0, 2], 3)
    assert whole.shape == (3, 4) and whole.sum() == matrix.sum()
    np.testing.assert_array_equal(merged(matrix, list(range(7)), 7), matrix)


def answer(ids, table):
    return SemanticMask(ids, np.full(ids.shape, 255, np.uint8), table)


def test_labels_of_another_table_are_compared_by_name():
    ids = {one.name: one.id for one in CAMVID_11}
    truth = np.full((2, 4), ids["car"], np.uint8)  # no class of the model's
    truth[0] = ids["sky"]
    said = np.full((2, 4), [one.name for one in WORLD].index("sky"), np.uint8)
    metric = Metric()
    metric.update(answer(said, WORLD), Label(truth, CAMVID_11), (2, 4), Crop(0, 0, 4, 2))
    scores = metric.compute()["semantic"]
    assert scores["classes"]["sky"]["pixels"] == 4 and scores["miou"] == 1.0


def test_answers_of_two_tables_are_not_added():
    one, other = Metric(), Metric()
    for metric, table in ((one, WORLD), (other, IDD_7)):
        ids = np.zeros((2, 4), np.uint8)
        metric.update(answer(ids, table), Label(ids, table), (2, 4), Crop(0, 0, 4, 2))
    with pytest.raises(ValueError, match="different tables"):
        one.merge(other)
    one.merge(Metric())
    assert one.images == 1


def test_only_the_crop_counts():
    truth = random_ids(3, 13, 0.0)
    said = ((truth + 1) % 13).astype(np.uint8)
    crop = Crop(10, 5, 20, 15)
    said[crop.window] = truth[crop.window]
    metric = Metric()
    metric.update(answer(said, WORLD), Label(truth, WORLD), SIZE, crop)
    assert metric.compute()["semantic"]["pixel_accuracy"] == 1.0


def test_images_of_another_size_are_refused():
    with pytest.raises(ValueError, match="prediction is"):
        counted(np.zeros((2, 3), np.uint8), np.zeros((3, 2), np.uint8), 2)
