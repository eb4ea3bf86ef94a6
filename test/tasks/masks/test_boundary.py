# SPDX-License-Identifier: Apache-2.0
"""Boundary F-score: identity, complement, distance against tolerance, and what is ignored."""

import math

import numpy as np
import pytest

from shared_encoder_perception.tasks.masks.area import MaskMetric
from shared_encoder_perception.tasks.masks.boundary import BoundaryMetric

SIZE = (60, 80)
"""Its diagonal is 100 px, so that tolerances are pixels per cent."""
THREE = 0.03


def band(left=20, right=50, value=255):
    mask = np.zeros(SIZE, np.uint8)
    mask[:, left:right] = value
    return mask


def blob(rng):
    """Some rectangles."""
    mask = np.zeros(SIZE, np.uint8)
    for _ in range(4):
        y, x = rng.integers(0, 40), rng.integers(0, 60)
        mask[y : y + rng.integers(5, 30), x : x + rng.integers(5, 30)] = 255
    return mask


def scored(predicted, truth, tolerance=THREE):
    metric = BoundaryMetric(tolerance)
    metric.update(predicted, truth)
    return metric.compute()


def test_the_label_itself_is_perfect_even_without_tolerance():
    mask = blob(np.random.default_rng(0))
    scores = scored(mask, mask, 0.0)
    assert scores["boundary_f"] == scores["boundary_precision"] == scores["boundary_recall"] == 1.0
    assert scores["iou"] == 1.0


@pytest.mark.parametrize(("shift", "f"), [(0, 1.0), (3, 1.0), (-3, 1.0), (4, 0.0), (-4, 0.0)])
def test_a_boundary_counts_up_to_the_tolerance(shift, f):
    assert scored(band(20 + shift, 50 + shift), band())["boundary_f"] == f


@pytest.mark.parametrize("seed", range(5))
def test_exchanging_label_and_prediction_exchanges_precision_and_recall(seed):
    rng = np.random.default_rng(seed)
    one, other = blob(rng), blob(rng)
    ours, theirs = scored(one, other), scored(other, one)
    assert ours["boundary_precision"] == theirs["boundary_recall"]
    assert ours["boundary_f"] == pytest.approx(theirs["boundary_f"])
    assert 0 < ours["boundary_f"] < 1


def test_the_boundary_is_that_of_the_complement_too():
    rng = np.random.default_rng(2)
    one, other = blob(rng), blob(rng)
    assert scored(255 - one, 255 - other)["boundary_f"] == scored(one, other)["boundary_f"]


def test_f_grows_with_the_tolerance():
    rng = np.random.default_rng(3)
    one, other = blob(rng), blob(rng)
    values = [scored(one, other, share)["boundary_f"] for share in (0.0, 0.02, 0.05, 0.2, 0.9)]
    assert values == sorted(values)
    assert values[-1] == 1.0


def test_the_tolerance_grows_with_the_image():
    def twice(mask):
        return np.kron(mask, np.ones((2, 2), np.uint8))

    for shift, f in ((3, 1.0), (4, 0.0)):
        said = band(20 + shift, 50 + shift)
        assert scored(said, band())["boundary_f"] == f
        assert scored(twice(said), twice(band()))["boundary_f"] == f


def test_half_a_boundary_by_hand():
    """The right edge is found, the left one is not, and a third one is made up."""
    said = band(35, 50)
    said[:, 70:] = 255
    scores = scored(said, band())
    assert scores["boundary_precision"] == pytest.approx(1 / 3)
    assert scores["boundary_recall"] == pytest.approx(1 / 2)
    assert scores["boundary_f"] == pytest.approx(0.4)


def test_it_sees_what_iou_hardly_sees():
    """A jagged edge costs little area."""
    jagged = band()
    jagged[::8, 50:62] = 255
    scores = scored(jagged, band())
    assert scores["iou"] > 0.9
    assert scores["boundary_precision"] < 0.7


def test_the_edge_of_the_image_is_no_boundary():
    everything = np.full(SIZE, 255, np.uint8)
    assert math.isnan(scored(everything, everything)["boundary_f"])
    assert scored(everything, everything)["iou"] == 1.0


def test_one_side_without_any_boundary_scores_nothing():
    nothing = np.zeros(SIZE, np.uint8)
    missed, invented = scored(nothing, band()), scored(band(), nothing)
    assert missed["boundary_f"] == invented["boundary_f"] == 0.0
    assert missed["boundary_recall"] == invented["boundary_precision"] == 0.0
    assert math.isnan(missed["boundary_precision"])
    assert math.isnan(invented["boundary_recall"])


def test_a_boundary_in_or_beside_ignored_pixels_is_not_counted():
    truth = band()
    truth[:, 50:60] = 127  # the right edge is somewhere in there
    for edge in (48, 52, 57, 61):
        scores = scored(band(20, edge), truth)
        assert scores["boundary_f"] == 1.0, edge
    assert scored(band(20, 66), truth)["boundary_precision"] == pytest.approx(1 / 2)


def test_the_rim_of_what_is_ignored_is_no_labelled_boundary():
    truth = np.full(SIZE, 255, np.uint8)
    truth[20:40, 30:50] = 127
    assert math.isnan(scored(np.where(truth == 255, truth, 0), truth)["boundary_recall"])
    assert math.isnan(scored(np.full(SIZE, 255, np.uint8), truth)["boundary_f"])


def test_iou_equals_the_mask_metric_and_images_are_counted_on_both_sides_of_two_fifths():
    rng, metric, masks = np.random.default_rng(4), BoundaryMetric(), MaskMetric()
    for shift in range(12):
        mask = blob(rng)
        pair = mask, np.roll(mask, 3 * shift, axis=1)
        metric.update(*pair)
        masks.update(*pair)
    scores, expected = metric.compute(), masks.compute()
    assert scores["iou"] == expected.iou
    assert scores["mean_iou"] == expected.mean_iou
    assert scores["median_iou"] == expected.median_iou
    assert scores["below"] == expected.below
    assert scores["below"] + scores["above"] == scores["images"] == 12
    assert 0 < scores["below"] < 12


def test_an_iou_of_exactly_two_fifths_is_above():
    scores = scored(band(20, 32), band(20, 50))
    assert scores["iou"] == 0.4
    assert (scores["below"], scores["above"]) == (0, 1)


def test_merged_parts_equal_the_whole_and_reset_forgets():
    rng, whole, parts = np.random.default_rng(5), BoundaryMetric(), []
    for _ in range(3):
        parts.append(BoundaryMetric())
        for _ in range(2):
            pair = blob(rng), blob(rng)
            whole.update(*pair)
            parts[-1].update(*pair)
    parts[0].merge(parts[1])
    parts[0].merge(parts[2])
    assert parts[0].compute() == whole.compute()
    whole.reset()
    assert whole.compute()["images"] == 0
    assert math.isnan(whole.compute()["boundary_f"])


def test_counts_are_pooled_over_images_not_averaged():
    metric = BoundaryMetric(THREE)
    metric.update(band(), band())
    truth = np.zeros(SIZE, np.uint8)
    truth[30:, 20:50] = 255
    metric.update(np.zeros(SIZE, np.uint8), truth)
    scores = metric.compute()
    assert scores["boundary_precision"] == 1.0
    assert 0.5 < scores["boundary_recall"] < 0.7


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="prediction is"):
        BoundaryMetric().update(band()[1:], band())
    with pytest.raises(ValueError, match="tolerance is 3"):
        BoundaryMetric(3)
    with pytest.raises(ValueError, match="cannot add tolerance"):
        BoundaryMetric(0.01).merge(BoundaryMetric(0.02))
