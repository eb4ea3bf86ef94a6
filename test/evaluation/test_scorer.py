# SPDX-License-Identifier: Apache-2.0
"""The scorer: what the network cannot see is not scored, and parts merge into the whole."""

import json

import numpy as np
import pytest
from road_answers import CROP, SIZE, perceive, sample
from samples import sample_of

from shared_encoder_perception.evaluation.scorer import Scorer
from shared_encoder_perception.images.preprocess import Crop


def test_only_the_crop_is_scored():
    scorer = Scorer((64, 160))
    scorer.update("road", perceive(), sample(), CROP)
    scores = scorer.compute()["road"]
    assert scores["lanes"]["ego"]["valid_row_accuracy"] == 1.0
    assert scores["mask"]["iou"] == 1.0
    whole = Scorer((64, 160))
    whole.update("road", perceive(), sample(), Crop(0, 0, 320, 180))
    assert whole.compute()["road"]["lanes"]["ego"]["valid_row_accuracy"] < 0.9
    assert whole.compute()["road"]["mask"]["iou"] < 0.8


def test_a_line_outside_the_crop_is_not_scored():
    scorer = Scorer((64, 160))
    far = sample()
    scorer.update("road", perceive(), far, Crop(0, 0, 320, 30))
    assert scorer.compute()["road"]["lanes"]["ego"]["labelled"] == 0


def test_merged_parts_equal_the_whole():
    whole, parts = Scorer((64, 160)), [Scorer((64, 160)) for _ in range(2)]
    for index, source in enumerate("aabab"):
        item = (source, perceive(shift=3.0 * index), sample(), CROP)
        whole.update(*item)
        parts[index % 2].update(*item)
    parts[0].merge(parts[1])
    assert json.dumps(parts[0].compute()) == json.dumps(whole.compute())
    assert parts[0].summary() == pytest.approx(whole.summary(), nan_ok=True)


def test_the_score_is_the_mean_of_what_is_known():
    scorer = Scorer((64, 160))
    scorer.update("road", perceive(), sample(), CROP)
    summary = scorer.summary()
    assert summary["lane_accuracy"] == summary["lane_f1"] == summary["mask_iou"] == 1.0
    assert summary["score"] == 1.0
    only_mask = Scorer((64, 160))
    bare = sample_of(np.zeros((*SIZE, 3), np.uint8), {}, sample().labels["drivable_surface"].mask)
    only_mask.update("road", perceive(), bare, CROP)
    assert np.isnan(only_mask.summary()["lane_accuracy"])
    assert only_mask.summary()["score"] == 1.0
