# SPDX-License-Identifier: Apache-2.0
"""The parts of the synthetic world: geometry by identity, pictures by what they must agree on."""

from dataclasses import replace

import numpy as np
import pytest

from shared_encoder_perception.world.alignment import (
    DEPTHS_M,
    Alignment,
    Clothoids,
    Profile,
    Wander,
)
from shared_encoder_perception.world.atlas import COLOUR, WHITE, Atlas, box, ribbon
from shared_encoder_perception.world.camera import Camera, see_ground
from shared_encoder_perception.world.dice import PLACES, WEATHERS, roll_world
from shared_encoder_perception.world.dice_scene import Sun
from shared_encoder_perception.world.markings import FINE_M, Gore, Line, _chevrons, _free
from shared_encoder_perception.world.rendered import DRIVABLE
from shared_encoder_perception.world.road import Branch, Road, centre_lines
from shared_encoder_perception.world.synthetic import Drive

SIZE = (160, 400)
LEVEL = Profile(np.zeros_like(DEPTHS_M), np.zeros_like(DEPTHS_M))
STRAIGHT = Clothoids(np.array([0.0, 100.0]), np.zeros(2))


def camera(**changes):
    plain = Camera(SIZE, 300.0, (200.0, 40.0), 1.5, 0.05, 0.02, 0.03, 0.05)
    return replace(plain, **changes)


def road(**changes):
    alignment = Alignment(STRAIGHT, STRAIGHT, Wander(0.0, 100.0, 0.0))
    return replace(Road(alignment, 1, 1, 0, 0.0, 3.5, (1.0, 1.0), None, None), **changes)


@pytest.mark.parametrize("distortion", [-0.02, 0.0, 0.1])
def test_points_on_rays_project_to_their_pixels(distortion):
    seen = camera(distortion=distortion)
    right, down = seen.rays()
    rows, columns = np.mgrid[0:160:13, 0:400:17]
    depth = 7.0
    points = seen.project(
        right[rows, columns].astype(float) * depth,
        seen.height_m - down[rows, columns].astype(float) * depth,
        np.full(rows.shape, depth),
    )
    assert np.abs(points - np.stack((columns, rows), axis=-1)).max() < 0.05


def test_flat_ground_lies_where_rays_meet_it():
    seen = camera()
    ground = see_ground(seen, LEVEL)
    right, down = seen.rays(ground.first)
    near = ground.hit & (down > 0.02)
    assert np.abs(ground.z * down - seen.height_m)[near].max() < 0.02
    assert np.abs(ground.offset - right * ground.z)[near].max() < 1e-3


def test_nothing_is_seen_behind_a_crest():
    height = -(np.maximum(DEPTHS_M - 30.0, 0) ** 2) * 2e-3
    ground = see_ground(camera(), Profile(np.zeros_like(DEPTHS_M), height))
    assert ground.z[ground.hit].max() < 80.0
    level = see_ground(camera(), LEVEL)
    assert level.z[level.hit].max() > 150.0


def test_clothoids_are_linear_between_knots_and_repeat():
    chain = Clothoids(np.array([0.0, 50.0, 80.0]), np.array([0.0, 0.01, 0.0]))
    assert np.allclose(chain(np.array([0.0, 25.0, 50.0, 65.0])), [0.0, 0.005, 0.01, 0.005])
    assert np.allclose(chain(np.array([25.0, 105.0])), 0.005)


def test_paint_is_seen_where_the_road_projects_it():
    """The picture and the labels are made in two ways; they have to agree."""
    lateral = 3e-4 * DEPTHS_M**2
    profile = Profile(lateral, np.zeros_like(DEPTHS_M))
    seen = camera()
    ground = see_ground(seen, profile)
    atlas = Atlas()
    atlas.fill(WHITE, [box(1.7, 1.8, -2.0, 180.0)], 255.0)
    _, others, _ = atlas.look(ground)
    depth = np.geomspace(5.0, 60.0, 30)
    at = np.interp(depth, DEPTHS_M, lateral) + 1.75
    places = seen.project(at, np.zeros(30), depth)
    inside = (places[:, 0] < SIZE[1] - 1) & (places[:, 1] < SIZE[0] - 1)
    for x, y in places[inside]:
        row = others[round(y) - ground.first, :, 0].astype(float)
        columns = np.flatnonzero(row > 0.5 * row.max())
        assert row.max() > 40
        assert abs(columns.mean() - x) < 1.0


def test_bands_of_the_atlas_join_without_a_seam():
    atlas = Atlas()
    curve = np.arange(-4.0, 190.0, 2.0)
    atlas.fill(COLOUR, [ribbon(0.02 * curve, 1.0, curve)], (9.0, 9.0, 9.0))
    for near, far in zip(atlas.bands, atlas.bands[1:], strict=False):
        edges = [
            np.flatnonzero(band.layers[COLOUR][row, :, 0] == 9)[[0, -1]] * band.across_m
            - band.half_m
            for band, row in ((near, -1), (far, 0))
        ]
        assert np.abs(edges[0] - edges[1]).max() < 2 * far.across_m


def test_labels_of_a_straight_road_are_straight_lines():
    lanes = centre_lines(camera(distortion=0.0), road(), LEVEL, 0.0)
    for lane in ("ego", "left_ego", "right_ego"):
        points = lanes[lane]
        fit = np.polyfit(points[:, 1], points[:, 0], 1)
        assert np.abs(np.polyval(fit, points[:, 1]) - points[:, 0]).max() < 0.1
    assert lanes["left_split_ego"] is None


@pytest.mark.parametrize(
    ("start", "slope", "expected"),
    [
        (20.0, 0.2, "split"),
        (500.0, 0.2, "absent"),  # too far away to be noticed
        (70.0, 0.2, "unknown"),  # just about to leave
        (-80.0, 0.2, "absent"),  # long passed
        (-20.0, 0.2, "unknown"),  # is it still ours to take?
    ],
)
def test_splits_are_unknown_where_people_would_disagree(start, slope, expected):
    branch = Branch(1, 0.0, start, 0.004, slope, joins=False)
    lanes = centre_lines(camera(), road(right=0, branch=branch), LEVEL, 0.0)
    state = "unknown"
    if "right_split_ego" in lanes:
        state = "absent" if lanes["right_split_ego"] is None else "split"
    assert state == expected
    assert lanes["left_split_ego"] is None


def test_a_joining_lane_is_no_split():
    branch = Branch(1, 0.0, 60.0, 0.004, 0.2, joins=True)
    lanes = centre_lines(camera(), road(right=0, branch=branch), LEVEL, 0.0)
    assert lanes["right_split_ego"] is None
    assert branch.offset_m(60.0) == 0
    assert branch.offset_m(0.0) > 3


EXIT = Branch(1, 0.0, 20.0, 0.004, 0.2, joins=False, opens_m=3.5, taper_m=80.0, beside_m=40.0)


def test_an_exit_opens_a_lane_of_its_own_before_it_leaves():
    s = np.arange(0.0, 300.0, 0.5)
    offset = EXIT.offset_m(s)
    assert (np.diff(offset) >= 0).all() and np.abs(np.diff(offset)).max() < 0.2
    assert (offset[s <= 20] == 0).all() and offset[s == 60] == pytest.approx(1.75)
    np.testing.assert_allclose(offset[(s >= 100) & (s <= 140)], 3.5)
    assert offset[-1] > 15
    joining = replace(EXIT, joins=True)
    np.testing.assert_allclose(joining.offset_m(40.0 - s), offset)


def test_while_an_exit_runs_beside_the_road_one_dashed_line_lies_between():
    with_exit = road(right=0, branch=EXIT)
    edge = Line(with_exit.edges_m()[1] - 0.1, 0.15, WHITE, 1.0)
    inner, outer = (Line(at, 0.15, WHITE, 1.0, branch=True) for at in (-1.65, 1.65))
    ranges = {
        name: list(_free(with_exit, line, 0.0))
        for name, line in (("edge", edge), ("inner", inner), ("outer", outer))
    }
    # The road's own solid line stops where one may cross, and both roads have one in the gore.
    assert ranges["edge"][0][1] < 60 and ranges["edge"][-1][0] > 140
    assert ranges["inner"][0][0] > 140
    assert ranges["outer"][0][0] < 40


@pytest.mark.parametrize("side", [-1, 1])
def test_chevrons_point_towards_us_and_fill_the_gore(side):
    ahead = FINE_M[(FINE_M > 50) & (FINE_M < 80)]
    gap = np.clip((FINE_M - 50) / 10, 0, None)
    gore = Gore(0.0, 0.2, hatch_m=5.0, opacity=1.0, bar_m=0.8, chevrons=True)
    bars = list(_chevrons(gore, side * 1.7, side, ahead, gap, 0.0))
    assert len(bars) >= 5
    for bar in bars:
        (first, tip, last), width = bar[:3], abs(bar[2, 0] - bar[0, 0])
        assert tip[1] < first[1] == last[1]
        assert tip[0] == pytest.approx((first[0] + last[0]) / 2)
        assert width == pytest.approx(np.interp(tip[1], FINE_M, gap))
        np.testing.assert_allclose(bar[5:2:-1] - bar[:3], [(0, 0.8)] * 3, atol=1e-9)


def test_shadows_are_hulls_of_foot_and_top():
    foot = box(0.0, 2.0, 0.0, 4.0)
    shadow = Sun(1.0, 0.5, 1.0).shadow(foot, 2.0)
    assert len(shadow) == 6
    x, y = shadow.T
    area = 0.5 * abs((x * np.roll(y, -1) - y * np.roll(x, -1)).sum())
    assert area == pytest.approx(2 * 4 + 2 * 4 + 2 * 1)  # the foot, and what the shift sweeps


def test_what_hides_the_road_changes_the_mask_and_no_lane():
    covered = 0
    for seed in range(40, 60):
        drive = Drive(seed, SIZE)
        full = drive.render(3.0)
        drive.world = replace(drive.world, vehicles=(), props=(), rails=())
        bare = drive.render(3.0)
        assert not ((full.drivable == DRIVABLE) & (bare.drivable != DRIVABLE)).any()
        covered += int((full.drivable != bare.drivable).sum())
        for lane, points in bare.centre_lines.items():
            assert np.array_equal(points, full.centre_lines[lane])
    assert covered > 1000


def test_everything_is_rolled():
    """Each kind of road, weather, object and marking comes up, and none all the time."""
    worlds = [roll_world(np.random.default_rng(seed), SIZE, 0.25) for seed in range(400)]
    assert {world.place for world in worlds} == set(PLACES)
    assert {world.weather for world in worlds} == set(WEATHERS)
    roads = [world.road for world in worlds]
    assert {r.left + r.right + 1 for r in roads} >= {1, 2, 3, 4, 5}
    kinds = {prop.kind for world in worlds for prop in world.props}
    assert kinds == {
        *("tree", "bush", "pole", "lamp", "sign", "cone", "house", "gantry", "bridge"),
    }
    traffic = {vehicle.kind for world in worlds for vehicle in world.vehicles}
    assert traffic >= {"sedan", "hatch", "suv", "van", "truck", "bus", "two wheels", "person"}
    for share in (
        [r.branch is not None and not r.branch.joins for r in roads],
        [r.branch is not None and r.branch.joins for r in roads],
        [r.crossing is not None for r in roads],
        [r.divided for r in roads],
        [r.opposite > 0 for r in roads],
        [len(world.lines) == 0 for world in worlds],
        [any(line.dots for line in world.lines) for world in worlds],
        [any(line.period_m == 0 for line in world.lines) for world in worlds],
        [len(world.rails) > 0 for world in worlds],
        [world.camera.distortion != 0 for world in worlds],
        [world.camera.height_m > 1.9 for world in worlds],
    ):
        assert 0.01 < np.mean(share) < 0.95
