# SPDX-License-Identifier: Apache-2.0
"""TuSimple's benchmark: an oracle in exact arithmetic, and every pitfall of the rules by name."""

import math
from fractions import Fraction

import numpy as np
import pytest

from shared_encoder_perception.tasks.lanes.metrics.tusimple import (
    TusimpleMetric,
    line_accuracy,
    score_image,
)

ROWS = list(range(160, 720, 10))
EMPTY = [-2] * len(ROWS)
FAR = 20
"""Rows of the upright lines below that are left empty at the top."""
PUBLIC = (0.39241939484126986, 0.09158928571428572, 0.616875)
"""Accuracy, FP and FN that the public evaluator itself gives for the 400 images of seed 0."""


def upright(x, far=FAR):
    return [-2] * far + [x] * (len(ROWS) - far)


def road(count=4):
    return [upright(200 + 150 * index) for index in range(count)]


def oracle_slope(label, rows):
    """Least squares in exact fractions."""
    points = [(Fraction(y), Fraction(x)) for x, y in zip(label, rows, strict=True) if x >= 0]
    if len(points) < 2:
        return Fraction(0)
    mean_y, mean_x = (sum(values) / len(points) for values in zip(*points, strict=True))
    return sum((y - mean_y) * (x - mean_x) for y, x in points) / sum(
        (y - mean_y) ** 2 for y, _ in points
    )


def oracle(predicted, truth, rows, run_time=0.0):
    """The rules word by word: one pair of lines, one row at a time."""
    if run_time > 200 or len(predicted) - len(truth) > 2:
        return (0.0, 0.0, 1.0)
    best = []
    for label in truth:
        # 20 px / cos(theta), squared: 400 (1 + tan^2).
        square = 400 * (1 + oracle_slope(label, rows) ** 2)
        right = [
            sum((Fraction(int(p) if p >= 0 else -100) - (g if g >= 0 else -100)) ** 2 < square
                for p, g in zip(line, label, strict=True))
            for line in predicted
        ]  # fmt: skip
        best.append(max(right, default=0) / len(rows))
    found = len([share for share in best if share >= 0.85])
    missed, total = len(truth) - found, 0.0
    for share in best:
        total += share
    if len(truth) > 4:
        total -= sorted(best)[0]
        missed -= 1 if missed else 0
    lines = {0: 1, 1: 1, 2: 2, 3: 3}.get(len(truth), 4)
    return (total / lines, (len(predicted) - found) / (len(predicted) or 1), missed / lines)


def random_image(rng):
    """Labels, predictions near and far from them, rows and run time, all in whole pixels."""
    rows = list(range(160, 160 + 10 * int(rng.choice([56, 48, 7, 2, 1])), 10))
    truth = []
    for _ in range(rng.integers(0, 7)):
        slope = rng.choice([0.0, rng.uniform(-5, 5)])
        x = np.round(rng.integers(0, 1280) + slope * (np.array(rows) - rows[0])).astype(int)
        hidden = (x < 0) | (x > 1279) | (np.array(rows) < rng.choice([160, 250, 400]))
        truth.append(np.where(hidden, -2, x).tolist())
    predicted = []
    for _ in range(rng.integers(0, 8)):
        x = rng.integers(-200, 1280, len(rows))
        if truth and rng.uniform() < 0.85:
            x = np.array(truth[rng.integers(len(truth))])
            x = np.where(x >= 0, x + rng.choice([0, 19, 20, 21, -20, rng.integers(-70, 70)]), x)
            x[: int(rng.integers(0, len(rows)) * rng.choice([0, 0, 0.3]))] = -2
        predicted.append(x.tolist())
    return predicted, truth, rows, float(rng.choice([0, 10, 200, 201], p=[0.5, 0.2, 0.2, 0.1]))


@pytest.mark.parametrize("seed", range(8))
def test_random_images_equal_the_oracle_to_the_last_bit(seed):
    rng = np.random.default_rng(seed)
    for _ in range(50):
        image = random_image(rng)
        assert tuple(score_image(*image)) == oracle(*image), image


def test_random_images_equal_what_the_public_evaluator_says():
    rng, metric = np.random.default_rng(0), TusimpleMetric()
    for _ in range(400):
        metric.update(*random_image(rng))
    scores = metric.compute()
    assert (scores["accuracy"], scores["fp"], scores["fn"]) == PUBLIC


def test_a_perfect_prediction_and_none_at_all():
    assert score_image(road(), road(), ROWS) == (1.0, 0.0, 0.0)
    assert score_image([], road(), ROWS) == (0.0, 0.0, 1.0)
    assert score_image([], [], ROWS) == (0.0, 0.0, 0.0)
    assert score_image([upright(5)], [], ROWS) == (0.0, 1.0, 0.0)


def test_neither_the_order_of_lines_nor_what_negative_number_means_absent_matters():
    said = [[x + 7 if x >= 0 else -1 for x in line] for line in road()][::-1]
    assert score_image(said, road(), ROWS) == (1.0, 0.0, 0.0)


@pytest.mark.parametrize(("shift", "right"), [(19, 1.0), (20, 0.0), (-20, 0.0), (21, 0.0)])
def test_the_tolerance_is_strict(shift, right):
    line, label = [500 + shift] * len(ROWS), [500] * len(ROWS)
    assert line_accuracy(line, label, ROWS) == right


@pytest.mark.parametrize("slope", [0.0, 0.5, -1.0, 3.0])
def test_the_tolerance_is_20_px_across_the_line(slope):
    label = np.array([5000 + slope * y for y in ROWS])
    tolerance = 20 / math.cos(math.atan(slope))
    assert line_accuracy(label + tolerance - 0.01, label, ROWS) == 1.0
    assert line_accuracy(label + tolerance + 0.01, label, ROWS) == 0.0


def test_the_angle_is_the_labels_not_the_predictions():
    flat, steep = [600] * len(ROWS), [600 + 5 * (y - 430) for y in ROWS]
    assert line_accuracy(steep, flat, ROWS) < line_accuracy(flat, steep, ROWS)


def test_a_label_of_one_point_is_taken_as_upright():
    label = [-2] * 55 + [300]
    assert line_accuracy([-2] * 55 + [319], label, ROWS) == 1.0
    assert line_accuracy([-2] * 55 + [321], label, ROWS) == 55 / 56


def test_pitfall_a_line_without_points_scores_the_rows_that_labels_leave_empty():
    assert score_image([EMPTY], road(), ROWS) == (FAR / len(ROWS), 1.0, 1.0)
    assert score_image([], road(), ROWS).accuracy == 0.0


def test_pitfall_a_row_that_only_one_of_the_two_has_is_wrong_either_way():
    longer, shorter = upright(500, far=FAR - 4), upright(500, far=FAR + 4)
    for said in (longer, shorter):
        assert line_accuracy(said, upright(500), ROWS) == 1 - 4 / len(ROWS)


def test_pitfall_column_zero_is_there_and_minus_100_is_compared_as_a_column():
    assert line_accuracy([0] * 56, [0] * 56, ROWS) == 1.0
    # A label that slopes so much that its tolerance reaches from -100 into the image.
    label = [-2, 0] + [2000 * index for index in range(1, 55)]
    assert line_accuracy([0] * 56, label, ROWS) > 1 / 56


@pytest.mark.parametrize(("short", "found"), [(8, True), (9, False)])
def test_pitfall_the_cliff_at_85_percent_of_all_rows(short, found):
    """Of 56 rows 48 are 85.7 % and 47 are 83.9 %."""
    score = score_image([upright(500, FAR + short)], [upright(500)], ROWS)
    assert score == ((56 - short) / 56, 0.0 if found else 1.0, 0.0 if found else 1.0)


def test_pitfall_exactly_85_percent_is_found():
    rows = list(range(0, 200, 10))
    assert score_image([[500] * 17 + [-2] * 3], [[500] * 20], rows) == (0.85, 0.0, 0.0)


def test_pitfall_three_lines_too_many_void_the_image_and_its_fp():
    spurious = [upright(5 + index) for index in range(3)]
    assert score_image(road() + spurious[:1], road(), ROWS) == (1.0, 1 / 5, 0.0)
    assert score_image(road() + spurious[:2], road(), ROWS) == (1.0, 2 / 6, 0.0)
    assert score_image(road() + spurious, road(), ROWS) == (0.0, 0.0, 1.0)


@pytest.mark.parametrize(("run_time", "accuracy"), [(200.0, 1.0), (200.001, 0.0)])
def test_pitfall_slower_than_200_ms_voids_the_image(run_time, accuracy):
    score = score_image(road(), road(), ROWS, run_time)
    assert score == (accuracy, 0.0, 1 - accuracy)


def test_pitfall_one_prediction_may_find_two_labels_and_fp_turn_negative():
    truth = [upright(500), upright(510)]
    assert score_image([upright(505)], truth, ROWS) == (1.0, -1.0, 0.0)
    # and two predictions of one label are both taken for true only if they find two
    assert score_image([upright(500), upright(501)], [upright(500)], ROWS) == (1.0, 0.5, 0.0)


def test_pitfall_of_five_labels_one_is_free_and_the_denominator_stays_four():
    for count in (4, 5):
        score = score_image(road(count), road(5), ROWS)
        assert score == (pytest.approx(1.0), 0.0, 0.0)
    score = score_image(road(3), road(5), ROWS)
    assert score.accuracy == pytest.approx((3 + FAR / 56) / 4)
    assert score.fn == 1 / 4
    assert score_image(road(3), road(6), ROWS).fn == 2 / 4
    assert score_image([], road(6), ROWS).fn == 5 / 4  # above one


def test_pitfall_empty_lines_in_labels_cost_a_prediction_that_leaves_them_out():
    truth = road(2) + [EMPTY, EMPTY]
    assert score_image(truth, truth, ROWS) == (1.0, 0.0, 0.0)
    without = score_image(road(2), truth, ROWS)
    assert without.fn == 2 / 4
    assert without.accuracy < 1.0


def test_pitfall_label_files_differ_in_their_rows():
    rows = ROWS[8:]
    assert score_image([[5] * 48], [[5] * 48], rows) == (1.0, 0.0, 0.0)
    with pytest.raises(ValueError, match=r"predicted line has shape \(56,\).*\(48,\)"):
        score_image([[5] * 56], [[5] * 48], rows)
    with pytest.raises(ValueError, match="labelled line"):
        score_image([[5] * 48], [[5] * 56], rows)
    with pytest.raises(ValueError, match="h_samples have shape"):
        score_image([[]], [[]], [])


def test_pitfall_a_wrong_length_is_an_error_also_where_the_image_is_void():
    with pytest.raises(ValueError, match="predicted line"):
        score_image([[5]], road(), ROWS, run_time_ms=999)


def test_pitfall_scores_are_means_over_images_not_over_lines():
    metric = TusimpleMetric()
    metric.update(road(4), road(4), ROWS)
    metric.update([], road(1), ROWS)
    scores = metric.compute()
    assert scores == {"accuracy": 0.5, "fp": 0.0, "fn": 0.5, "f1": 2 / 3, "images": 2.0}


def test_nothing_scored_is_not_a_number_and_reset_forgets():
    metric = TusimpleMetric()
    metric.update(road(), road(), ROWS)
    metric.reset()
    scores = metric.compute()
    assert scores.pop("images") == 0
    assert all(math.isnan(value) for value in scores.values())


def test_merged_parts_equal_the_whole_to_the_last_bit():
    rng, whole, parts = np.random.default_rng(3), TusimpleMetric(), []
    for _ in range(4):
        parts.append(TusimpleMetric())
        for _ in range(13):
            image = random_image(rng)
            whole.update(*image)
            parts[-1].update(*image)
    for part in parts[1:]:
        parts[0].merge(part)
    assert parts[0].compute() == whole.compute()
