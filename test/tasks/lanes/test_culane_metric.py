# SPDX-License-Identifier: Apache-2.0
"""CULane's benchmark: an oracle of distances, the evaluator's own numbers, its pitfalls by name."""

import math
from itertools import pairwise, permutations

import cv2
import numpy as np
import pytest

from shared_encoder_perception.tasks.lanes.metrics.culane import (
    CANVAS,
    LINE_WIDTH_PX,
    SPLINE_STEPS,
    CulaneMetric,
    assign,
    draw_line,
    line_iou,
    spline,
)

Y = np.arange(580.0, 280.0, -20.0)
PUBLIC_COUNTS = (56, 99, 84)
"""What the public evaluator counts in the 60 images of seed 0: true, false, missed."""
PUBLIC_IOU = (0.590247350, 0.774007284, 0.859418768, 0.108557030)
"""What it gives for the pairs of ``pairs()``."""


def upright(x, rows=Y):
    return np.stack((np.full_like(rows, x), rows), axis=1)


def curved(x, slope, curve, rows=Y):
    t = rows[0] - rows
    return np.stack((x + slope * t + curve * t**2, rows), axis=1)


def pairs():
    """A curve and: itself moved, itself cut, a coarser copy, and a straight line of two points."""
    line = curved(600.0, 1.2, -0.002)
    return [
        (line, line + (9.5, 0)),
        (line, line[:11]),
        (line, line[::4]),
        (line, np.array([[601.0, 575.0], [760.0, 310.0]])),
    ]


def random_image(rng):
    truth = [
        curved(rng.uniform(0, 1600), rng.uniform(-2, 2), rng.uniform(-0.003, 0.003))
        for _ in range(rng.integers(0, 5))
    ]
    predicted = []
    for _ in range(rng.integers(0, 6)):
        line = upright(rng.uniform(0, 1600))
        if truth and rng.uniform() < 0.9:
            line = truth[rng.integers(len(truth))] + (rng.normal(0, 7), 0)
            line = line[: rng.integers(6, 16)]
        predicted.append(line)
    return predicted, truth


def count(predicted, truth, **options):
    metric = CulaneMetric(**options)
    metric.update(predicted, truth)
    scores = metric.compute()
    return scores["tp"], scores["fp"], scores["fn"]


def oracle_curve(points):
    """A natural spline from the textbook: all conditions of all pieces in one linear system."""
    points = np.asarray(points, float)
    if len(points) == 2:
        return points
    length, pieces = np.linalg.norm(np.diff(points, axis=0), axis=1), len(points) - 1
    system, right = np.zeros((4 * pieces, 4 * pieces)), np.zeros((4 * pieces, 2))
    row = 0
    for piece, h in enumerate(length):
        at = 4 * piece
        system[row, at], right[row] = 1, points[piece]
        system[row + 1, at : at + 4], right[row + 1] = (1, h, h**2, h**3), points[piece + 1]
        row += 2
        if piece + 1 < pieces:  # slope and bend go on
            system[row, at : at + 4], system[row, at + 5] = (0, 1, 2 * h, 3 * h**2), -1
            system[row + 1, at + 2 : at + 4], system[row + 1, at + 6] = (2, 6 * h), -2
            row += 2
    system[row, 2], system[row + 1, -2:] = 1, (2, 6 * length[-1])
    pieces_of = np.linalg.solve(system, right).reshape(pieces, 4, 2)
    curve = []
    for h, c in zip(length, pieces_of, strict=True):
        t = (np.arange(SPLINE_STEPS) / SPLINE_STEPS * h)[:, np.newaxis]
        curve.append(c[0] + c[1] * t + c[2] * t**2 + c[3] * t**3)
    return np.vstack((*curve, points[-1:]))


def oracle_drawn(points):
    """Every pixel within half a width of the curve, by its distance to each short segment."""
    curve = np.rint(oracle_curve(points))
    ys, xs = np.mgrid[: CANVAS[0], : CANVAS[1]].astype(np.float32)
    drawn = np.zeros(CANVAS, bool)
    for start, end in pairwise(curve):
        low = np.maximum(np.minimum(start, end) - 16, 0).astype(int)
        high = np.maximum(np.maximum(start, end) + 17, 0).astype(int)
        part = np.s_[low[1] : high[1], low[0] : high[0]]
        along = end - start
        t = (xs[part] - start[0]) * along[0] + (ys[part] - start[1]) * along[1]
        t = np.clip(t / max(along @ along, 1e-9), 0, 1)
        far = np.hypot(xs[part] - start[0] - t * along[0], ys[part] - start[1] - t * along[1])
        drawn[part] |= far <= LINE_WIDTH_PX / 2
    return drawn


def oracle_ious(truth, predicted):
    truth, predicted = ([oracle_drawn(line) for line in lines] for lines in (truth, predicted))
    return np.array([[(g & p).sum() / (g | p).sum() for p in predicted] for g in truth])


def test_the_curve_is_the_natural_spline():
    rng = np.random.default_rng(1)
    for size in (3, 4, 9, 30):
        points = curved(500, 1.0, 0.002, np.linspace(580, 300, size)) + rng.normal(0, 3, (size, 2))
        curve = spline(points.astype(np.float32))
        assert curve.shape == (SPLINE_STEPS * (size - 1) + 1, 2)
        np.testing.assert_allclose(curve, oracle_curve(points), atol=2e-3)
        np.testing.assert_allclose(curve[::SPLINE_STEPS], points, atol=1e-3)


def test_points_on_a_straight_line_stay_on_it():
    points = np.array([[0, 0], [30, 10], [60, 20], [180, 60]], np.float32)
    curve = spline(points)
    np.testing.assert_allclose(curve[:, 0], 3 * curve[:, 1], atol=1e-4)


def test_a_line_is_drawn_as_segment_after_segment():
    line = pairs()[0][0]
    slow = np.zeros(CANVAS, np.uint8)
    points = np.rint(spline(line.astype(np.float32))).astype(int)
    for start, end in pairwise(points):
        cv2.line(slow, start.tolist(), end.tolist(), 1, LINE_WIDTH_PX)
    assert (draw_line(line, CANVAS, LINE_WIDTH_PX) == slow).all()


def test_iou_of_upright_lines_by_hand():
    """Lines 400 px long as bands: the half circles at their ends cancel but for a little."""
    rows = np.array([550.0, 150.0])
    width = draw_line(upright(500, rows), CANVAS, LINE_WIDTH_PX)[300].sum()
    assert width in (LINE_WIDTH_PX, LINE_WIDTH_PX + 1)
    for shift in (0, 5, 10, 20):
        expected = (width - shift) / (width + shift)
        iou = line_iou(upright(500, rows), upright(500 + shift, rows))
        assert iou == pytest.approx(expected, abs=0.01)
    assert line_iou(upright(500), upright(540)) == 0.0


def test_iou_is_symmetric_and_falls_with_distance_and_length():
    line = pairs()[0][0]
    moved = [line_iou(line, line + (shift, 0)) for shift in (0, 4, 8, 16)]
    cut = [line_iou(line, line[:size]) for size in (15, 13, 9, 5)]
    for values in (moved, cut):
        assert values[0] == 1.0
        assert values == sorted(values, reverse=True)
        assert len(set(values)) == 4
    for one, other in pairs():
        assert line_iou(one, other) == line_iou(other, one)


def test_iou_equals_the_public_evaluators():
    found = [line_iou(one, other) for one, other in pairs()]
    assert found == pytest.approx(PUBLIC_IOU, abs=1e-3)


def test_counts_equal_the_public_evaluators():
    rng, metric = np.random.default_rng(0), CulaneMetric()
    for _ in range(60):
        metric.update(*random_image(rng))
    scores = metric.compute()
    assert (scores["tp"], scores["fp"], scores["fn"]) == PUBLIC_COUNTS


def test_random_images_equal_the_oracle():
    rng, images = np.random.default_rng(5), 0
    while images < 6:
        predicted, truth = random_image(rng)
        ious = oracle_ious(truth, predicted)
        ours = np.array([[line_iou(g, p) for p in predicted] for g in truth])
        if not ious.size or (np.abs(ious - 0.5) < 0.03).any():
            continue  # nothing to pair, or the two ways of drawing may disagree
        np.testing.assert_allclose(ours, ious, atol=0.03)
        true = len(best_pairs(ious) if len(truth) <= len(predicted) else best_pairs(ious.T))
        assert count(predicted, truth) == (true, len(predicted) - true, len(truth) - true)
        images += 1


def best_pairs(ious):
    """Try every way; list the pairs above one half."""
    rows = range(len(ious))
    ways = permutations(range(ious.shape[1]), len(ious))
    best = max(ways, key=lambda way: sum(ious[row, way[row]] for row in rows))
    return [row for row in rows if ious[row, best[row]] > 0.5]


@pytest.mark.parametrize("shape", [(1, 1), (2, 5), (4, 4), (5, 3), (6, 6), (0, 3), (3, 0)])
def test_assignment_is_one_to_one_and_the_best_within_its_tolerance(shape):
    rng = np.random.default_rng(shape[0])
    for _ in range(20):
        similarity = rng.uniform(0, 1, shape)
        pairs = assign(similarity)
        rows, columns = zip(*pairs, strict=True) if pairs else ((), ())
        assert len(set(rows)) == len(set(columns)) == min(shape)
        wide = similarity if shape[0] <= shape[1] else similarity.T
        ways = permutations(range(wide.shape[1]), len(wide))
        best = max(sum(wide[row, way[row]] for row in range(len(wide))) for way in ways)
        assert sum(similarity[pair] for pair in pairs) >= best - 0.01 * len(pairs)


def test_assignment_does_not_take_the_greatest_first():
    assert sorted(assign(np.array([[0.9, 0.8], [0.8, 0.1]]))) == [(0, 1), (1, 0)]


def test_one_prediction_finds_one_label_only():
    assert count([upright(500)], [upright(500), upright(501)]) == (1, 0, 1)
    assert count([upright(500), upright(501)], [upright(500)]) == (1, 1, 0)


def test_nothing_predicted_and_nothing_labelled():
    assert count([], [upright(5)]) == (0, 0, 1)
    assert count([upright(5)], []) == (0, 1, 0)
    assert count([], []) == (0, 0, 0)
    assert all(math.isnan(CulaneMetric().compute()[name]) for name in ("precision", "recall", "f1"))


def test_merged_parts_equal_the_whole_and_reset_forgets():
    rng, whole, parts = np.random.default_rng(2), CulaneMetric(), []
    for _ in range(3):
        parts.append(CulaneMetric())
        for _ in range(4):
            image = random_image(rng)
            whole.update(*image)
            parts[-1].update(*image)
    parts[0].merge(parts[1])
    parts[0].merge(parts[2])
    assert parts[0].compute() == whole.compute()
    assert whole.compute()["tp"] > 0
    whole.reset()
    assert whole.compute()["tp"] == whole.compute()["fn"] == 0


def test_metrics_of_other_options_are_not_merged():
    with pytest.raises(ValueError, match="cannot add counts"):
        CulaneMetric().merge(CulaneMetric(match_iou=0.75))
    with pytest.raises(ValueError, match="line_width_px is 0"):
        CulaneMetric(line_width_px=0)


@pytest.mark.parametrize("line", [np.zeros((3, 3)), [1.0, 2.0], [[0, 0], [math.nan, 5]]])
def test_what_is_not_a_line_is_refused(line):
    with pytest.raises(ValueError, match="line h"):
        CulaneMetric().update([line], [])
