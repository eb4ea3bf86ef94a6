# SPDX-License-Identifier: Apache-2.0
"""The lanes' decoder inverts encode, and degrades the way it should."""

import gzip
import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from shared_encoder_perception.images.preprocess import Crop, ImageTransform
from shared_encoder_perception.tasks.lanes.answer import LaneId, LaneStatus
from shared_encoder_perception.tasks.lanes.decode import Decoder, Options
from shared_encoder_perception.tasks.lanes.spec import Block, LaneCalibration, StartPrior
from shared_encoder_perception.tasks.lanes.target import encode_lanes

SIZE = (320, 800)
BLOCK = Block()
OPTIONS = Options.of(BLOCK)
SAME = ImageTransform.fit(SIZE, SIZE)
TUSIMPLE = Path(__file__).resolve().parents[4] / "shared" / "data" / "tusimple_labels"


def road(offset=0.0, bend=0.0, slope=0.0, top=60, horizon=30.0):
    """A lane ``offset`` lane widths beside the camera, (N, 2) near to far, inside the input."""
    y = np.arange(319.0, top, -2.0)
    x = 400 + (offset * 1.7 + slope) * (y - horizon) + bend * 1e4 / (y - horizon + 20)
    inside = (x >= 0) & (x <= 799)
    return np.stack((x, y), axis=1)[inside].astype(np.float32)


def encoded(lanes):
    """The maps that a faultless network gives."""
    return encode_lanes(lanes, SIZE, BLOCK.stride).maps


def decoded(maps, options=OPTIONS, block=BLOCK, transform=SAME):
    return Decoder(block, SIZE)({"lanes": maps}, transform, options)


def decode(lanes, block=BLOCK, transform=SAME):
    return decoded(encoded(lanes), block=block, transform=transform)


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
    line = decode({LaneId.EGO: truth})[LaneId.EGO]
    error, covered = mean_error(line, truth)
    assert line.status is LaneStatus.DETECTED
    assert error < 0.5
    assert covered > 0.95


def test_inverts_encode_on_real_geometry():
    """Midpoints of human-labelled boundaries, TuSimple crop: under 1.5 px of 1280x720."""
    path = TUSIMPLE / "label_data_0531.json.gz"
    if not path.is_file():
        pytest.skip("the TuSimple label files are not on this machine")
    transform = ImageTransform.fit((720, 1280), SIZE, Crop(0, 194, 1280, 512))
    errors, missed = [], 0
    with gzip.open(path, "rt") as lines:
        for text in list(lines)[:200]:
            for truth in _midlines(json.loads(text)):
                points = transform.points_to_input(truth)
                line = decode({LaneId.EGO: points}, transform=transform)[LaneId.EGO]
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
    lanes = decode({LaneId.EGO: None})
    assert not any(line.detected for line in lanes)
    assert all(line.confidence == 0.0 for line in lanes)
    noise = np.random.default_rng(0).uniform(0, 0.29, (5, 5, 40, 100)).astype(np.float32)
    assert not any(line.detected for line in decoded(noise))


def test_full_heat_map_does_not_explode():
    maps = np.ones((5, 5, 40, 100), np.float32)
    assert len(decoded(maps).lines) == 5


def test_a_broken_output_costs_its_keypoints_alone():
    """Cells that hold NaN or infinity count as silent ones; the other lanes do not change."""
    maps = encoded({LaneId.EGO: road(), LaneId.LEFT_EGO: road(-1.0)})
    broken, silent = maps.copy(), maps.copy()
    broken[LaneId.EGO, 3, 20] = np.nan
    broken[LaneId.EGO, 1, 25] = np.inf
    silent[LaneId.EGO, 0, [20, 25]] = 0.0
    ours, expected = decoded(broken), decoded(silent)
    assert ours[LaneId.EGO].detected and ours[LaneId.LEFT_EGO].detected
    for line, truth in zip(ours, expected, strict=True):
        assert line.confidence == truth.confidence
        np.testing.assert_array_equal(line.points_px, truth.points_px)


def test_mirrored_maps_give_mirrored_lines():
    """The heads do not know left from right, so the decoder must not either."""
    truth = road(0.3, 0.4)
    mirrored = truth * (-1, 1) + (799, 0)
    a = decode({LaneId.EGO: truth})[LaneId.EGO].points_px
    b = decode({LaneId.EGO: mirrored})[LaneId.EGO].points_px
    x = np.interp(a[::-1, 1], b[::-1, 1], b[::-1, 0])[::-1]
    assert np.abs((799 - x) - a[:, 0]).max() < 2.0


def test_stray_keypoints_of_another_lane_are_outvoted():
    truth, other = road(0.0), road(1.0)
    maps = encoded({LaneId.EGO: truth})
    stray = encoded({LaneId.EGO: other})
    every_third = np.zeros(maps.shape[2:], bool)
    every_third[::3] = True
    mixed = np.where((stray[:, :1] > maps[:, :1]) & every_third, stray, maps)
    line = decoded(mixed)[LaneId.EGO]
    assert mean_error(line, truth)[0] < 1.0
    assert line.confidence < decode({LaneId.EGO: truth})[LaneId.EGO].confidence


def test_prior_decides_between_rivals():
    """Two lanes in one head, the stray one stronger: the learned start tells which is ours."""
    truth, other = road(-1.0), road(1.0)
    maps = encoded({LaneId.EGO: truth})
    stray = encoded({LaneId.EGO: other})
    maps[0, 0] *= 0.8
    mixed = np.where(stray[:, :1] > maps[:, :1], stray, maps)
    start = truth[0] / BLOCK.stride
    prior = StartPrior(float(start[0]), float(start[1]), 3.0, 3.0)
    told = Block(start_priors=(prior,) * 5)
    lenient = Options(0.3, (0.1,) * 5)
    lines = [decoded(mixed, lenient, block)[LaneId.EGO] for block in (BLOCK, told)]
    assert lines[0].points_px[0, 0] > 400
    assert lines[1].points_px[0, 0] < 400


def test_missing_rows_are_bridged():
    truth = road(0.0, 0.5)
    maps = encoded({LaneId.EGO: truth})
    maps[0, 0, 20:26] = 0
    error, covered = mean_error(decoded(maps)[LaneId.EGO], truth)
    assert error < 0.7
    assert covered > 0.95


def test_start_votes_carry_the_line_to_its_near_end():
    truth = road(0.0)
    maps = encoded({LaneId.EGO: truth})
    maps[0, 0, 34:] = 0
    line = decoded(maps)[LaneId.EGO]
    assert line.points_px[0, 1] > 315


def test_threshold_hides_the_line_but_keeps_its_confidence():
    maps = encoded({LaneId.EGO: road()})
    strict = Options(0.3, (0.99,) * 5)
    line = decoded(maps, strict)[LaneId.EGO]
    assert line.status is LaneStatus.NOT_DETECTED
    assert 0.4 < line.confidence < 0.99


def test_split_branch_is_where_it_leaves_ego():
    ego, left = road(0.0), road(-1.0)
    split = ego.copy()
    far = split[:, 1] < 160
    width = 1.7 * (split[:, 1] - 30)
    split[far, 0] -= ((160 - split[far, 1]) / 60).clip(0, 1) * width[far] * 0.9
    lanes = {LaneId.EGO: ego, LaneId.LEFT_EGO: left, LaneId.LEFT_SPLIT_EGO: split}
    line = decode(lanes)[LaneId.LEFT_SPLIT_EGO]
    assert 110 < line.points_px[line.branch_index, 1] < 160
    del lanes[LaneId.LEFT_EGO]
    assert decode(lanes)[LaneId.LEFT_SPLIT_EGO].branch_index == -1


def test_points_are_in_source_pixels():
    transform = ImageTransform.fit((720, 1280), SIZE, Crop(0, 194, 1280, 512))
    truth = transform.points_to_image(road(0.0, 0.3))
    line = decode({LaneId.EGO: road(0.0, 0.3)}, transform=transform)[LaneId.EGO]
    assert mean_error(line, truth)[0] < 1.0
    assert np.isfinite(line.x_std_px).all()
    assert (line.x_std_px >= 0).all()


def same(a, b):
    """Whether two lines are equal bit for bit."""
    return a.confidence == b.confidence and np.array_equal(a.points_px, b.points_px)


def test_an_identity_calibration_changes_nothing():
    told = Block(lane_calibration=(LaneCalibration((0.0, 1.0), (0.0, 1.0)),) * 5)
    lanes = {LaneId.EGO: road(0.0, 0.3), LaneId.LEFT_EGO: road(-1.0)}
    for a, b in zip(decode(lanes), decode(lanes, told), strict=True):
        assert same(a, b)


def test_the_calibrated_confidence_is_what_thresholds_apply_to():
    halved = Block(lane_calibration=(LaneCalibration((0.0, 1.0), (0.0, 0.5)),) * 5)
    before = decode({LaneId.EGO: road()})[LaneId.EGO]
    assert before.detected and before.confidence / 2 < min(OPTIONS.lane_thresholds) + 0.1
    maps = encoded({LaneId.EGO: road()})
    for threshold, detected in ((before.confidence * 0.6, False), (before.confidence * 0.4, True)):
        options = Options(0.3, (threshold,) * 5)
        line = decoded(maps, options, halved)[LaneId.EGO]
        assert line.confidence == pytest.approx(before.confidence / 2)
        assert line.detected == detected


def test_no_line_stays_without_confidence_whatever_the_calibration():
    sure = Block(lane_calibration=(LaneCalibration((0.5,), (0.9,)),) * 5)
    lanes = decode({LaneId.EGO: road()}, sure)
    assert lanes[LaneId.EGO].confidence == 0.9
    assert all(line.confidence == 0.0 and not line.detected for line in lanes.lines[1:])


def test_a_line_that_leaves_by_the_side_goes_on_to_the_border():
    """Before, it ended at the last of 72 points inside, which may be rows before."""
    lanes = {LaneId.LEFT_EGO: road(offset=-1.0)}
    ends = {}
    for holds_to_evidence in (False, True):
        block = replace(BLOCK, holds_to_evidence=holds_to_evidence)
        line = decode(lanes, block)[LaneId.LEFT_EGO]
        assert line.detected
        ends[holds_to_evidence] = line.points_px[0]
    assert ends[True][0] == pytest.approx(0.0, abs=0.1)
    assert ends[False][0] > 0.3
    assert ends[True][1] > ends[False][1]


def test_no_point_leaves_the_picture_that_reaches_its_border():
    transform = ImageTransform.fit((720, 1280), SAME.input_size, Crop(40, 200, 1200, 480))
    block = replace(BLOCK, holds_to_evidence=True)
    lanes = {LaneId.LEFT_EGO: road(offset=-1.0), LaneId.EGO: road()}
    found = decode(lanes, block, transform)
    for lane in lanes:
        x, y = found[lane].points_px.T
        assert x.min() >= 40 - 0.01 and x.max() <= 1239.01
        assert y.min() >= 200 - 0.01 and y.max() <= 679.01
    assert found[LaneId.LEFT_EGO].points_px[0, 0] == pytest.approx(40, abs=0.1)


@pytest.mark.parametrize("bend", [-1.0, 0.6])
def test_beyond_their_keypoints_lines_go_straight_on(bend):
    """Near the horizon the curve's basis has its pole: there it may hook anywhere."""
    block, truth = replace(BLOCK, holds_to_evidence=True), road(bend=bend, top=48)
    maps = encoded({LaneId.EGO: truth})
    line = decoded(maps, block=block)[LaneId.EGO]
    top = np.flatnonzero((maps[0, 0] >= 0.999).any(axis=1))[0] * BLOCK.stride
    beyond = line.points_px[line.points_px[:, 1] < top]
    assert len(beyond) >= 2 and beyond[-1, 1] < top - 3
    inside = line.points_px[line.points_px[:, 1] < top + 20].astype(float)
    end = np.polyfit(inside[-3:, 1], inside[-3:, 0], 1)
    np.testing.assert_allclose(np.polyval(end, beyond[:, 1]), beyond[:, 0], atol=0.3)
    error, covered = mean_error(line, truth)
    assert error < 1.5 and covered > 0.97
