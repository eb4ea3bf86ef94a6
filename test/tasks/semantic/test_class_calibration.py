# SPDX-License-Identifier: Apache-2.0
"""Confidence of classes: fitted to how often they are right, and looked up on the host."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from shared_encoder_perception.images.preprocess import ImageTransform
from shared_encoder_perception.tasks.byte_confidence import calibrated_table
from shared_encoder_perception.tasks.reliability import reliability_of
from shared_encoder_perception.tasks.semantic.calibrate import Events, uncalibrated
from shared_encoder_perception.tasks.semantic.decode import Decoder, Options
from shared_encoder_perception.tasks.semantic.label import Label
from shared_encoder_perception.tasks.semantic.metric import Metric
from shared_encoder_perception.tasks.semantic.spec import Block

SIZE = (64, 160)
TRANSFORM = ImageTransform.fit(SIZE, SIZE)


def frame(seed, too_sure=1.0):
    """Outputs whose class is right as often as their confidence, made surer, says."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 13, SIZE, np.uint8)
    worth = rng.uniform(0.3, 0.98, SIZE)
    right = rng.random(SIZE) < worth
    ids = np.where(right, truth, (truth + 1) % 13).astype(np.uint8)
    logit = too_sure * np.log(worth / (1 - worth))
    stated = np.round(255 / (1 + np.exp(-logit))).astype(np.uint8)
    return {"semantic": ids, "semantic_confidence": stated}, Label(truth, Block().classes)


def calibrated(too_sure, frames=6):
    events = Events(Block(), SIZE)
    for seed in range(frames):
        outputs, label = frame(seed, too_sure)
        events.update("world", False, outputs, TRANSFORM, label)
    return events.fit(), events


def error(block, too_sure):
    """Calibration error on other frames."""
    metric = Metric()
    for seed in range(100, 104):
        outputs, label = frame(seed, too_sure)
        answer = Decoder(block, SIZE)(outputs, TRANSFORM, Options.of(block))
        metric.update(answer, label, SIZE, TRANSFORM.crop)
    return reliability_of(*metric.binned().T).ece


def test_confidence_comes_true_after_calibration():
    block, events = calibrated(2.0)
    assert block.confidence_temperature == pytest.approx(2.0, rel=0.05)
    assert block.confidence_bias == pytest.approx(0.0, abs=0.05)
    assert error(Block(), 2.0) > 0.08 and error(block, 2.0) < 0.015
    assert events.lines(block) == [
        f"classes: temperature {block.confidence_temperature:.2f}, "
        f"bias {block.confidence_bias:+.2f}, from world"
    ]


def test_honest_confidence_stays_as_it_is():
    block, _ = calibrated(1.0)
    assert (block.confidence_temperature, block.confidence_bias) == pytest.approx((1, 0), abs=0.05)


def test_classes_stay_as_they_are_and_confidence_in_its_order():
    block = replace(Block(), confidence_temperature=2.5, confidence_bias=-0.4)
    outputs, _ = frame(0)
    plain = Decoder(Block(), SIZE)(outputs, TRANSFORM, Options())
    answer = Decoder(block, SIZE)(outputs, TRANSFORM, Options())
    np.testing.assert_array_equal(answer.ids, plain.ids)
    np.testing.assert_array_equal(answer.confidence, calibrated_table(2.5, -0.4)[plain.confidence])
    least = Decoder(block, SIZE)(outputs, TRANSFORM, Options(unlabelled_below=0.6))
    np.testing.assert_array_equal(least.ids == 255, answer.confidence < 153)


def test_without_labels_nothing_is_fitted():
    events = Events(Block(), SIZE)
    assert events.fit() == Block()
    assert events.lines(Block()) == ["classes: temperature 1.00, bias +0.00, from nothing"]
    outputs, label = frame(0)
    nothing = replace(label, ids=np.full(SIZE, 255, np.uint8))
    events.update("world", False, outputs, TRANSFORM, nothing)
    assert events.fit() == Block() and "nothing" in events.lines(Block())[0]


def test_a_calibrated_block_can_be_made_raw_again_and_nonsense_is_refused():
    block, _ = calibrated(2.0, frames=1)
    assert block != Block() and uncalibrated(block) == Block()
    for changes in ({"confidence_temperature": 0.0}, {"confidence_bias": float("nan")}):
        with pytest.raises(ValueError, match=next(iter(changes))):
            replace(Block(), **changes)
