# SPDX-License-Identifier: Apache-2.0
"""Baselines: the constant one is right where nothing changes, the empty one where nothing is."""

import math

import numpy as np
import pytest
from samples import sample_of

from shared_encoder_perception.evaluation.baseline_answers import CONSTANT, EMPTY, BaselineAnswers
from shared_encoder_perception.evaluation.labelled_images import Labels
from shared_encoder_perception.evaluation.scorer import Scorer
from shared_encoder_perception.images.preprocess import Crop
from shared_encoder_perception.labels.frame import constant
from shared_encoder_perception.tasks.lanes.answer import LaneId

SIZE = (180, 320)
WHOLE = Crop(0, 0, 320, 180)
Y = np.arange(179.0, 49.0, -10.0)
LINE = np.stack((np.full_like(Y, 160.0), Y), axis=1).astype(np.float32)
MASK = np.zeros(SIZE, np.uint8)
MASK[90:] = 255
SAMPLE = sample_of(np.zeros((*SIZE, 3), np.uint8), {LaneId.EGO: LINE, LaneId.LEFT_EGO: None}, MASK)


@pytest.fixture
def answers():
    """Baselines that have seen the sample twice."""
    found = BaselineAnswers(SAMPLE.labels)
    labels = {name: constant(label) for name, label in SAMPLE.labels.items()}
    found.learn([Labels("road", 0, labels, SIZE)] * 2)
    return found


def scored(perception):
    scorer = Scorer((64, 160))
    scorer.update("road", perception, SAMPLE, WHOLE)
    return scorer.compute()["road"]


def test_a_constant_world_is_known_by_heart(answers):
    said = answers.answer(CONSTANT, "road", 0, SIZE)
    scores = scored(said)
    assert scores["lanes"]["ego"]["f1"] == scores["lanes"]["ego"]["valid_row_accuracy"] == 1.0
    assert scores["lanes"]["ego"]["over_reach"] == pytest.approx(0, abs=0.01)
    assert scores["lanes"]["left_ego"]["false_alarms"] == 0
    assert scores["mask"]["iou"] > 0.98
    assert said.answers["lanes"][LaneId.EGO].confidence == 1.0


def test_the_empty_baseline_finds_nothing_and_raises_no_alarm(answers):
    scores = scored(answers.answer(EMPTY, "road", 0, SIZE))
    assert scores["lanes"]["ego"]["recall"] == scores["lanes"]["ego"]["valid_row_accuracy"] == 0.0
    assert math.isnan(scores["lanes"]["ego"]["precision"])
    assert scores["lanes"]["left_ego"]["false_alarms"] == 0
    assert scores["mask"]["iou"] == 0.0
