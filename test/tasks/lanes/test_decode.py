"""decode inverts encode, and degrades the way it should."""

import gzip
import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from specs import spec_of

from shared_encoder_perception.images.preprocess import Crop, ImageTransform
from shared_encoder_perception.predictor import Decoder
from shared_encoder_perception.spec import ModelSpec
from shared_encoder_perception.tasks.drivable.confidence import mask_probability, mask_table
from shared_encoder_perception.tasks.lanes.answer import LaneId, LaneStatus
from shared_encoder_perception.tasks.lanes.decode import DecodeOptions
from shared_encoder_perception.tasks.lanes.spec import LaneCalibration, StartPrior
from shared_encoder_perception.tasks.lanes.target import encode_lanes

SPEC = ModelSpec("test", "0")
OPTIONS = DecodeOptions.from_spec(SPEC)
SAME = ImageTransform.fit(SPEC.input_size, SPEC.input_size)
TUSIMPLE = Path(__file__).resolve().parents[4] / "shared" / "data" / "tusimple_labels"


def road(offset=0.0, bend=0.0, slope=0.0, top=60, horizon=30.0):
    """A lane ``offset`` lane widths beside the camera, (N, 2) near to far, inside the input."""
    y = np.arange(319.0, top, -2.0)
    x = 400 + (offset * 1.7 + slope) * (y - horizon) + bend * 1e4 / (y - horizon + 20)
    inside = (x >= 0) & (x <= 799)
    return np.stack((x, y), axis=1)[inside].astype(np.float32)


def decode(lanes, spec=SPEC, transform=SAME):
    targets = encode_lanes(lanes, spec.input_size, spec.stride)
    return Decoder(spec)({"lanes": targets.maps}, transform, OPTIONS)


def mean_error(line, truth):
    """Mean distance in pixels perpendicular to the line fitted to the truth."""
    ours = line.points_px[::-1].astype(float)
    common = (truth[:, 1] >= ours[0, 1]) & (truth[:, 1] <= ours[-1, 1])
    x = np.interp(truth[common, 1], ours[:, 1], ours[:, 0])
    slope = np.polyfit(truth[:, 1], truth[:, 0], 1)[0]
    return np.abs(x - truth[common, 0]).mean() / np.hypot(1, slope), common.mean()


@pytest.mark.parametrize("bend", [-1.0, -0.2, 0.0, 0.5])
@pytest.mark.parametrize("offset", [-1, 0, 1])
def test_inverts_encode(offset, bend):
    truth = road(offset, bend)
    line = decode({LaneId.EGO: truth}).lane(LaneId.EGO)
    error, covered = mean_error(line, truth)
    assert line.status is LaneStatus.DETECTED
    assert error < 0.5
    assert covered > 0.95


def test_inverts_encode_on_real_geometry():
    """Midpoints of human-labelled boundaries, TuSimple crop: under 1.5 px of 1280x720."""
    path = TUSIMPLE / "label_data_0531.json.gz"
    if not path.is_file():
        pytest.skip("the TuSimple label files are not on this machine")
    transform = ImageTransform.fit((720, 1280), SPEC.input_size, Crop(0, 194, 1280, 512))
    errors, missed = [], 0
    with gzip.open(path, "rt") as lines:
        for text in list(lines)[:200]:
            for truth in _midlines(json.loads(text)):
                points = transform.points_to_input(truth)
                line = decode({LaneId.EGO: points}, transform=transform).lane(LaneId.EGO)
                if line.detected:
                    errors.append(mean_error(line, truth)[0])
                else:
                    missed += 1
    assert len(errors) > 250
    assert missed == 0
    assert np.mean(errors) < 1.5


def _midlines(record):
    """Row midpoints of neighbouring labelled lines, near to far, cut to the crop."""
    rows = np.array(record["h_samples"], float)
    lanes = [np.array(lane, float) for lane in record["lanes"] if np.sum(np.array(lane) >= 0) > 10]
    lanes.sort(key=lambda lane: lane[lane >= 0][-1])
    for left, right in pairwise(lanes):
        both = (left >= 0) & (right >= 0) & (rows >= 200) & (rows <= 700)
        if both.sum() >= 15:
            yield np.stack(((left + right)[both] / 2, rows[both]), axis=1)[::-1]


def test_absent_unknown_and_empty_stay_silent():
    perception = decode({LaneId.EGO: None})
    assert not any(line.detected for line in perception.lanes)
    assert all(line.confidence == 0.0 for line in perception.lanes)
    noise = np.random.default_rng(0).uniform(0, 0.29, (5, 5, 40, 100)).astype(np.float32)
    assert not any(line.detected for line in Decoder(SPEC)({"lanes": noise}, SAME, OPTIONS).lanes)


def test_full_heat_map_does_not_explode():
    maps = np.ones((5, 5, 40, 100), np.float32)
    assert len(Decoder(SPEC)({"lanes": maps}, SAME, OPTIONS).lanes) == 5


def test_a_broken_output_costs_its_keypoints_alone():
    """Cells that hold NaN or infinity count as silent ones; the other lanes do not change."""
    maps = encode_lanes({LaneId.EGO: road(), LaneId.LEFT_EGO: road(-1.0)}, SPEC.input_size, 8).maps
    broken, silent = maps.copy(), maps.copy()
    broken[LaneId.EGO, 3, 20] = np.nan
    broken[LaneId.EGO, 1, 25] = np.inf
    silent[LaneId.EGO, 0, [20, 25]] = 0.0
    decoder = Decoder(SPEC)
    ours, expected = (decoder({"lanes": m}, SAME, OPTIONS).lanes for m in (broken, silent))
    assert ours[LaneId.EGO].detected and ours[LaneId.LEFT_EGO].detected
    for line, truth in zip(ours, expected, strict=True):
        assert line.confidence == truth.confidence
        np.testing.assert_array_equal(line.points_px, truth.points_px)


def test_mirrored_maps_give_mirrored_lines():
    """The heads do not know left from right, so the decoder must not either."""
    truth = road(0.3, 0.4)
    mirrored = truth * (-1, 1) + (799, 0)
    a = decode({LaneId.EGO: truth}).lane(LaneId.EGO).points_px
    b = decode({LaneId.EGO: mirrored}).lane(LaneId.EGO).points_px
    x = np.interp(a[::-1, 1], b[::-1, 1], b[::-1, 0])[::-1]
    assert np.abs((799 - x) - a[:, 0]).max() < 2.0


def test_stray_keypoints_of_another_lane_are_outvoted():
    truth, other = road(0.0), road(1.0)
    maps = encode_lanes({LaneId.EGO: truth}, SPEC.input_size, SPEC.stride).maps
    stray = encode_lanes({LaneId.EGO: other}, SPEC.input_size, SPEC.stride).maps
    every_third = np.zeros(maps.shape[2:], bool)
    every_third[::3] = True
    mixed = np.where((stray[:, :1] > maps[:, :1]) & every_third, stray, maps)
    line = Decoder(SPEC)({"lanes": mixed}, SAME, OPTIONS).lane(LaneId.EGO)
    assert mean_error(line, truth)[0] < 1.0
    assert line.confidence < decode({LaneId.EGO: truth}).lane(LaneId.EGO).confidence


def test_prior_decides_between_rivals():
    """Two lanes in one head, the stray one stronger: the learned start tells which is ours."""
    truth, other = road(-1.0), road(1.0)
    maps = encode_lanes({LaneId.EGO: truth}, SPEC.input_size, SPEC.stride).maps
    stray = encode_lanes({LaneId.EGO: other}, SPEC.input_size, SPEC.stride).maps
    maps[0, 0] *= 0.8
    mixed = np.where(stray[:, :1] > maps[:, :1], stray, maps)
    start = truth[0] / SPEC.stride
    prior = StartPrior(float(start[0]), float(start[1]), 3.0, 3.0)
    told = spec_of("test", "0", start_priors=(prior,) * 5)
    lenient = DecodeOptions(0.3, (0.1,) * 5, 0.5)
    lines = [
        Decoder(spec)({"lanes": mixed}, SAME, lenient).lane(LaneId.EGO) for spec in (SPEC, told)
    ]
    assert lines[0].points_px[0, 0] > 400
    assert lines[1].points_px[0, 0] < 400


def test_missing_rows_are_bridged():
    truth = road(0.0, 0.5)
    maps = encode_lanes({LaneId.EGO: truth}, SPEC.input_size, SPEC.stride).maps
    maps[0, 0, 20:26] = 0
    error, covered = mean_error(
        Decoder(SPEC)({"lanes": maps}, SAME, OPTIONS).lane(LaneId.EGO), truth
    )
    assert error < 0.7
    assert covered > 0.95


def test_start_votes_carry_the_line_to_its_near_end():
    truth = road(0.0)
    maps = encode_lanes({LaneId.EGO: truth}, SPEC.input_size, SPEC.stride).maps
    maps[0, 0, 34:] = 0
    line = Decoder(SPEC)({"lanes": maps}, SAME, OPTIONS).lane(LaneId.EGO)
    assert line.points_px[0, 1] > 315


def test_threshold_hides_the_line_but_keeps_its_confidence():
    maps = encode_lanes({LaneId.EGO: road()}, SPEC.input_size, SPEC.stride).maps
    strict = DecodeOptions(0.3, (0.99,) * 5, 0.5)
    line = Decoder(SPEC)({"lanes": maps}, SAME, strict).lane(LaneId.EGO)
    assert line.status is LaneStatus.NOT_DETECTED
    assert 0.4 < line.confidence < 0.99


def test_split_branch_is_where_it_leaves_ego():
    ego, left = road(0.0), road(-1.0)
    split = ego.copy()
    far = split[:, 1] < 160
    width = 1.7 * (split[:, 1] - 30)
    split[far, 0] -= ((160 - split[far, 1]) / 60).clip(0, 1) * width[far] * 0.9
    lanes = {LaneId.EGO: ego, LaneId.LEFT_EGO: left, LaneId.LEFT_SPLIT_EGO: split}
    line = decode(lanes).lane(LaneId.LEFT_SPLIT_EGO)
    assert 110 < line.points_px[line.branch_index, 1] < 160
    del lanes[LaneId.LEFT_EGO]
    assert decode(lanes).lane(LaneId.LEFT_SPLIT_EGO).branch_index == -1


def test_points_are_in_source_pixels():
    transform = ImageTransform.fit((720, 1280), SPEC.input_size, Crop(0, 194, 1280, 512))
    truth = transform.points_to_image(road(0.0, 0.3))
    line = decode({LaneId.EGO: road(0.0, 0.3)}, transform=transform).lane(LaneId.EGO)
    assert mean_error(line, truth)[0] < 1.0
    assert np.isfinite(line.x_std_px).all()
    assert (line.x_std_px >= 0).all()


def same(a, b):
    """Whether two lines are equal bit for bit."""
    return a.confidence == b.confidence and np.array_equal(a.points_px, b.points_px)


def test_an_identity_calibration_changes_nothing():
    told = replace(SPEC, lane_calibration=(LaneCalibration((0.0, 1.0), (0.0, 1.0)),) * 5)
    lanes = {LaneId.EGO: road(0.0, 0.3), LaneId.LEFT_EGO: road(-1.0)}
    for a, b in zip(decode(lanes).lanes, decode(lanes, told).lanes, strict=True):
        assert same(a, b)


def test_the_calibrated_confidence_is_what_thresholds_apply_to():
    halved = replace(SPEC, lane_calibration=(LaneCalibration((0.0, 1.0), (0.0, 0.5)),) * 5)
    before = decode({LaneId.EGO: road()}).lane(LaneId.EGO)
    assert before.detected and before.confidence / 2 < min(OPTIONS.lane_thresholds) + 0.1
    maps = encode_lanes({LaneId.EGO: road()}, SPEC.input_size, SPEC.stride).maps
    for threshold, detected in ((before.confidence * 0.6, False), (before.confidence * 0.4, True)):
        options = DecodeOptions(0.3, (threshold,) * 5, 0.5)
        line = Decoder(halved)({"lanes": maps}, SAME, options).lane(LaneId.EGO)
        assert line.confidence == pytest.approx(before.confidence / 2)
        assert line.detected == detected


def test_no_line_stays_without_confidence_whatever_the_calibration():
    sure = replace(SPEC, lane_calibration=(LaneCalibration((0.5,), (0.9,)),) * 5)
    lanes = decode({LaneId.EGO: road()}, sure).lanes
    assert lanes[LaneId.EGO].confidence == 0.9
    assert all(line.confidence == 0.0 and not line.detected for line in lanes[1:])


def test_mask_table_rises_and_is_the_identity_where_nothing_changes():
    assert np.array_equal(mask_table(1.0, 0.0), np.arange(256))
    for temperature, bias in ((0.5, 0.0), (2.0, 1.0), (1.3, -2.0)):
        assert np.all(np.diff(mask_table(temperature, bias).astype(int)) >= 0)
    flat = mask_table(2.0, 0.0).astype(int)
    assert 0 < flat[0] < 20 and 235 < flat[255] < 255
    assert np.abs(flat + flat[::-1] - 255).max() <= 1
    assert np.isfinite(mask_probability(1e-3, 0.0)).all()


def test_the_mask_is_calibrated_before_it_leaves_the_crop():
    values = np.arange(SPEC.input_size[0] * SPEC.input_size[1]).astype(np.uint8)
    mask = {"mask": values.reshape(SPEC.input_size)}
    cautious = replace(SPEC, mask_temperature=2.0, mask_bias=0.5)
    plain, told = (Decoder(spec)(mask, SAME, OPTIONS).mask for spec in (SPEC, cautious))
    assert np.array_equal(plain.probability, mask["mask"])
    assert np.array_equal(told.probability, mask_table(2.0, 0.5)[mask["mask"]])
    transform = ImageTransform.fit((400, 800), SPEC.input_size, Crop(0, 80, 800, 320))
    assert not Decoder(cautious)(mask, transform, OPTIONS).mask.probability[:80].any()
