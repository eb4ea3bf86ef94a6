# SPDX-License-Identifier: Apache-2.0
"""Scores of what is in plain view and of what is hidden: apart, pooled, and never a guess."""

from dataclasses import replace
from math import isnan

import numpy as np
import pytest
from surround_scene import GRID, LABEL, answer_of, partly_in_view, soft, truth_of

from shared_encoder_perception.rig.ground_map import NO, NOT_KNOWN, YES, GroundMap
from shared_encoder_perception.tasks.surround.answer import Surround
from shared_encoder_perception.tasks.surround.metric import COLUMNS, FullMetric, Metric, record

LEFT = GRID.centres()[..., 1] > 0
NEW = ("iou_in_view", "iou_hidden", "hidden_share")


def computed(answer, truth, kind=Metric, name="surround"):
    counted = kind()
    counted.update(answer, truth)
    return counted.compute()[name]


def wrong_where(cells):
    """Return an answer that is right, but for some cells, which say the contrary."""
    right = answer_of()
    maps = {
        name: np.where(cells, 1 - getattr(right, name), getattr(right, name)).astype(np.float32)
        for name in ("vehicle", "drivable")
    }
    return replace(right, **maps)


@pytest.mark.parametrize("name", ["vehicle", "drivable"])
def test_a_mistake_costs_where_it_is(name):
    true = truth_of(partly_in_view())
    in_view = getattr(true, f"{name}_in_view")
    hidden, plain = (computed(wrong_where(in_view == value), true) for value in (NO, YES))
    assert (hidden[f"{name}_iou_in_view"], hidden[f"{name}_iou_hidden"]) == (1.0, 0.0)
    assert (plain[f"{name}_iou_in_view"], plain[f"{name}_iou_hidden"]) == (0.0, 1.0)
    assert 0 < hidden[f"{name}_iou"] < 1


def test_the_two_parts_are_the_whole():
    counted = Metric()
    counted.update(soft(answer_of()), truth_of(partly_in_view()))
    for area in counted.area.values():
        assert np.array_equal(area.in_view + area.hidden, area.bins)
        assert area.cells.sum() == GRID.cells_x * GRID.cells_y


def test_where_nobody_says_what_is_in_view_there_is_no_score_and_the_others_are_the_same():
    answer = soft(answer_of())
    nobody = replace(LABEL, in_view=GroundMap(GRID, np.full(GRID.shape, NOT_KNOWN, np.uint8)))
    said = computed(answer, truth_of(partly_in_view()))
    for label in (LABEL, nobody):
        found = computed(answer, truth_of(label))
        for key, value in found.items():
            if key.endswith(NEW):
                assert isnan(value), key
            else:
                assert value == said[key], key
    bins = computed(answer, truth_of(LABEL), FullMetric, "surround_distances")
    assert all(isnan(one["drivable_iou_in_view"]) for one in bins.values())


def test_cells_of_which_it_is_not_known_are_in_neither():
    known = partly_in_view()
    ahead = GRID.centres()[..., 0] > 5
    values = np.where(ahead, known.in_view.values, NOT_KNOWN).astype(np.uint8)
    part = truth_of(replace(known, in_view=GroundMap(GRID, values)))
    found = computed(wrong_where(~ahead), part)
    assert (found["drivable_iou_in_view"], found["drivable_iou_hidden"]) == (1.0, 1.0)
    assert found["drivable_iou"] < 1


def test_the_share_that_is_hidden_is_of_the_cells_that_count():
    true = truth_of(partly_in_view())
    assert computed(answer_of(), true)["vehicle_hidden_share"] == LEFT.mean() == 0.5
    right = answer_of(seen=~LEFT | (GRID.centres()[..., 0] > 10))
    assert computed(right, true)["vehicle_hidden_share"] == pytest.approx(1 / 3)
    silent = Surround(GRID, np.ones(GRID.shape, np.bool_), drivable=answer_of().drivable)
    assert isnan(computed(silent, true)["vehicle_hidden_share"])
    assert isnan(computed(silent, true)["vehicle_iou_in_view"])


def test_moments_of_which_it_is_known_are_pooled_and_others_change_nothing():
    moments = [(soft(answer_of(), seed), truth_of(partly_in_view())) for seed in range(3)]
    for kind in (Metric, FullMetric):
        pooled, merged = kind(), kind()
        for moment in moments:
            one = kind()
            one.update(*moment)
            pooled.update(*moment)
            merged.merge(one)
        assert repr(merged.compute()) == repr(pooled.compute())
    before = pooled.area["drivable"].iou_in_view
    pooled.update(wrong_where(LEFT | ~LEFT), truth_of(LABEL))
    assert pooled.area["drivable"].iou_in_view == before


def test_by_distance_it_is_that_of_the_bin():
    x, y = np.moveaxis(GRID.centres(), -1, 0)
    near = np.hypot(x, y) < 10
    found = computed(
        wrong_where(near & ~LEFT), truth_of(partly_in_view()), FullMetric, "surround_distances"
    )
    assert found["0-10 m"]["drivable_iou_in_view"] < 0.2
    assert found["10-20 m"]["drivable_iou_in_view"] == 1.0


def test_a_moment_says_both():
    full, true = FullMetric(), truth_of(partly_in_view())
    answer = wrong_where(true.drivable_in_view == NO)
    full.update(answer, true)
    cells = record(answer, full).cells
    assert tuple(cells) == COLUMNS
    assert cells["surround_drivable_iou_in_view"] == 1.0
    assert cells["surround_drivable_iou_hidden"] == 0.0
