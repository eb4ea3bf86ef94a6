"""Calibration error: nothing for an honest forecaster, the gap for one that boasts."""

import json
import math

import numpy as np
import pytest
from perceptions import perception as perception_of
from samples import sample_of

from shared_encoder_perception.evaluation.calibration import (
    BINS,
    CalibrationMetric,
    line_is_right,
    mask_histogram,
)
from shared_encoder_perception.evaluation.evaluate import table
from shared_encoder_perception.evaluation.scorer import Scorer
from shared_encoder_perception.images.preprocess import Crop
from shared_encoder_perception.tasks.drivable.answer import DrivableMask
from shared_encoder_perception.tasks.lanes.answer import LaneId, LaneLine, LaneStatus

SIZE = (60, 80)
TRUTH = np.stack((np.full(10, 40.0), np.arange(55.0, 5.0, -5.0)), axis=1).astype(np.float32)
FAR_OFF = TRUTH + np.float32([30, 0])


def say(confidence, lane=LaneId.EGO, detected=True):
    line = LaneLine(lane, confidence=confidence)
    if detected:
        std = np.zeros(len(TRUTH), np.float32)
        line = LaneLine(lane, LaneStatus.DETECTED, confidence, TRUTH, std)
    lanes = tuple(line if other is lane else LaneLine(other) for other in LaneId)
    return perception_of(SIZE, lanes, None)


def forecast(confidences, rights):
    """A metric that has seen these lines."""
    metric = CalibrationMetric()
    for confidence, right in zip(confidences, rights, strict=True):
        metric.update(say(float(confidence)), {LaneId.EGO: TRUTH if right else FAR_OFF})
    return metric


def test_an_honest_forecaster_has_no_error():
    rng = np.random.default_rng(0)
    stated = rng.uniform(0, 1, 3000)
    lanes = forecast(stated, rng.uniform(0, 1, 3000) < stated).compute()["lanes"]
    assert lanes["ece"] < 0.04
    assert lanes["count"] == sum(count for count, _, _ in lanes["bins"]) == 3000
    assert len(lanes["bins"]) == BINS


def test_one_that_boasts_has_the_gap():
    lanes = forecast([0.9] * 10, [True] * 4 + [False] * 6).compute()["lanes"]
    assert lanes["ece"] == pytest.approx(0.9 - 0.4)
    assert lanes["bins"] == (pytest.approx((10, 0.9, 0.4)),)
    assert lanes["each"]["ego"] == {"ece": lanes["ece"], "count": 10}


def test_certainty_falls_into_the_last_bin():
    assert forecast([1.0, 0.0], [True, False]).compute()["lanes"]["ece"] == 0.0


def test_false_alarms_are_wrong_and_silence_says_nothing():
    metric = CalibrationMetric()
    metric.update(say(0.8), {LaneId.EGO: None})
    assert metric.compute()["lanes"]["ece"] == pytest.approx(0.8)
    metric.update(say(0.3, detected=False), {LaneId.EGO: None, LaneId.LEFT_EGO: TRUTH})
    metric.update(say(0.3), {LaneId.LEFT_EGO: None})  # whether ego is there is not known
    assert metric.compute()["lanes"]["count"] == 1


def test_errors_of_lanes_do_not_cancel_within_a_lane_but_are_pooled_over_them():
    metric = CalibrationMetric()
    metric.update(say(0.5), {LaneId.EGO: TRUTH})
    metric.update(say(0.5, LaneId.LEFT_EGO), {LaneId.LEFT_EGO: None})
    lanes = metric.compute()["lanes"]
    assert lanes["each"]["ego"]["ece"] == lanes["each"]["left_ego"]["ece"] == 0.5
    assert lanes["ece"] == 0.0


def test_nothing_said_is_not_a_number():
    calibration = CalibrationMetric().compute()
    assert math.isnan(calibration["lanes"]["ece"])
    assert math.isnan(calibration["mask"]["ece"])
    assert calibration["mask"]["bins"] == ()


def test_right_is_the_lane_metrics_right():
    line = say(0.5).lane(LaneId.EGO)
    assert line_is_right(line, TRUTH, 1280)
    assert not line_is_right(line, TRUTH + np.float32([21, 0]), 1280)
    assert not line_is_right(line, None, 1280)


def test_mask_error_of_an_honest_and_of_a_boasting_mask():
    rng = np.random.default_rng(1)
    said = rng.integers(0, 256, (200, 300), np.uint8)
    truth = np.where(rng.uniform(0, 1, said.shape) < said / 255.0, 255, 0).astype(np.uint8)
    metric = CalibrationMetric()
    metric.update_mask(said, truth)
    assert metric.compute()["mask"]["ece"] < 0.01
    metric.reset()
    metric.update_mask(np.full_like(said, 204), truth)
    assert metric.compute()["mask"]["ece"] == pytest.approx(0.8 - (truth > 0).mean())


def test_ignored_pixels_do_not_count():
    said = np.array([[0, 255, 9]], np.uint8)
    counts = mask_histogram(said, np.array([[0, 255, 127]], np.uint8))
    assert counts.sum() == 2
    assert counts[0, 0] == counts[1, 255] == 1
    with pytest.raises(ValueError, match="prediction is"):
        mask_histogram(said, said[:, :2])


def scored(seeds):
    scorer = Scorer((32, 64))
    for seed in seeds:
        rng = np.random.default_rng(seed)
        said = rng.integers(0, 256, SIZE, np.uint8)
        mask = np.where(said > 99, 255, 0).astype(np.uint8)
        perception = perception_of(SIZE, say(rng.uniform()).lanes, DrivableMask(said))
        lanes = {LaneId.EGO: TRUTH if seed % 2 else None}
        sample = sample_of(np.zeros((*SIZE, 3), np.uint8), lanes, mask)
        scorer.update("ab"[seed % 3 > 0], perception, sample, Crop(0, 10, 80, 40))
    return scorer


def test_merged_parts_equal_the_whole_inside_the_crop():
    whole, part = scored(range(12)), scored(range(0, 12, 2))
    part.merge(scored(range(1, 12, 2)))
    for source, values in whole.compute().items():
        merged, pooled = part.compute()[source]["calibration"], values["calibration"]
        for task in ("lanes", "mask"):
            assert merged[task]["ece"] == pytest.approx(pooled[task]["ece"])
            assert merged[task]["count"] == pooled[task]["count"]
        assert pooled["mask"]["count"] == values["mask"]["images"] * 40 * 80
    json.dumps(whole.compute(), allow_nan=True)
    assert "calibration error, lanes / mask" in table(whole.compute())


def test_the_diagram_is_drawn_and_says_what_it_needs(monkeypatch):
    pytest.importorskip("matplotlib", reason="make test")
    from shared_encoder_perception.evaluation import reliability

    picture = reliability.plot(scored(range(6)).compute())
    assert picture.dtype == np.uint8 and picture.shape[2] == 3
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 20
    assert reliability.plot(Scorer((32, 64)).compute()).shape == picture.shape
    monkeypatch.setattr(reliability, "find_spec", lambda name: None)
    with pytest.raises(RuntimeError, match=r"needs 'matplotlib'.*\.\[report\]"):
        reliability.plot({})
