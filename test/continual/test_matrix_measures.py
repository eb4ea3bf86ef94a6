# SPDX-License-Identifier: Apache-2.0
"""Accuracy, transfer, forgetting, intransigence: written out, and as identities."""

import math

import numpy as np
import pytest
from learned_runs import matrix_of

from shared_encoder_perception.continual.matrix import ScoredTest
from shared_encoder_perception.continual.measures import (
    MEASURES,
    MORE_IS_BETTER,
    TITLES,
    measure,
    square,
)

NAN = math.nan
ROWS = [
    [0.1, 0.1, 0.1],
    [0.8, 0.3, 0.2],
    [0.9, 0.7, 0.4],
    [0.6, 0.5, 0.9],
]
"""Untrained, then after each of three tasks; the second one helps the first."""
CEILING = [[NAN] * 3, [0.85, NAN, NAN], [NAN, 0.75, NAN], [0.9, 0.9, 0.85]]


def random_rows(seed, tasks=4):
    return np.random.default_rng(seed).random((tasks + 1, tasks)).tolist()


def test_three_tasks_by_hand():
    """Also by avalanche's classes, whose forgetting of a task is first minus last.

    Theirs, of the same numbers: forgetting 0.8 - 0.6 and 0.7 - 0.5, which is backward transfer
    with the other sign; forward transfer 0.3 - 0.1 and 0.4 - 0.1.
    """
    found = measure(ROWS, CEILING)
    assert found.accuracy == pytest.approx((0.6 + 0.5 + 0.9) / 3)
    assert found.backward == pytest.approx(((0.6 - 0.8) + (0.5 - 0.7)) / 2)
    assert found.forward == pytest.approx(((0.3 - 0.1) + (0.4 - 0.1)) / 2)
    assert found.forgetting_of == pytest.approx((0.9 - 0.6, 0.7 - 0.5, NAN), nan_ok=True)
    assert found.forgetting == pytest.approx((0.3 + 0.2) / 2)
    assert found.intransigence_of == pytest.approx((0.05, 0.05, -0.05))
    assert found.intransigence == pytest.approx(0.05 / 3)


@pytest.mark.parametrize("seed", range(5))
def test_a_sequence_that_changes_nothing_neither_forgets_nor_transfers(seed):
    row = np.random.default_rng(seed).random(4).tolist()
    found = measure([row] * 5, [row] * 5)
    assert (found.backward, found.forward, found.forgetting, found.intransigence) == (0, 0, 0, 0)


@pytest.mark.parametrize("seed", range(5))
def test_a_constant_on_all_scores_moves_accuracy_alone(seed):
    rows, ceiling = random_rows(seed), random_rows(seed + 10)
    plain = measure(rows, ceiling)
    higher = measure(*(np.add(one, 0.25).tolist() for one in (rows, ceiling)))
    for name in MEASURES:
        by = 0.25 if name == "accuracy" else 0
        assert getattr(higher, name) == pytest.approx(getattr(plain, name) + by)


@pytest.mark.parametrize("seed", range(5))
def test_forgetting_is_at_least_what_backward_transfer_lost(seed):
    found = measure(random_rows(seed))
    assert found.forgetting >= -found.backward


def test_forgetting_is_just_that_where_each_task_was_best_when_it_was_learned():
    rows = [[0.0] * 3, [0.8, 0.1, 0.1], [0.7, 0.7, 0.1], [0.5, 0.6, 0.9]]
    found = measure(rows)
    assert found.forgetting == pytest.approx(-found.backward)


def test_a_ceiling_is_not_behind_itself():
    assert measure(ROWS, ROWS).intransigence == 0


def test_what_is_not_defined_or_not_known_is_no_number():
    one = measure(ROWS[:2])  # a single task: nothing before it, nothing after it
    assert one.accuracy == 0.8
    assert all(math.isnan(getattr(one, name)) for name in MEASURES[1:])
    assert one.forgetting_of == pytest.approx((NAN,), nan_ok=True)
    none = measure(ROWS[:1])
    assert all(math.isnan(getattr(none, name)) for name in MEASURES)
    holed = [list(row) for row in ROWS]
    holed[3][1] = NAN  # the last row lost a number
    found = measure(holed, CEILING)
    assert math.isnan(found.accuracy) and math.isnan(found.forgetting)
    assert found.forward == measure(ROWS).forward  # which does not look there
    assert found.forgetting_of[0] == pytest.approx(0.3)


def test_a_sequence_that_runs_is_measured_as_far_as_it_came():
    found = measure(ROWS[:3], CEILING)
    assert found.accuracy == pytest.approx((0.9 + 0.7) / 2)
    assert found.backward == pytest.approx(0.9 - 0.8)
    assert found.forgetting == pytest.approx(0.8 - 0.9)
    assert math.isnan(measure(ROWS, CEILING[:3]).intransigence)  # the ceiling is not there yet


def test_the_square_is_of_the_tasks_own_tests():
    scored = tuple(
        {"day": row[0], "rain": -1.0, "dusk": row[1], "fog": -1.0} for row in ([0.1, 0.2],) * 3
    )
    tests = [("day", 0), ("rain", 0), ("dusk", 1), ("fog", 1)]
    matrix = matrix_of(
        [[0.1, 0.2]] * 3,
        tests=tuple(ScoredTest(*one) for one in tests),
        scores={"miou": scored},
    )
    assert square(matrix, "miou") == [[0.1, 0.2]] * 3


def test_every_measure_has_a_title_and_a_direction():
    assert set(TITLES) == set(MORE_IS_BETTER) == set(MEASURES)
