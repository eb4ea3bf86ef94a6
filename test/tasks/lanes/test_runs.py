# SPDX-License-Identifier: Apache-2.0
"""The longest run of true values, against counting by hand."""

from itertools import groupby, product

import numpy as np

from shared_encoder_perception.tasks.lanes.runs import longest_run, reach_border


def test_every_pattern_of_seven() -> None:
    """The first of the longest runs, as counting finds it; an empty slice without any."""
    for pattern in product((False, True), repeat=7):
        best, at = (0, 0), 0
        for value, group in groupby(pattern):
            length = len(list(group))
            if value and length > best[1] - best[0]:
                best = (at, at + length)
            at += length
        assert longest_run(np.array(pattern)) == slice(*best)


def test_nothing() -> None:
    """No values, no run."""
    assert longest_run(np.zeros(0, np.bool_)) == slice(0, 0)


LOW, HIGH = np.zeros(2), np.array([799.0, 319.0])


def outside_in(points):
    """A line, what of it lies inside, and what is kept when it reaches the border."""
    points = np.array(points, np.float64)
    inside = ((points >= LOW) & (points <= HIGH)).all(axis=1)
    return points, reach_border(points, longest_run(inside), LOW, HIGH)


def test_a_line_ends_where_it_crosses_the_border():
    points, kept = outside_in([[-30, 250], [-10, 240], [10, 230], [30, 220], [50, -20]])
    np.testing.assert_allclose(
        points[kept], [[0, 235], [10, 230], [30, 220], [30 + 20 * 220 / 240, 0]]
    )


def test_a_line_inside_and_one_outside_stay_as_they_are():
    points, kept = outside_in([[5, 300], [6, 200]])
    assert kept == slice(0, 2) and points[0].tolist() == [5, 300]
    _, kept = outside_in([[-5, 300], [-6, 200]])
    assert kept == slice(0, 0)


def test_in_a_corner_the_nearer_border_counts():
    points, kept = outside_in([[810, 340], [790, 310]])
    assert kept == slice(0, 2)
    np.testing.assert_allclose(points[0], [796, 319])


def test_a_point_on_the_border_is_not_doubled():
    """Such lines were refused as not running from near to far, and the image with them."""
    for at in (799.0, 799.008):  # what counts as inside may lie up to half a pixel beyond
        points = np.array([[810.0, 260.0], [at, 250.0], [700.0, 200.0], [10.0, 0.0], [0.0, -1.0]])
        kept = reach_border(points, slice(1, 4), LOW, HIGH)
        assert points[kept].tolist() == [[at, 250.0], [700.0, 200.0], [10.0, 0.0]]


def test_rows_only_fall_wherever_a_line_leaves():
    """In float32, and in the pixels of pictures that are larger and smaller than the input."""
    rng = np.random.default_rng(0)
    for _ in range(2000):
        rows = np.cumsum(-rng.uniform(0.2, 80.0, 9)) + rng.uniform(150, 500)
        columns = np.cumsum(rng.normal(0, 40, 9)) + rng.choice((0, 799))
        columns[rng.integers(9)] = rng.choice((-0.3, 0.0, 799.0, 799.2))
        points = np.stack((columns, rows), axis=1)
        inside = ((points >= LOW - 0.5) & (points <= HIGH + 0.5)).all(axis=1)
        kept = reach_border(points, longest_run(inside), LOW, HIGH)
        for scale in (0.1, 1.0, 13.7):
            drawn = (points[kept] * scale + 500.0).astype(np.float32)
            assert (drawn[1:, 1] < drawn[:-1, 1]).all()
