# SPDX-License-Identifier: Apache-2.0
"""Labelled ground -> what a network is to say: in metres, of no direction, and never a guess."""

from dataclasses import replace

import numpy as np
import pytest

from shared_encoder_perception.rig.boxes import Box
from shared_encoder_perception.rig.grid import BevGrid
from shared_encoder_perception.rig.ground_map import (
    NO,
    NOT_KNOWN,
    YES,
    GroundLabel,
    GroundMap,
    covered,
    drivable_map,
)
from shared_encoder_perception.tasks.surround.spec import Block
from shared_encoder_perception.tasks.surround.target import (
    LEAST_VISIBLE,
    SIGMA_M,
    encode,
    ideal,
    truth,
)

GRID = BevGrid(-12.0, -12.0, 48, 48, 0.5)
"""As far ahead as behind, and as far left as right: it may be turned by right angles."""
SEEN = np.ones(GRID.shape, bool)
CAR = Box("vehicle", 5.3, -2.1, 0.8, 4.4, 1.8, 1.6, 0.4, 0.9)
TRUCK = Box("vehicle", -6.2, 4.4, 1.6, 9.0, 2.5, 3.2, 1.9)
WALKER = Box("person", 2.2, 6.7, 0.9, 1.2, 1.1, 1.8, 0.0, 1.0)
ROAD = np.array([(-12.0, -4.0), (12.0, -4.0), (12.0, 3.0), (-12.0, 3.0)])


def label(*objects, road=ROAD):
    return GroundLabel(objects, drivable_map([road], BevGrid(-30, -30, 240, 240, 0.25)))


def at(grid, x_m, y_m):
    """Row and column of the cell at a place."""
    column, row = np.rint(grid.cells(np.array((x_m, y_m)))).astype(int)
    return row, column


def test_every_cell_of_a_vehicle_says_the_way_to_its_centre():
    found = truth(label(CAR, TRUCK), GRID, SEEN)
    assert found.boxes == (CAR, TRUCK)
    centres = GRID.centres()
    for index, box in enumerate(found.boxes):
        own = found.ids == index + 1
        there = centres[own] + found.offset[:, own].T
        assert np.abs(there - (box.x_m, box.y_m)).max() < 1e-5
        assert (found.vehicle[own] == YES).all()
    assert (found.offset[:, found.ids == 0] == 0).all()
    assert ((found.vehicle == YES) == (found.ids > 0)).all()


def test_a_vehicle_covers_its_area_wherever_it_stands_in_a_cell():
    areas, middles = [], []
    for seed in range(60):
        x, y, yaw = np.random.default_rng(seed).random(3) * (1.0, 1.0, np.pi)
        box = replace(CAR, x_m=x, y_m=y, yaw_rad=yaw)
        cells = truth(label(box), GRID, SEEN).vehicle == YES
        areas.append(cells.sum() * GRID.cell_m**2 / (box.length_m * box.width_m))
        middles.append((GRID.centres()[cells].mean(axis=0) - (x, y)) / GRID.cell_m)
    assert np.mean(areas) == pytest.approx(1, abs=0.02)
    assert np.abs(np.mean(middles, axis=0)).max() < 0.05


def test_only_few_cells_are_tested_and_the_same_come_out():
    share = covered([TRUCK.footprint()], GRID)
    assert ((truth(label(TRUCK), GRID, SEEN).vehicle == YES) == (share >= 0.5)).all()


@pytest.mark.parametrize("quarter", [1, 2, 3])
def test_a_turned_grid_sees_the_world_turned(quarter):
    """By a quarter to the left: what was on the left is now ahead."""
    before = truth(label(CAR, TRUCK, WALKER), GRID, SEEN)
    after = truth(label(CAR, TRUCK, WALKER), GRID, SEEN, quarter * np.pi / 2)
    for name in ("vehicle", "centre", "drivable", "ids"):
        turned = np.rot90(getattr(before, name), quarter)
        assert np.abs(turned.astype(float) - getattr(after, name)).max() < 1e-4, name
    x, y = np.rot90(before.offset, quarter, axes=(1, 2))
    for _ in range(quarter):
        x, y = y, -x
    assert np.abs(after.offset - np.stack((x, y))).max() < 1e-4
    left = truth(label(replace(CAR, x_m=0.0, y_m=8.0)), GRID, SEEN, np.pi / 2)
    assert left.vehicle[at(GRID, 8.0, 0.0)] == YES


def test_turning_the_grid_is_turning_the_boxes_the_other_way():
    one = truth(GroundLabel((CAR, TRUCK)), GRID, SEEN, 0.7)
    other = truth(GroundLabel((CAR.turned(0.7), TRUCK.turned(0.7))), GRID, SEEN)
    assert (one.vehicle == other.vehicle).all()
    assert one.boxes == other.boxes


def test_in_a_mirror_left_is_right_and_ahead_is_ahead():
    before = truth(GroundLabel((CAR, TRUCK)), GRID, SEEN)
    after = truth(GroundLabel((CAR.mirrored(), TRUCK.mirrored())), GRID, SEEN)
    assert (after.vehicle == before.vehicle[::-1]).all()
    assert np.abs(after.centre - before.centre[::-1]).max() < 1e-6
    assert np.abs(after.offset[0] - before.offset[0, ::-1]).max() < 1e-6
    assert np.abs(after.offset[1] + before.offset[1, ::-1]).max() < 1e-6


def test_the_bump_is_as_wide_in_metres_whatever_the_cells():
    fine = BevGrid(-12.0, -12.0, 96, 96, 0.25)
    for grid in (GRID, fine):
        found = truth(label(CAR), grid, np.ones(grid.shape, bool))
        square = ((grid.centres() - (CAR.x_m, CAR.y_m)) ** 2).sum(axis=-1)
        assert np.abs(found.centre - np.exp(-square / (2 * SIGMA_M**2))).max() < 1e-6
    centred = replace(CAR, x_m=5.25, y_m=-2.25)
    row, column = at(GRID, 5.25, -2.25)
    assert truth(label(centred), GRID, SEEN).centre[row, column] == 1


def test_cells_that_no_camera_sees_are_not_known():
    seen = SEEN.copy()
    seen[:, 30:] = False
    found = truth(label(CAR, TRUCK), GRID, seen)
    for values in (found.vehicle, found.drivable):
        assert (values[:, 30:] == NOT_KNOWN).all()
        assert (values[:, :30] != NOT_KNOWN).all()
    assert not found.ids[:, 30:].any() and not found.offset[:, :, 30:].any()
    whole = truth(label(CAR, TRUCK), GRID, SEEN)
    assert (found.vehicle[:, :30] == whole.vehicle[:, :30]).all()


@pytest.mark.parametrize(
    ("visible", "value"),
    [(0.0, NOT_KNOWN), (LEAST_VISIBLE - 0.01, NOT_KNOWN)]
    + [(LEAST_VISIBLE, YES), (1.0, YES), (None, YES)],
)
def test_a_vehicle_that_is_hidden_to_all_cameras_is_no_mistake_either_way(visible, value):
    found = truth(label(replace(CAR, visible=visible)), GRID, SEEN)
    row, column = at(GRID, CAR.x_m, CAR.y_m)
    assert found.vehicle[row, column] == value
    assert (found.vehicle == NO).sum() > 0.9 * found.vehicle.size
    assert (found.centre.max() > 0.5) == (value == YES) == bool(found.boxes)


@pytest.mark.parametrize("kind", ["person", "two_wheels", "fence"])
def test_what_is_no_vehicle_is_a_no(kind):
    found = truth(label(replace(WALKER, kind=kind)), GRID, SEEN)
    assert (found.vehicle == NO).all()
    assert not found.boxes and not found.centre.any()


def test_of_what_nobody_looked_for_nothing_is_known():
    found = truth(GroundLabel(None, label().drivable), GRID, SEEN)
    assert (found.vehicle == NOT_KNOWN).all()
    assert (found.drivable != NOT_KNOWN).all()
    found = truth(GroundLabel((), None), GRID, SEEN)
    assert (found.vehicle == NO).all()
    assert (found.drivable == NOT_KNOWN).all()


def test_a_cell_belongs_to_the_vehicle_that_covers_most_of_it():
    near = replace(CAR, yaw_rad=0.0, x_m=3.0, y_m=0.0)
    far = replace(near, x_m=near.x_m + near.length_m - 0.2)
    one, other = (truth(label(*boxes), GRID, SEEN) for boxes in ((near, far), (far, near)))
    assert set(np.unique(one.ids)) == {0, 1, 2}
    assert (one.vehicle == other.vehicle).all()
    apart = (one.offset != other.offset).any(axis=0)
    assert apart.sum() <= 4, "only cells of which both cover the same may depend on the order"


def test_vehicles_beyond_the_grid_are_left_out_and_those_at_its_edge_are_cut():
    outside, edge = (replace(CAR, x_m=x, y_m=0.0, yaw_rad=0.0) for x in (40.0, 12.0))
    found = truth(label(outside, edge), GRID, SEEN)
    assert found.boxes == (edge,)
    assert (found.vehicle[:, -4:] == YES).any()
    for x, y in ((-40, 0), (0, 40), (0, -40)):
        assert not truth(label(replace(CAR, x_m=x, y_m=y)), GRID, SEEN).boxes


def test_seen_of_another_grid_is_refused():
    with pytest.raises(ValueError, match=r"`seen` is \(4, 4\), expected \(48, 48\)"):
        truth(label(CAR), GRID, np.ones((4, 4), bool))


# ---- in plain view ------------------------------------------------------------------------------


def partly_in_view(*objects):
    """Return a label of which everything on the left is hidden, and behind nobody looks."""
    x, y = np.moveaxis(GRID.centres(), -1, 0)
    values = np.where(x < -8, NOT_KNOWN, np.where(y > 0, NO, YES)).astype(np.uint8)
    return replace(label(*objects), in_view=GroundMap(GRID, values))


def test_a_vehicle_in_view_hides_the_ground_below_it_and_not_itself():
    found = truth(partly_in_view(CAR, TRUCK, WALKER), GRID, SEEN)
    assert np.array_equal(found.vehicle_in_view, partly_in_view().in_view.values)
    below = found.ids > 0
    below |= truth(label(replace(WALKER, kind="vehicle")), GRID, SEEN).ids > 0
    assert (found.vehicle_in_view[found.ids == 1] == YES).all()
    ahead = GRID.centres()[..., 0] > -8
    assert (found.drivable_in_view[below & ahead] == NO).all()
    assert np.array_equal(found.drivable_in_view[~below], found.vehicle_in_view[~below])
    assert (found.drivable_in_view[~ahead] == NOT_KNOWN).all()


def test_a_walker_hides_the_ground_below_too():
    aside = replace(WALKER, y_m=-6.7)
    found = truth(partly_in_view(aside), GRID, SEEN)
    row, column = at(GRID, aside.x_m, aside.y_m)
    assert found.vehicle_in_view[row, column] == YES
    assert found.drivable_in_view[row, column] == NO


def test_what_is_in_view_turns_with_the_grid_and_ends_where_nobody_sees():
    before = truth(partly_in_view(CAR, TRUCK), GRID, SEEN)
    after = truth(partly_in_view(CAR, TRUCK), GRID, SEEN, np.pi / 2)
    seen = GRID.centres()[..., 0] > 2
    part = truth(partly_in_view(CAR, TRUCK), GRID, seen)
    for name in ("vehicle_in_view", "drivable_in_view"):
        assert np.array_equal(np.rot90(getattr(before, name)), getattr(after, name)), name
        expected = np.where(seen, getattr(before, name), NOT_KNOWN)
        assert np.array_equal(getattr(part, name), expected), name


def test_without_a_word_about_it_nothing_of_it_is_known():
    found = truth(label(CAR), GRID, SEEN)
    assert found.vehicle_in_view is None
    assert found.drivable_in_view is None


# ---- arrays to learn from ------------------------------------------------------------------------


def block():
    return Block(GRID.x_min_m, GRID.y_min_m, GRID.cells_x, GRID.cells_y, GRID.cell_m)


def test_what_is_asked_for_is_what_a_perfect_network_says():
    found = truth(label(CAR, TRUCK, WALKER), GRID, SEEN)
    said = ideal(encode(found, (64, 160), block()), (64, 160), block())["surround"]
    assert said.shape == block().outputs((64, 160))["surround"].shape
    assert said.dtype == np.float32
    assert (said[0] == (found.vehicle == YES)).all()
    assert (said[1] == (found.drivable == YES)).all()
    assert (said[2] == found.centre).all() and (said[3:] == found.offset).all()


def test_targets_have_one_shape_whether_something_is_known_or_not():
    known, nothing = (
        encode(one, (64, 160), block()) for one in (truth(label(CAR), GRID, SEEN), None)
    )
    assert {n: (a.shape, a.dtype) for n, a in known.items()} == {
        n: (a.shape, a.dtype) for n, a in nothing.items()
    }
    assert (nothing["surround_vehicle"] == NOT_KNOWN).all()
    assert (nothing["surround_drivable"] == NOT_KNOWN).all()


def test_a_truth_of_another_grid_is_refused():
    with pytest.raises(ValueError, match=r"truth is of \(48, 48\) cells, the block's .*\(100, 100"):
        encode(truth(label(CAR), GRID, SEEN), (64, 160), Block())
