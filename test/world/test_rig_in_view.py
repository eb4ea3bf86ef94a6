# SPDX-License-Identifier: Apache-2.0
"""What cameras have in plain view: all of an empty world; behind a thing, as the formula says."""

from dataclasses import replace

import numpy as np
import pytest

from shared_encoder_perception.ground.camera import CameraModel
from shared_encoder_perception.ground.extrinsics import Extrinsics
from shared_encoder_perception.ground.view import CameraView
from shared_encoder_perception.rig.boxes import Box
from shared_encoder_perception.rig.ground_map import NO, NOT_KNOWN, YES
from shared_encoder_perception.rig.rig import RigCamera
from shared_encoder_perception.world.classes import BUILDING
from shared_encoder_perception.world.depth import UNKNOWN
from shared_encoder_perception.world.rigs.canvas import Canvas
from shared_encoder_perception.world.rigs.dice_rig import four_cameras
from shared_encoder_perception.world.rigs.drive import RigDrive
from shared_encoder_perception.world.rigs.ground_view import GroundView
from shared_encoder_perception.world.rigs.in_view import GRID, InView, standing
from shared_encoder_perception.world.rigs.lens import Lens
from shared_encoder_perception.world.rigs.solids import NO_BOX, Face, Scene, Solid

SIZE = (128, 320)
AIR = RigDrive(14, four_cameras((24, 60))).world.air
X, Y = np.moveaxis(GRID.centres(), -1, 0)
WALL = Box("wall", 12.4, 0.0, 1.0, 0.2, 12.0, 2.0, 0.0)
VAN = Box("vehicle", 9.0, 2.0, 0.6, 4.0, 1.9, 1.2, 0.5)


def camera(height_m=1.5, pitch_deg=8.0, yaw_deg=0.0, size=SIZE):
    focal = 0.5 * size[1]
    matrix = np.array([[focal, 0, size[1] / 2 - 0.5], [0, focal, size[0] / 2 - 0.5], [0, 0, 1]])
    lens = CameraModel(size, matrix, np.zeros(0), False, np.eye(3), (1, 1), (0.0, 0.0))
    angles = (0.0, np.deg2rad(pitch_deg), np.deg2rad(yaw_deg))
    return RigCamera("one", CameraView(lens, Extrinsics.from_angles((0.4, 0.1, height_m), *angles)))


def solid(box, index=NO_BOX):
    """Return a box as what it is: five flat sides."""
    corners = box.corners()
    sides = [[0, 1, 5, 4], [1, 2, 6, 5], [2, 3, 7, 6], [3, 0, 4, 7], [4, 5, 6, 7]]
    middle = corners.mean(axis=0)
    faces = [
        Face(corners[side], (9.0, 9.0, 9.0), towards=corners[side].mean(axis=0) - middle)
        for side in sides
    ]
    return Solid(BUILDING, faces, index)


def seen_by(one, boxes=(), labelled=()):
    """Return the values of the map where boxes stand, of which some are labelled."""
    lens = Lens(one.view)
    ground, canvas = GroundView(lens), Canvas(lens, AIR)
    np.copyto(canvas.depth[ground.first :], ground.reach, where=ground.hit)
    named = [solid(box, labelled.index(box) if box in labelled else NO_BOX) for box in boxes]
    canvas.paint(Scene(named))
    found = InView(labelled)
    found.add(one, ground, canvas.depth, canvas.boxes)
    return found.map().values


def is_behind(one, box, points):
    """Whether the way from the camera to (N, 3) points leads through a box: slab by slab."""
    cos, sin = np.cos(box.yaw_rad), np.sin(box.yaw_rad)
    turn = np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]])
    middle = np.array((box.x_m, box.y_m, box.z_m))
    half = np.array((box.length_m, box.width_m, box.height_m)) / 2
    start, ends = (one.view.position - middle) @ turn, (points - middle) @ turn
    with np.errstate(divide="ignore"):
        low, high = ((side * half - start) / (ends - start) for side in (-1, 1))
    enter, leave = np.minimum(low, high).max(axis=1), np.maximum(low, high).min(axis=1)
    return (enter < leave) & (enter < 1) & (leave > 0)


def looked_at(one):
    points = np.stack((X.ravel(), Y.ravel(), np.zeros(X.size)), axis=1)
    return ~np.isnan(one.see(points)[:, 0]).reshape(X.shape)


@pytest.mark.parametrize("seed", [14, 21, 35, 37])
def test_of_an_empty_world_all_that_a_camera_looks_at_is_in_view(seed):
    drive = RigDrive(seed, None, SIZE, traffic_probability=0.0)
    drive.world = replace(drive.world, props=(), rails=())
    found = drive.render(3.0).label.in_view.values
    looked = np.any([looked_at(one) for one in drive.rig.cameras], axis=0)
    assert np.array_equal(found, np.where(looked, YES, NOT_KNOWN))


@pytest.mark.parametrize("size", [(32, 80), SIZE])
def test_the_foot_of_a_wall_is_exact_however_coarse_the_picture_is(size):
    one = camera(size=size)
    found = seen_by(one, [WALL])
    part = looked_at(one) & (np.abs(Y) < 3) & (X < 30)
    assert part.sum() > 300
    assert np.array_equal(found[part] == NO, X[part] > 12.3)


@pytest.mark.parametrize("box", [WALL, VAN, replace(VAN, x_m=6.0, y_m=-3.0, yaw_rad=2.0)])
@pytest.mark.parametrize("placed", [{}, {"height_m": 2.6, "pitch_deg": 15.0}, {"yaw_deg": 20.0}])
def test_the_shadow_of_a_box_is_as_by_formula(box, placed):
    """But where the ray of a pixel beside it says otherwise: edges are to a pixel."""
    one = camera(**placed)
    found = seen_by(one, [box])
    looked = looked_at(one)
    points = np.stack((X[looked], Y[looked], np.zeros(looked.sum())), axis=1)
    expected = is_behind(one, box, points)
    around = []
    for shift in np.stack(np.meshgrid((-1, 0, 1), (-1, 0, 1)), axis=-1).reshape(-1, 2) * 1.5:
        rays = one.view.rays(one.see(points) + shift)
        reach = one.view.position[2] / np.maximum(-rays[:, 2], 1e-4)
        around.append(is_behind(one, box, one.view.position + reach[:, None] * rays))
    sure = (np.array(around) == expected).all(axis=0)
    assert sure.mean() > 0.8 and expected[sure].sum() > 100
    assert np.array_equal((found[looked] == NO)[sure], expected[sure])
    assert np.mean((found[looked] == NO) == expected) > 0.98
    assert (found[~looked] == NOT_KNOWN).all()


def test_a_thing_that_is_labelled_does_not_hide_where_it_stands():
    one, under = camera(), standing([VAN], GRID) == 0
    nameless, labelled = seen_by(one, [VAN]), seen_by(one, [VAN], [VAN])
    assert under.sum() > 20
    assert (nameless[under] == NO).mean() > 0.8
    assert (labelled[under] == YES).all()
    assert np.array_equal(nameless[~under], labelled[~under])


def test_a_thing_behind_another_is_hidden_where_it_stands():
    behind = replace(VAN, x_m=16.0, y_m=1.0)
    found = seen_by(camera(), [behind, WALL], [behind])
    under = standing([behind], GRID) == 0
    assert under.any() and (found[under] == NO).all()


def test_where_a_picture_shows_no_world_nobody_looks():
    one = camera()
    lens = Lens(one.view)
    ground, canvas = GroundView(lens), Canvas(lens, AIR)
    np.copyto(canvas.depth[ground.first :], ground.reach, where=ground.hit)
    canvas.depth[:, : SIZE[1] // 2] = UNKNOWN
    found = InView(())
    found.add(one, ground, canvas.depth, canvas.boxes)
    values = found.map().values
    assert (values[Y > 0.2] == NOT_KNOWN).all()
    assert (values[(Y < 0) & looked_at(one)] == YES).all()


def test_cells_stand_below_the_box_whose_footprint_holds_their_centre():
    boxes = [VAN, replace(VAN, x_m=-49.0, y_m=49.5, yaw_rad=0.0), replace(VAN, x_m=80.0)]
    found = standing(boxes, GRID)
    away = np.stack((X - VAN.x_m, Y - VAN.y_m), axis=-1)
    ahead, left = (np.array((np.cos(a), np.sin(a))) for a in (0.5, 0.5 + np.pi / 2))
    inside = (np.abs(away @ ahead) <= 2.0) & (np.abs(away @ left) <= 0.95)
    assert np.array_equal(found == 0, inside)
    assert np.array_equal(found == 1, (X <= -47) & (Y >= 48.55))
    assert not (found == 2).any()


@pytest.mark.parametrize("seed", [4, 14, 22])
def test_several_cameras_see_what_each_of_them_sees(seed):
    """So one more never hides a cell."""
    rig = four_cameras(SIZE)
    every = RigDrive(seed, rig, traffic_probability=1.0).render(2.0).label.in_view.values
    each = [
        RigDrive(seed, rig.only([name]), traffic_probability=1.0).render(2.0).label.in_view.values
        for name in rig.names
    ]
    seen, hidden = ((np.array(each) == value).any(axis=0) for value in (YES, NO))
    assert seen.any() and (hidden & ~seen).any()
    assert np.array_equal(every, np.where(seen, YES, np.where(hidden, NO, NOT_KNOWN)))


def test_a_vehicle_that_is_turned_sees_the_same_places():
    rig = four_cameras(SIZE)
    straight = RigDrive(22, rig, traffic_probability=1.0).render().label.in_view.values
    aside = RigDrive(22, rig.turned(np.pi / 2), traffic_probability=1.0, yaw_rad=np.pi / 2)
    turned = np.rot90(straight, 1)
    assert np.mean(aside.render().label.in_view.values == turned) > 0.999
    assert np.mean(straight == turned) < 0.9


@pytest.mark.parametrize("seed", [4, 14, 21, 35])
def test_what_stands_in_view_is_visible_and_what_is_visible_stands_in_view(seed):
    label = RigDrive(seed, four_cameras(), traffic_probability=1.0, yaw_rad=0.2).render().label
    owner = standing(label.objects, GRID)
    shares = {True: [], False: []}
    for index, box in enumerate(label.objects):
        values = label.in_view.values[owner == index]
        known = values[values != NOT_KNOWN]
        if box.visible in (0.0, 1.0) and len(known) > 8:
            shares[box.visible == 1.0].append(np.mean(known == YES))
    assert len(shares[True]) > 1 and np.mean(shares[True]) > 0.95
    assert not shares[False] or np.mean(shares[False]) < 0.05
