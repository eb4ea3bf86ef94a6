# SPDX-License-Identifier: Apache-2.0
"""Grouping: each vehicle comes back as one, where it is, as large as it is, and turned as it is."""

import numpy as np
import pytest
from surround_scene import BOXES, GRID, LABEL, NARROW, answer_of, one_vehicle, truth_of

from shared_encoder_perception.rig.boxes import Box
from shared_encoder_perception.rig.grid import BevGrid
from shared_encoder_perception.rig.ground_map import GroundLabel
from shared_encoder_perception.tasks.surround.objects import (
    LEAST_M,
    MOST_OBJECTS,
    objects_of,
    peaks_of,
)

CELL = GRID.cell_m


def found(label, grid=GRID, share=1.0, seen=None, centre=0.1):
    """Return the objects of maps that say just what a label does."""
    true = truth_of(label, seen, grid)
    vehicle = share * (true.vehicle == 255).astype(np.float32)
    return objects_of(grid, vehicle, true.centre, true.offset, 0.5 * share, centre)


def turned_by(one, other):
    """Return the angle between two axes."""
    return abs((one - other + np.pi / 2) % np.pi - np.pi / 2)


def test_each_vehicle_comes_back_once():
    objects = answer_of().objects
    assert len(objects) == len(BOXES)
    for box in BOXES:
        one = min(objects, key=lambda one: np.hypot(one.x_m - box.x_m, one.y_m - box.y_m))
        assert (one.x_m, one.y_m) == pytest.approx((box.x_m, box.y_m), abs=1e-4)
        assert turned_by(one.yaw_rad, box.yaw_rad) < np.deg2rad(8)
        assert one.score == 1


@pytest.mark.parametrize("yaw_deg", [-90, -60, -17, 0, 31, 45, 90, 140, 180])
def test_a_box_of_whole_cells_comes_back_within_half_a_cell(yaw_deg):
    yaw = np.deg2rad(yaw_deg)
    (one,) = found(one_vehicle(10.1, -3.3, yaw, 5.0, 2.0))
    assert (one.x_m, one.y_m) == pytest.approx((10.1, -3.3), abs=1e-4)
    assert (one.length_m, one.width_m) == pytest.approx((5.0, 2.0), abs=CELL / 2)
    assert turned_by(one.yaw_rad, yaw) < np.deg2rad(5)
    assert -np.pi / 2 < one.yaw_rad <= np.pi / 2


def test_a_box_of_any_size_is_off_by_half_a_cell_in_one_of_twenty():
    rng, wrong = np.random.default_rng(3), []
    for _ in range(60):
        length, width = rng.uniform(3.5, 9.0), rng.uniform(1.6, 2.5)
        place = rng.uniform((-8, -18), (28, 18))
        (one,) = found(one_vehicle(*place, rng.uniform(-np.pi, np.pi), length, width))
        assert (one.x_m, one.y_m) == pytest.approx(tuple(place), abs=1e-4)
        wrong.append((abs(one.length_m - length), abs(one.width_m - width)))
    # A cell is a vehicle's or not: ends that cover a bit more than half of one add a cell each.
    assert np.percentile(wrong, 95, axis=0)[0] < 0.6 * CELL
    assert np.percentile(wrong, 95, axis=0)[1] < CELL / 2
    assert np.max(wrong) < 1.3 * CELL


def test_an_object_aligned_with_the_cells_has_exactly_their_size():
    (one,) = found(one_vehicle(10.0, 2.0, 0.0, 4.0, 2.0))
    assert (one.length_m, one.width_m, one.yaw_rad) == pytest.approx((4.0, 2.0, 0.0), abs=1e-6)
    assert one.cells == 8 * 4
    (one,) = found(one_vehicle(10.0, 2.0, np.pi / 2, 4.0, 2.0))
    assert (one.length_m, one.width_m) == pytest.approx((4.0, 2.0), abs=1e-6)
    assert abs(one.yaw_rad) == pytest.approx(np.pi / 2)


def test_the_mirrored_world_has_mirrored_objects():
    mirrored = GroundLabel(tuple(box.mirrored() for box in LABEL.objects))
    ones, others = found(LABEL), found(mirrored)
    assert len(ones) == len(others)
    for one in ones:
        other = min(others, key=lambda o, x=one.x_m, y=one.y_m: np.hypot(o.x_m - x, o.y_m + y))
        assert (other.x_m, -other.y_m) == pytest.approx((one.x_m, one.y_m), abs=1e-4)
        assert other.length_m == pytest.approx(one.length_m, abs=1e-6)
        assert turned_by(-other.yaw_rad, one.yaw_rad) < 1e-6


def test_neighbours_with_a_gap_of_a_cell_stay_two():
    pair = GroundLabel(
        (
            Box("vehicle", 10.0, 1.25, 0.8, 4.5, 2.0, 1.5, 0.0),
            Box("vehicle", 10.0, -1.25, 0.8, 4.5, 2.0, 1.5, 0.0),
        )
    )
    ones = sorted(found(pair), key=lambda one: one.y_m)
    assert [one.y_m for one in ones] == pytest.approx([-1.25, 1.25], abs=1e-4)


def test_a_grid_of_few_rows_and_many_columns_is_no_different():
    (one,) = found(one_vehicle(5.0, 1.5, 0.2), NARROW.grid)
    assert (one.x_m, one.y_m) == pytest.approx((5.0, 1.5), abs=1e-4)


def test_of_a_vehicle_seen_in_part_the_centre_is_where_its_cells_point():
    seen = GRID.centres()[..., 0] < 10.0
    (one,) = found(one_vehicle(10.0, -3.0, 0.0, 5.0, 2.0), seen=seen)
    assert (one.x_m, one.y_m) == pytest.approx((10.0, -3.0), abs=1e-4)
    assert one.length_m == pytest.approx(2.5, abs=CELL / 2)


def test_a_thin_row_of_cells_has_the_least_size():
    vehicle, centre = np.zeros(GRID.shape, np.float32), np.zeros(GRID.shape, np.float32)
    offset = np.zeros((2, *GRID.shape), np.float32)
    vehicle[40, 50] = centre[40, 50] = 0.8
    (one,) = objects_of(GRID, vehicle, centre, offset, 0.5, 0.1)
    assert (one.length_m, one.width_m) == (LEAST_M[0], max(LEAST_M[1], CELL))
    assert (one.score, one.cells) == (pytest.approx(0.8), 1)


def test_cells_that_point_to_no_peak_are_of_no_vehicle():
    true = truth_of(one_vehicle(10.0, 0.0))
    vehicle = (true.vehicle == 255).astype(np.float32)
    vehicle[80:90, 80:90] = 1.0
    (one,) = objects_of(GRID, vehicle, true.centre, true.offset, 0.5, 0.1)
    assert one.cells == (true.vehicle == 255).sum()


def test_without_peaks_or_cells_there_is_nothing():
    assert found(one_vehicle(10.0, 0.0), centre=1.0) == ()
    assert found(GroundLabel(())) == ()


def test_a_plateau_is_one_peak():
    plane = np.zeros((9, 9), np.float32)
    plane[4:6, 4:6] = 0.7
    np.testing.assert_array_equal(peaks_of(plane, 0.1), [(4, 4)])
    plane[4, 1] = 0.9
    np.testing.assert_array_equal(peaks_of(plane, 0.1), [(4, 1), (4, 4)])
    np.testing.assert_array_equal(peaks_of(plane, 0.8), [(4, 1)])


def test_a_peak_may_lie_at_the_edge_and_never_where_nothing_is_seen():
    plane = np.full((6, 7), np.nan, np.float32)
    assert not len(peaks_of(plane, 0.1))
    plane[0, 6] = 0.5
    np.testing.assert_array_equal(peaks_of(plane, 0.1), [(0, 6)])


def test_there_are_never_more_than_the_most_probable_hundred():
    grid = BevGrid(0.0, 0.0, 60, 60, 0.5)
    vehicle = np.zeros(grid.shape, np.float32)
    rng = np.random.default_rng(0)
    vehicle[::2, ::2] = rng.permutation(np.linspace(0.5, 1, 900, dtype=np.float32)).reshape(30, 30)
    offset = np.zeros((2, *grid.shape), np.float32)
    objects = objects_of(grid, vehicle, vehicle, offset, 0.99, 0.1)
    assert 0 < len(objects) < MOST_OBJECTS
    objects = objects_of(grid, vehicle, vehicle, offset, 0.5, 0.1)
    assert len(objects) == MOST_OBJECTS
    scores = [one.score for one in objects]
    assert scores == sorted(scores, reverse=True)
