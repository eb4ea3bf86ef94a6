# SPDX-License-Identifier: Apache-2.0
"""The answer: what does not fit together is refused once, and never again."""

from dataclasses import replace

import numpy as np
import pytest
from surround_scene import GRID, LABEL, NARROW, answer_of, seen_behind_nothing, soft

from shared_encoder_perception.tasks.surround.answer import SeenObject, Surround, inside

SEEN = seen_behind_nothing()
GOOD = answer_of(seen=SEEN)
OBJECT = SeenObject(1.0, 2.0, 4.0, 2.0, 0.3, 0.9, 12)


def plane(value=0.5):
    """Return a map that says the same wherever it is seen."""
    return np.where(SEEN, np.float32(value), np.float32(np.nan)).astype(np.float32)


@pytest.mark.parametrize("name", ["vehicle", "drivable", "centre"])
@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda map_: map_.astype(np.float64), "float64"),
        (lambda map_: map_[:-1], "expected float32"),
        (lambda map_: np.nan_to_num(map_), "NaN exactly where"),
        (lambda map_: np.full_like(map_, np.nan), "NaN exactly where"),
        (lambda map_: map_ + 1, "expected probabilities"),
        (lambda map_: map_ - 1, "expected probabilities"),
        (lambda map_: map_ * np.float32(np.inf), "expected probabilities"),
    ],
)
def test_a_map_that_does_not_fit_is_refused_by_its_name(name, change, text):
    with pytest.raises(ValueError, match=f"{name} is .*{text}"):
        replace(GOOD, **{name: change(plane())})


def test_what_is_no_answer_is_refused():
    with pytest.raises(ValueError, match="neither vehicles nor drivable"):
        Surround(GRID, SEEN)
    with pytest.raises(ValueError, match="no map of vehicles"):
        Surround(GRID, SEEN, None, plane(), (OBJECT,))
    with pytest.raises(ValueError, match="`seen` is uint8"):
        replace(GOOD, seen=SEEN.astype(np.uint8))
    with pytest.raises(ValueError, match=r"offset is .*expected float32"):
        replace(GOOD, offset=GOOD.offset[:1])
    with pytest.raises(ValueError, match="offset is infinite"):
        replace(GOOD, offset=GOOD.offset + np.float32(np.inf))
    with pytest.raises(ValueError, match="drivable_threshold is 0"):
        replace(GOOD, drivable_threshold=0)
    with pytest.raises(ValueError, match="is of BevGrid"):
        GOOD.check(NARROW.grid)
    GOOD.check(GRID)


@pytest.mark.parametrize(
    "bad", [{"x_m": np.nan}, {"length_m": 0.0}, {"score": 1.2}, {"cells": 0}, {"yaw_rad": np.inf}]
)
def test_what_is_no_object_is_refused(bad):
    with pytest.raises(ValueError, match="expected"):
        replace(OBJECT, **bad)


def test_an_object_is_a_box_that_stands_on_the_ground():
    corners = OBJECT.box(1.8).corners()
    assert corners[:, 2].min() == 0
    assert corners[:, 2].max() == pytest.approx(1.8)
    assert corners[:, :2].mean(axis=0) == pytest.approx((1.0, 2.0))


def test_arrays_are_read_only():
    for name in ("seen", "vehicle", "drivable", "centre", "offset"):
        with pytest.raises(ValueError, match="read-only"):
            getattr(GOOD, name)[..., 0, 0] = 0


def test_a_map_is_yes_from_its_threshold_on():
    answer = replace(GOOD, vehicle=plane(0.3), drivable=plane(0.7), vehicle_threshold=0.3)
    assert set(np.unique(answer.binary("vehicle"))) == {0, 255}
    assert ((answer.binary("vehicle") == 255) == SEEN).all()
    assert not replace(answer, vehicle_threshold=0.31).binary("vehicle").any()
    masks = Surround(GRID, SEEN, drivable=plane())
    assert not masks.binary("vehicle").any()


def test_with_fewer_cells_seen_the_others_stay_as_they_are():
    answer = soft(GOOD)
    fewer = GRID.centres()[..., 0] > 0
    less = answer.within(fewer)
    assert (less.seen == (SEEN & fewer)).all()
    for name in ("vehicle", "drivable", "offset"):
        one, other = getattr(less, name), getattr(answer, name)
        np.testing.assert_array_equal(one[..., less.seen], other[..., less.seen])
        assert np.isnan(one[..., ~less.seen]).all()
    behind = [box for box in LABEL.objects if box.x_m < 0]
    assert behind
    assert len(less.objects) == len(answer.objects) - len(behind)
    assert all(one.x_m > 0 for one in less.objects)


def test_a_point_on_the_grids_edge_is_inside_and_beyond_is_not():
    everywhere = np.ones(GRID.shape, np.bool_)
    x_min, y_min, x_max, y_max = GRID.extent_m
    assert inside(GRID, everywhere, x_min, y_min)
    assert inside(GRID, everywhere, x_max - 1e-6, y_max - 1e-6)
    assert not inside(GRID, everywhere, x_max, 0)
    assert not inside(GRID, everywhere, 0, y_min - 1e-6)
    only = np.zeros(GRID.shape, np.bool_)
    only[7, 60] = True
    x, y = GRID.points(np.array((60, 7)))
    assert inside(GRID, only, x, y)
    assert not inside(GRID, only, x + GRID.cell_m, y)
