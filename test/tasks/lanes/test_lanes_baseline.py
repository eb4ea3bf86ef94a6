# SPDX-License-Identifier: Apache-2.0
"""The constant line is right where nothing changes, and goes as far as labels usually go."""

import numpy as np
import pytest

from shared_encoder_perception.tasks.lanes.answer import LaneId, LaneStatus
from shared_encoder_perception.tasks.lanes.baseline import Constant, nothing
from shared_encoder_perception.tasks.lanes.labels import Label
from shared_encoder_perception.tasks.lanes.metrics.rows import LaneMetric

SIZE = (180, 320)
Y = np.arange(179.0, 49.0, -10.0)


def line(x=160.0, rows=Y):
    return np.stack((np.full_like(rows, x), rows), axis=1).astype(np.float32)


def fit(*images):
    baseline = Constant()
    for lines in images:
        baseline.update(Label(lines), SIZE)
    return baseline


def test_the_line_is_the_mean_of_the_labels():
    said = fit({LaneId.EGO: line(100)}, {LaneId.EGO: line(180)}).answer(SIZE)
    np.testing.assert_allclose(said[LaneId.EGO].points_px[:, 0], 140, atol=1e-3)


def test_the_line_goes_as_far_as_half_of_the_labels_go():
    short = line(rows=Y[:6])
    ends = [
        fit(*[{LaneId.EGO: points} for points in labels]).answer(SIZE)
        for labels in ((line(), short), (line(), short, short))
    ]
    assert ends[0][LaneId.EGO].points_px[-1, 1] == pytest.approx(Y[-1], abs=1)
    assert ends[1][LaneId.EGO].points_px[-1, 1] == pytest.approx(Y[5], abs=1)


@pytest.mark.parametrize(("present", "said"), [(1, False), (2, True), (3, True)])
def test_a_lane_is_said_if_at_least_half_of_the_images_have_it(present, said):
    images = [{LaneId.EGO: line() if index < present else None} for index in range(4)]
    found = fit(*images, {}).answer(SIZE)[LaneId.EGO]
    assert found.detected == said
    assert found.confidence == present / 4  # images in which it is not known do not count


def test_a_constant_line_is_right_as_often_as_the_road_is_the_mean():
    """Labels at 40, 160 and 280 px: the mean is right for one of three."""
    labels = [{LaneId.EGO: line(x)} for x in (40, 160, 280)]
    said, metric = fit(*labels).answer(SIZE), LaneMetric()
    for lanes in labels:
        metric.update(said, lanes, SIZE[1])
    assert metric.compute()["ego"].recall == pytest.approx(1 / 3)


def test_it_scales_with_the_image():
    baseline = fit({LaneId.EGO: line(160)})
    small, large = (baseline.answer(size)[LaneId.EGO].points_px for size in (SIZE, (360, 640)))
    np.testing.assert_allclose(large[:, 0] / 639, small[:, 0] / 319, rtol=1e-5)
    np.testing.assert_allclose(large[:, 1] / 359, small[:, 1] / 179, rtol=1e-5)


def test_what_was_never_labelled_is_not_said():
    for said in (Constant().answer(SIZE), nothing(SIZE)):
        assert all(one.status is LaneStatus.NOT_DETECTED for one in said)
        assert all(one.confidence == 0.0 for one in said)


def test_merged_parts_equal_the_whole():
    rng = np.random.default_rng(0)
    images = [
        {LaneId.EGO: line(rng.uniform(100, 200)), LaneId.LEFT_EGO: line(20)} for _ in "abcdef"
    ]
    whole, part = fit(*images), fit(*images[:2])
    part.merge(fit(*images[2:]))
    one, other = whole.answer(SIZE), part.answer(SIZE)
    for lane in LaneId:
        np.testing.assert_allclose(one[lane].points_px, other[lane].points_px, rtol=1e-5)
    assert one[LaneId.EGO].detected
