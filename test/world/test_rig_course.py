# SPDX-License-Identifier: Apache-2.0
"""The road around the vehicle: its course, and the ground that is drawn along it."""

from dataclasses import replace

import numpy as np
import pytest

from shared_encoder_perception.world.alignment import DEPTHS_M, Alignment, Clothoids, Wander
from shared_encoder_perception.world.atlas import COLOUR, DRIVABLE, WHITE, box, ribbon
from shared_encoder_perception.world.camera import Ground
from shared_encoder_perception.world.markings import FINE_M, Line, paint_lines
from shared_encoder_perception.world.pave import pave
from shared_encoder_perception.world.rigs.course import Course
from shared_encoder_perception.world.rigs.dice_rig import four_cameras
from shared_encoder_perception.world.rigs.drive import FINE_ROUND_M, ROUND_M, RigDrive
from shared_encoder_perception.world.rigs.round_atlas import RoundAtlas
from shared_encoder_perception.world.road import Branch, Road

PLAN = Clothoids(np.array([0.0, 60.0, 130.0, 300.0]), np.array([0.0, 0.004, -0.003, 0.0]))
FLAT = Clothoids(np.array([0.0, 100.0]), np.zeros(2))
BENT = Alignment(PLAN, FLAT, Wander(0.2, 100.0, 0.3))


def test_places_and_road_coordinates_undo_each_other():
    course = Course.of(BENT, 80.0)
    road = np.stack(np.meshgrid(np.linspace(-30, 30, 13), np.linspace(-90, 90, 37)), axis=-1)
    np.testing.assert_allclose(course.road(course.places(road)), road, atol=1e-9)


def test_ahead_the_course_is_that_of_the_forward_camera():
    course = Course.of(BENT, 80.0)
    np.testing.assert_allclose(course.right(DEPTHS_M), BENT.ahead(80.0).lateral)


def test_behind_the_road_bends_as_it_did_when_we_passed():
    """Its curvature there is the plan's; and we are on it, along it."""
    course = Course.of(BENT, 80.0)
    for at in (-70.0, -45.0, -20.0, 20.0, 45.0):
        step = 6.0
        bend = course.right(at + step) - 2 * course.right(at) + course.right(at - step)
        assert bend / step**2 == pytest.approx(PLAN(80.0 + at), abs=6e-4)
    assert course.right(0.0) == pytest.approx(-BENT.wander(80.0))
    assert abs(course.heading(0.0)) < 0.02


def test_a_bend_to_the_right_turns_the_heading_to_the_right():
    right = Course.of(replace(BENT, plan=replace(PLAN, curvature=np.full(4, 0.004))), 0.0)
    assert right.heading(30.0) < -0.08 and right.heading(-30.0) > 0.08
    x, y = right.places(np.array((0.0, 40.0)))
    assert (x, y < -2) == (40.0, True)


def test_squares_of_the_atlas_join_without_a_seam():
    atlas = RoundAtlas()
    curve = np.arange(-190.0, 190.0, 2.0)
    atlas.fill(COLOUR, [ribbon(0.02 * curve, 1.0, curve)], (9.0, 9.0, 9.0))
    for near, far in zip(atlas.bands, atlas.bands[1:], strict=False):
        for end in (-1, 1):
            at = end * (near.end_m - near.along_m)
            edges = []
            for band in (near, far):
                row = round((at - band.start_m) / band.along_m - 0.5)
                inside = np.flatnonzero(band.layers[COLOUR][row, :, 0] == 9)[[0, -1]]
                edges.append(inside * band.across_m - band.half_m)
            assert np.abs(edges[0] - edges[1]).max() < 2 * far.across_m + 0.02 * far.along_m


def look(atlas, offset, along):
    """Cover by paint at places on the road, (N,) each."""
    z, x = (np.asarray(values, np.float32)[None] for values in (along, offset))
    ground = Ground(0, np.ones(z.shape, bool), z, x)
    return atlas.look(ground)[1][0]


def plain_road(**changes):
    alignment = Alignment(FLAT, FLAT, Wander(0.0, 100.0, 0.0))
    return replace(Road(alignment, 1, 1, 0, 0.0, 3.5, (1.0, 1.0), None, None), **changes)


@pytest.mark.parametrize("distance_m", [0.0, 7.0])
def test_dashes_keep_their_places_along_the_road_ahead_and_behind(distance_m):
    atlas = RoundAtlas()
    line = Line(1.75, 0.15, WHITE, 1.0, period_m=12.0, dash_m=6.0)
    paint_lines(atlas, plain_road(), (line,), None, distance_m, FINE_ROUND_M)
    along = np.arange(-80.0, 80.0, 0.5)
    phase = (along + distance_m) % 12.0
    cover = look(atlas, np.full(len(along), 1.75), along)[:, 0]
    inner = (phase > 1.0) & (phase < 5.0)
    outer = (phase > 7.0) & (phase < 11.0)
    assert (cover[inner] > 60).all() and (cover[outer] < 20).all()


def test_the_usual_distances_paint_nothing_behind():
    """The forward camera's calls, which name none, are what they were."""
    atlas = RoundAtlas()
    paint_lines(atlas, plain_road(), (Line(1.75, 0.15, WHITE, 1.0),), None, 0.0)
    along = np.array([-40.0, -10.0, FINE_M[0] + 1, 10.0])
    assert (look(atlas, np.full(4, 1.75), along)[:, 0] > 60).tolist() == [False, False, True, True]


def test_a_branch_that_joins_is_paved_behind():
    """It came from the right, where we have been."""
    branch = Branch(1, 0.0, -10.0, 0.004, 0.2, joins=True)
    road = plain_road(right=0, branch=branch)
    world = RigDrive(3, four_cameras((48, 120))).world
    surface = replace(world.surface, decals=(), pavement_m=(0.0, 0.0), lanes=((90.0,) * 3,) * 2)
    atlas = RoundAtlas()
    pave(atlas, road, surface, 0.0, ROUND_M)
    behind = np.array([-70.0, -50.0, -40.0])
    offset = branch.offset_m(behind)
    assert (offset > 1.7).all()
    assert (look(atlas, offset, behind)[:, 3] > 127).all()
    assert (look(atlas, offset, -behind)[:, 3] < 127).any()
    np.testing.assert_array_equal(
        atlas.drivable(np.stack((offset, behind), axis=-1)[None])[0] > 127, True
    )


def test_the_finest_square_that_holds_a_place_is_looked_at():
    atlas = RoundAtlas()
    for value, band in zip((50, 100, 150, 200), atlas.bands, strict=True):
        band.layers[DRIVABLE][:] = value
    offset = np.array([0.0, 9.0, 11.0, -31.0, 33.0, 0.0, -89.0, 120.0])
    along = np.array([0.0, -9.0, 0.0, 5.0, -20.0, -95.0, 89.0, 0.0])
    expected = [50, 50, 100, 100, 150, 200, 150, 200]
    assert look(atlas, offset, along)[:, 3].tolist() == expected
    places = np.stack((offset, along), axis=-1)[None]
    assert atlas.drivable(places)[0].tolist() == expected
    assert box(0, 1, 0, 1).shape == (4, 2)
