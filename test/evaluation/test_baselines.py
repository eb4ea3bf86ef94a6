"""Baselines: the constant one is right where nothing changes, the empty one where nothing is."""

import math

import numpy as np
import pytest
from samples import sample_of

from shared_encoder_perception.evaluation.baselines import ConstantBaseline, empty_perception
from shared_encoder_perception.evaluation.metrics import LaneMetric
from shared_encoder_perception.evaluation.scorer import Scorer
from shared_encoder_perception.images.preprocess import Crop
from shared_encoder_perception.tasks.lanes.answer import LaneId, LaneStatus

SIZE = (180, 320)
WHOLE = Crop(0, 0, 320, 180)
Y = np.arange(179.0, 49.0, -10.0)


def line(x=160.0, rows=Y):
    return np.stack((np.full_like(rows, x), rows), axis=1).astype(np.float32)


def surface(top=90, ignored=0):
    mask = np.zeros(SIZE, np.uint8)
    mask[top:] = 255
    mask[:ignored] = 127
    return mask


def fit(*images):
    baseline = ConstantBaseline()
    for lanes, mask in images:
        baseline.update(lanes, mask, SIZE)
    return baseline


def scored(perception, lanes, mask):
    scorer = Scorer((64, 160))
    sample = sample_of(np.zeros((*SIZE, 3), np.uint8), lanes, mask)
    scorer.update("road", perception, sample, WHOLE)
    return scorer.compute()["road"]


def test_a_constant_world_is_known_by_heart():
    lanes = {LaneId.EGO: line(), LaneId.LEFT_EGO: None}
    said = fit((lanes, surface()), (lanes, surface())).perceive(SIZE)
    scores = scored(said, lanes, surface())
    assert scores["lanes"]["ego"]["f1"] == scores["lanes"]["ego"]["valid_row_accuracy"] == 1.0
    assert scores["lanes"]["ego"]["over_reach"] == pytest.approx(0, abs=0.01)
    assert scores["lanes"]["left_ego"]["false_alarms"] == 0
    assert scores["mask"]["iou"] > 0.98
    assert said.lane(LaneId.EGO).confidence == 1.0


def test_the_line_is_the_mean_of_the_labels():
    said = fit(({LaneId.EGO: line(100)}, None), ({LaneId.EGO: line(180)}, None)).perceive(SIZE)
    np.testing.assert_allclose(said.lane(LaneId.EGO).points_px[:, 0], 140, atol=1e-3)


def test_the_line_goes_as_far_as_half_of_the_labels_go():
    short = line(rows=Y[:6])
    ends = [
        fit(*[({LaneId.EGO: points}, None) for points in labels]).perceive(SIZE)
        for labels in ((line(), short), (line(), short, short))
    ]
    assert ends[0].lane(LaneId.EGO).points_px[-1, 1] == pytest.approx(Y[-1], abs=1)
    assert ends[1].lane(LaneId.EGO).points_px[-1, 1] == pytest.approx(Y[5], abs=1)


@pytest.mark.parametrize(("present", "said"), [(1, False), (2, True), (3, True)])
def test_a_lane_is_said_if_at_least_half_of_the_images_have_it(present, said):
    images = [({LaneId.EGO: line() if index < present else None}, None) for index in range(4)]
    found = fit(*images, ({}, None)).perceive(SIZE).lane(LaneId.EGO)
    assert found.detected == said
    assert found.confidence == present / 4  # images in which it is not known do not count


def test_it_scales_with_the_image():
    baseline = fit(({LaneId.EGO: line(160)}, surface()))
    small, large = baseline.perceive(SIZE), baseline.perceive((360, 640))
    half, full = (one.lane(LaneId.EGO).points_px for one in (small, large))
    np.testing.assert_allclose(full[:, 0] / 639, half[:, 0] / 319, rtol=1e-5)
    np.testing.assert_allclose(full[:, 1] / 359, half[:, 1] / 179, rtol=1e-5)
    assert large.mask.probability.shape == (360, 640)
    assert (large.mask.binary() > 0).mean() == pytest.approx(0.5, abs=0.01)


def test_the_mask_is_where_half_of_the_labels_are_drivable():
    baseline = fit(({}, surface(60)), ({}, surface(120)), ({}, surface(120)))
    assert (baseline.perceive(SIZE).mask.binary()[:110] == 0).all()
    baseline = fit(({}, surface(60)), ({}, surface(120)))
    assert (baseline.perceive(SIZE).mask.binary()[70:] == 255).all()


def test_ignored_pixels_do_not_speak_against_the_surface():
    hidden = ({}, surface(40, ignored=100))
    drivable = fit(hidden, hidden, ({}, surface(40))).perceive(SIZE).mask.binary() > 0
    assert drivable[50:].all()
    assert not drivable[:30].any()
    never_seen = fit(hidden).perceive(SIZE).mask.binary() > 0
    assert not never_seen[:90].any()


def test_what_was_never_labelled_is_not_said():
    nothing = ConstantBaseline().perceive(SIZE)
    assert nothing.mask is None
    assert all(one.status is LaneStatus.NOT_DETECTED for one in nothing.lanes)
    assert all(one.confidence == 0.0 for one in nothing.lanes)


def test_the_empty_baseline_finds_nothing_and_raises_no_alarm():
    lanes = {LaneId.EGO: line(), LaneId.LEFT_EGO: None}
    scores = scored(empty_perception(SIZE), lanes, surface())
    assert scores["lanes"]["ego"]["recall"] == scores["lanes"]["ego"]["valid_row_accuracy"] == 0.0
    assert math.isnan(scores["lanes"]["ego"]["precision"])
    assert scores["lanes"]["left_ego"]["false_alarms"] == 0
    assert scores["mask"]["iou"] == 0.0
    assert empty_perception(SIZE, with_mask=False).mask is None


def test_a_constant_line_is_right_as_often_as_the_road_is_the_mean():
    """Labels at 40, 160 and 280 px: the mean is right for one of three."""
    labels = [{LaneId.EGO: line(x)} for x in (40, 160, 280)]
    said, metric = fit(*[(lanes, None) for lanes in labels]).perceive(SIZE), LaneMetric()
    for lanes in labels:
        metric.update(said, lanes)
    assert metric.compute()["ego"].recall == pytest.approx(1 / 3)


def test_merged_parts_equal_the_whole_and_reset_forgets():
    rng, images = np.random.default_rng(0), []
    for _ in range(6):
        lanes = {LaneId.EGO: line(rng.uniform(100, 200)), LaneId.LEFT_EGO: line(20)}
        images.append((lanes, surface(int(rng.integers(60, 120)))))
    whole, part = fit(*images), fit(*images[:2])
    part.merge(fit(*images[2:]))
    one, other = whole.perceive(SIZE), part.perceive(SIZE)
    for lane in LaneId:
        points = (said.lane(lane).points_px for said in (one, other))
        np.testing.assert_allclose(*points, rtol=1e-5)
    assert np.abs(one.mask.probability.astype(int) - other.mask.probability).max() <= 1
    whole.reset()
    assert not whole.perceive(SIZE).lane(LaneId.EGO).detected
