# SPDX-License-Identifier: Apache-2.0
"""Lines and tracks: paired one to one at the least cost, and never across the gate."""

from itertools import product

import numpy as np
import pytest

from shared_encoder_perception.tasks.lanes.tracking.association import (
    GATE,
    WIDEST,
    assign,
    squared_gate,
)


def cost(distance, owners):
    return sum(GATE if owner < 0 else distance[line, owner] for line, owner in enumerate(owners))


def best_cost(distance):
    """Try everything."""
    lines, tracks = distance.shape
    costs = [
        cost(distance, owners)
        for owners in product(range(-1, tracks), repeat=lines)
        if len({owner for owner in owners if owner >= 0}) == sum(owner >= 0 for owner in owners)
        and all(owner < 0 or distance[line, owner] < GATE for line, owner in enumerate(owners))
    ]
    return min(costs)


@pytest.mark.parametrize("widest", [0.5, 1.5, 4.0])
@pytest.mark.parametrize("seed", range(8))
def test_no_pairing_is_cheaper(seed, widest):
    rng = np.random.default_rng(seed)
    distance = rng.uniform(0, widest, (rng.integers(1, 5), rng.integers(1, 6)))
    distance[rng.random(distance.shape) < 0.2] = np.nan
    owners = assign(distance)
    taken = [owner for owner in owners if owner >= 0]
    assert len(set(taken)) == len(taken)
    assert all(distance[line, owner] < GATE for line, owner in enumerate(owners) if owner >= 0)
    assert cost(distance, owners) == pytest.approx(best_cost(np.nan_to_num(distance, nan=9.0)))


def test_a_line_gives_way_where_that_is_cheaper_for_both():
    assert assign(np.array([[0.1, 0.2], [0.15, 0.9]])) == [1, 0]


def test_beyond_the_gate_or_without_anything_to_compare_there_is_no_track():
    assert assign(np.array([[1.0, np.nan], [np.nan, np.nan]])) == [-1, -1]
    assert assign(np.zeros((2, 0))) == [-1, -1]
    assert assign(np.zeros((0, 3))) == []


def test_doubt_about_a_track_does_not_open_the_gate_to_the_lane_beside():
    gate = np.array([1.2])
    exact = squared_gate(gate, np.zeros(1), np.zeros(1))
    assert exact == pytest.approx(1.44)
    assert squared_gate(gate, np.zeros(1), np.full(1, 0.5)) == pytest.approx(1.94)
    lost = squared_gate(gate, np.zeros(1), np.full(1, 1e6))
    assert lost == pytest.approx((WIDEST * 1.2) ** 2) and lost < 3.5**2
