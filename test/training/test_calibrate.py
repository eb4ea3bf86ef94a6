"""Calibration of the decoder: thresholds that separate, priors, confidence that comes true."""

import json

import numpy as np
import pytest
from samples import sample_of
from specs import spec_of
from tiny_model import write_tiny_model

from shared_encoder_perception.backends import load_backend
from shared_encoder_perception.images.preprocess import Crop
from shared_encoder_perception.predictor import Predictor
from shared_encoder_perception.spec import ModelSpec
from shared_encoder_perception.tasks.drivable.calibrate_mask import (
    fit_mask_calibration,
    fit_mask_threshold,
)
from shared_encoder_perception.tasks.drivable.confidence import mask_probability
from shared_encoder_perception.tasks.lanes.answer import LaneId
from shared_encoder_perception.training.calibrate import (
    Events,
    _best_threshold,
    calibrated,
    collect_events,
    event_weights,
    learn_start_priors,
)


def test_threshold_separates_right_from_wrong():
    confidence = np.array([0.7, 0.6, 0.8, 0.3, 0.2, -1.0])
    found = np.array([True, True, True, False, False, False])
    assert 0.3 < _best_threshold(confidence, found, labelled=4)[0] <= 0.6


def test_threshold_without_a_right_one_accepts_little():
    assert _best_threshold(np.array([0.5, 0.4]), np.array([False, False]), labelled=2)[0] >= 0.5


def samples(count, seed=0):
    rng = np.random.default_rng(seed)
    image = np.zeros((64, 160, 3), np.uint8)
    for _ in range(count):
        x = 80 + rng.normal(0, 8)
        line = np.array([[x, 60], [x, 20]], np.float32)
        yield sample_of(image, dict.fromkeys(LaneId, line), None)


def test_priors_are_where_lanes_start():
    prior = learn_start_priors(ModelSpec("m", "0", input_size=(64, 160)), samples(200))[0]
    assert prior.u == pytest.approx(10, abs=0.5)
    assert prior.v == pytest.approx(7.5)
    assert prior.sigma_u == prior.sigma_v == 3.0  # the floor


def test_too_few_samples_are_no_statistics():
    with pytest.raises(ValueError, match="only 5 samples show ego"):
        learn_start_priors(ModelSpec("m", "0", input_size=(64, 160)), samples(5))


def test_mostly_wrong_lines_are_kept_out():
    """A head that is right now and then must not raise alarms for the sake of its F1."""
    confidence = np.tile([0.3, 0.5, 0.7], 30)
    wrong = np.zeros(90, bool)
    wrong[::9] = True
    assert _best_threshold(confidence, wrong, 20)[0] == pytest.approx(0.9)
    reliable = confidence > 0.6
    assert 0.5 < _best_threshold(confidence, reliable, 40)[0] <= 0.7


def test_weights_count_as_repetition():
    confidence, found = np.array([0.3, 0.5, 0.7]), np.array([True, False, True])
    weight = np.array([3.0, 1.0, 2.0])
    copies = weight.astype(int)
    repeated = np.repeat(confidence, copies), np.repeat(found, copies)
    assert _best_threshold(confidence, found, 5, weight)[0] == _best_threshold(*repeated, 5)[0]


def events(real, worlds, seed=0):
    """Lines of which those on real frames are right as often as they say, those on worlds never."""
    rng = np.random.default_rng(seed)
    count = real + worlds
    source = np.array(["road"] * real + ["synthetic"] * worlds)
    score = rng.uniform(0, 1, (count, 5))
    right = (rng.uniform(0, 1, (count, 5)) < score) & (source == "road")[:, None]
    known = np.ones((count, 5), bool)
    return Events(source, known, known, score, right, {})


def test_enough_real_frames_weigh_as_much_as_all_worlds():
    few, enough = events(19, 300), events(20, 300)
    assert np.all(event_weights(few, LaneId.EGO) == 1.0)
    weight = event_weights(enough, LaneId.EGO)
    assert weight[:20].sum() == pytest.approx(weight[20:].sum())
    high = [
        calibrated(ModelSpec("m", "0"), {0.3: item}).lane_calibration[0] for item in (few, enough)
    ]
    assert high[0].probability[-1] < 0.3 < high[1].probability[-1]


def test_frames_that_never_show_a_lane_do_not_outvote_those_that_do():
    silent = events(30, 300)
    silent.present[:30, LaneId.LEFT_SPLIT_EGO] = False
    assert np.all(event_weights(silent, LaneId.LEFT_SPLIT_EGO) == 1.0)


def test_calibrated_confidence_comes_true_and_thresholds_are_on_its_scale():
    rng = np.random.default_rng(5)
    for size, most, highest in ((2000, 0.04, 0.6), (60, 0.2, 0.9)):
        score = rng.uniform(0, 1, (size, 5))
        right = rng.uniform(0, 1, score.shape) < score**3
        known = np.ones(score.shape, bool)
        source = np.array(["synthetic"] * size)
        found = {0.3: Events(source, known, known, score, right, {})}
        spec = calibrated(ModelSpec("m", "0"), found)
        assert spec.confidence_calibrated
        assert ModelSpec.from_json(spec.to_json()) == spec
        new = np.linspace(0, 1, 200)
        for lane, threshold in zip(spec.lane_calibration, spec.lane_thresholds, strict=True):
            said = np.interp(new, lane.score, lane.probability)
            assert np.abs(said - new**3).mean() < most
            assert 0.1 < threshold <= highest


@pytest.mark.parametrize(("temperature", "bias"), [(1.0, 0.0), (2.5, -0.7), (0.6, 0.4)])
def test_mask_calibration_is_recovered(temperature, bias):
    pixels = np.random.default_rng(0).integers(10, 1000, 256)
    share = mask_probability(temperature, bias)
    masks = {"road": np.stack((pixels * (1 - share), pixels * share)).round().astype(np.int64)}
    found = fit_mask_calibration(masks)
    assert found == pytest.approx((temperature, bias), rel=0.01, abs=0.01)
    masks["large"] = masks["road"] * 1000
    assert fit_mask_calibration(masks) == found
    assert fit_mask_calibration({**masks, "empty": np.zeros((2, 256), np.int64)}) == found


def test_sources_weigh_the_same_and_extremes_stay_finite():
    sure = np.zeros((2, 256), np.int64)
    sure[1, 255] = sure[0, 0] = 100
    temperature, bias = fit_mask_calibration({"road": sure})
    assert temperature < 1.0 and abs(bias) < 0.1
    assert fit_mask_calibration({"road": sure[::-1]})[0] == 10.0
    drivable = np.zeros((2, 256), np.int64)
    drivable[1, 128] = 10**6
    small = np.zeros_like(drivable)
    small[0, 128] = 10
    _, bias = fit_mask_calibration({"a": drivable, "b": small})
    assert bias == pytest.approx(0.0, abs=0.05)
    assert fit_mask_calibration({}) == (1.0, 0.0)


def test_events_are_collected_in_the_crop_with_nothing_held_back(tmp_path):
    path = write_tiny_model(tmp_path / "m.onnx", spec_of("m", "0", lane_thresholds=(1.0,) * 5))
    predictor = Predictor(load_backend(path))
    image = np.zeros((400, 800, 3), np.uint8)
    image[:, 400:, 1] = 255
    mask = np.where(image[:, :, 1] > 0, 255, 0).astype(np.uint8)
    mask[:80] = 255  # outside the crop
    crop = Crop(0, 80, 800, 320)
    first = predictor(image, crop)
    assert not any(line.detected for line in first.lanes)
    y = np.arange(380.0, 200.0, -10.0)
    wrong = np.stack((np.full_like(y, 10.0), y), axis=1).astype(np.float32)
    both = collect_events(
        predictor.backend,
        [
            ("road", sample_of(image, {LaneId.EGO: wrong, LaneId.LEFT_EGO: None}, mask), crop),
            ("road", sample_of(image, {LaneId.EGO: wrong[:2] - np.float32([0, 370])}, None), crop),
        ],
        (0.3, 0.99999),
    )
    assert (both[0.99999].score == -1).all()  # nothing is a keypoint
    found = both[0.3]
    assert found.labelled.tolist() == [[True, True, False, False, False], [False] * 5]
    assert found.present[0].tolist() == [True, False, False, False, False]
    assert not found.right.any()
    assert found.score[0, 0] == pytest.approx(first.lane(LaneId.EGO).confidence)
    assert found.masks["road"].sum() == 320 * 800
    assert found.masks["road"][0, 255] < 1000
    spec = calibrated(predictor.spec, {0.3: found})
    assert max(spec.lane_calibration[0].probability) < 0.5
    json.loads(spec.to_json())
    again = load_backend(write_tiny_model(tmp_path / "again.onnx", spec))
    with pytest.raises(ValueError, match="calibrated already"):
        collect_events(again, [], (0.3,))


def test_the_keypoint_threshold_that_finds_more_is_kept():
    rng = np.random.default_rng(6)
    score = rng.uniform(0.2, 1, (400, 5))
    known, source = np.ones(score.shape, bool), np.array(["synthetic"] * 400)
    events = {
        threshold: Events(source, known, known, score, rng.uniform(0, 1, score.shape) < share, {})
        for threshold, share in ((0.1, 0.6), (0.2, 0.95), (0.3, 0.8))
    }
    assert calibrated(ModelSpec("m", "0"), events).keypoint_threshold == 0.2


def test_a_few_lucky_lines_do_not_make_a_reliable_head():
    """Two of three right, by calibration one of four: it stays silent."""
    found = np.array([True, True, False])
    assert _best_threshold(np.full(3, 0.25), found, 3)[0] == pytest.approx(0.9)
    assert _best_threshold(np.full(3, 0.65), found, 3)[0] == pytest.approx(0.65)


def test_the_mask_threshold_has_the_best_iou():
    rng = np.random.default_rng(7)
    values = np.arange(256)
    masks = {
        "road": (np.stack((255 - values, values)) * rng.integers(5, 50, 256)),
        "street": (np.stack((255 - values, 2 * values)) * rng.integers(5, 50, 256)),
    }

    def iou(counts, value):
        said = values >= value
        return counts[1, said].sum() / (counts[1].sum() + counts[0, said].sum())

    mean = np.array([np.mean([iou(m, v) for m in masks.values()]) for v in range(1, 255)])
    for temperature, bias in ((1.0, 0.0), (2.0, -0.5)):
        threshold = fit_mask_threshold(masks, temperature, bias)
        value = int(np.argmin(np.abs(mask_probability(temperature, bias) - threshold)))
        assert mean[value - 1] >= mean.max() - 1e-3
        assert threshold < 0.5 or bias == 0.0  # the IoU forgives what is added to a large road
    assert fit_mask_threshold({}, 1.0, 0.0) == 0.5
