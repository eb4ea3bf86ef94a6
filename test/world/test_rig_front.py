# SPDX-License-Identifier: Apache-2.0
"""The forward camera's picture and that of a rig's camera at its place are of one world."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from shared_encoder_perception.ground.camera import CameraModel
from shared_encoder_perception.ground.extrinsics import Extrinsics
from shared_encoder_perception.ground.view import CameraView
from shared_encoder_perception.rig.rig import Rig, RigCamera
from shared_encoder_perception.world.alignment import Clothoids, Wander
from shared_encoder_perception.world.camera import Camera
from shared_encoder_perception.world.rendered import CLASSES, DISTANCES
from shared_encoder_perception.world.rigs.drive import RigDrive
from shared_encoder_perception.world.sensor import Sensor
from shared_encoder_perception.world.synthetic import Drive

SIZE = (160, 400)
HEIGHT_M, PITCH = 1.5, 0.06
FOCAL = SIZE[0] / 0.45  # as high as a usual picture, by which the sky is measured
CENTRE = (210.0, 74.0)
PLAIN = Sensor((1.0, 1.0, 1.0), 1.0, 0.0, 0.0, 0.0, 0.0, 0, 0)
FLAT = Clothoids(np.array([0.0, 100.0]), np.zeros(2))
SEEDS = (1, 3, 4, 7, 8, 12)


def plain_world(world, camera):
    """Straight, flat, dry and clear, the sky without clouds and hills."""
    straight = replace(world.road.alignment, plan=FLAT, hills=FLAT, wander=Wander(0.0, 100.0, 0.0))
    return replace(
        world,
        road=replace(world.road, alignment=straight),
        camera=camera,
        vehicles=(),
        sensor=PLAIN,
        bonnet_px=0.0,
        lights=(),
        sky=replace(world.sky, clouds=0.0, layers=()),
        ground_light=replace(world.ground_light, wet=0.0),
        air=replace(world.air, ambient=1.0, headlights=0.0, visibility_m=4000.0),
    )


def both(seed, yaw_rad=0.0, props=False):
    """What the forward camera sees, and a rig's camera at its place; yaw to the right."""
    camera = Camera(SIZE, FOCAL, CENTRE, HEIGHT_M, PITCH, yaw_rad, 0.0, 0.0)
    matrix = np.array([[FOCAL, 0, CENTRE[0]], [0, FOCAL, CENTRE[1]], [0, 0, 1]])
    model = CameraModel(SIZE, matrix, np.zeros(0), False, np.eye(3), (1, 1), (0.0, 0.0))
    pose = Extrinsics.from_angles((0.0, 0.0, HEIGHT_M), 0.0, PITCH, -yaw_rad)
    rig = Rig((RigCamera("front", CameraView(model, pose)),))
    drive = Drive(seed, SIZE)
    around = RigDrive(seed, rig, SIZE, traffic_probability=0.0)
    world = plain_world(drive.world, camera)
    if not props:
        world = replace(world, props=(), rails=())
    drive.world = around.world = world
    return drive.render(20.0, (CLASSES, DISTANCES)), around.look(20.0).cameras["front"]


def off_edges(image, reach=2):
    """Pixels around which the picture does not change much."""
    kernel = np.ones((2 * reach + 1,) * 2, np.uint8)
    spread = cv2.dilate(image, kernel).astype(int) - cv2.erode(image, kernel)
    return spread.max(axis=2) < 16


@pytest.mark.parametrize("seed", SEEDS)
def test_sky_and_ground_are_within_two_grey_levels(seed):
    """Of the pixels off edges: paint is drawn in other texels, so its edges are blurred otherwise.

    Without the rows at the horizon, since the rig's ground reaches farther than 180 m. Of the sky
    the middle third: the forward camera's has the same colour along a row, the rig's at the same
    elevation, which is what two cameras agree on.
    """
    ahead, around = both(seed)
    close = np.abs(ahead.image.astype(int) - around.scene).max(axis=2) <= 2
    away = np.arange(SIZE[0])[:, None] - (CENTRE[1] - FOCAL * np.tan(PITCH))
    middle = np.abs(np.arange(SIZE[1]) - CENTRE[0]) < SIZE[1] / 6
    ground, sky = off_edges(ahead.image) & (away > 5), (away < -5) & middle
    assert ground.mean() > 0.35 and sky.mean() > 0.08
    assert close[ground].mean() > 0.99 and close[sky].mean() > 0.97


@pytest.mark.parametrize("seed", SEEDS)
def test_masks_classes_and_depth_are_the_same(seed):
    ahead, around = both(seed)
    assert (ahead.drivable == around.drivable).mean() > 0.985
    # The horizon's rows are ground here and sky there; paint is as wide as its texels.
    assert (ahead.classes == around.classes).mean() > 0.95
    ground = np.isfinite(ahead.depth) & (ahead.depth < 60)
    np.testing.assert_allclose(around.depth[ground], ahead.depth[ground], rtol=5e-3)


@pytest.mark.parametrize("yaw_rad", [0.0, 0.15])
def test_what_stands_beside_the_road_is_where_it_was(yaw_rad):
    """Bodies are painted anew, from all sides: most pixels have the same class, and its depth."""
    same, depths = [], []
    for seed in SEEDS:
        ahead, around = both(seed, yaw_rad, props=True)
        upright = (ahead.owners == 4) & np.isfinite(ahead.depth) & (ahead.depth < 100)
        if upright.sum() < 300:
            continue
        same.append((around.owners[upright] == 4).mean())
        hit = upright & (around.owners == 4) & np.isfinite(around.depth)
        apart = np.abs(around.depth[hit] - ahead.depth[hit])
        depths.append((apart < 0.05 * ahead.depth[hit]).mean())
    assert len(same) >= 3 and np.mean(same) > 0.85 and np.mean(depths) > 0.75, (same, depths)


def test_a_camera_turned_the_other_way_is_told_apart():
    ahead, _ = both(3, 0.15)
    _, around = both(3, -0.15)
    assert (ahead.drivable == around.drivable).mean() < 0.9
