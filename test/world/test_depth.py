# SPDX-License-Identifier: Apache-2.0
"""The renderer's depth: formulas of flat ground and walls, and that labels and picture agree."""

from dataclasses import replace

import numpy as np
import pytest

from shared_encoder_perception.tasks.depth.label import OWNER_NAMES
from shared_encoder_perception.world.alignment import DEPTHS_M, Profile
from shared_encoder_perception.world.camera import Camera, FlatRoad, see_ground
from shared_encoder_perception.world.classes import (
    CLASSES,
    OWN_VEHICLE,
    OWNER_OF,
    OWNERS,
    SKY,
)
from shared_encoder_perception.world.depth import Depth
from shared_encoder_perception.world.synthetic import Drive

SIZE = (160, 400)
KNOWN = {"classes", "distances"}
FLAT = Profile(np.zeros_like(DEPTHS_M), np.zeros_like(DEPTHS_M))
CAMERAS = {
    "straight": Camera(SIZE, 330.0, (199.5, 60.0), 1.4, 0.0, 0.0, 0.0, 0.0),
    "turned": Camera(SIZE, 330.0, (190.0, 70.0), 1.9, 0.08, 0.05, 0.06, 0.0),
    "barrel": Camera(SIZE, 260.0, (205.0, 66.0), 2.3, 0.05, -0.03, -0.04, 0.09),
}
each_camera = pytest.mark.parametrize("camera", CAMERAS.values(), ids=CAMERAS)


def rays(camera):
    """(H, W, 3) in the camera's frame, by the definition of its lens, in float64."""
    y, x = np.mgrid[0 : SIZE[0], 0 : SIZE[1]].astype(float)
    u, v = (
        (x - camera.centre_px[0]) / camera.focal_px,
        (y - camera.centre_px[1]) / camera.focal_px,
    )
    bend = 1 + camera.distortion * (u * u + v * v)
    return np.stack((u * bend, v * bend, np.ones_like(u)), axis=-1)


def in_vehicle(camera, points):
    """Camera frame to the vehicle's: right, down of the camera, ahead."""
    return points @ camera._turn.T


def points_of(camera, depth):
    """(H, W, 3) of the vehicle's frame; 0 beyond all range."""
    finite = np.where(np.isfinite(depth.values), depth.values, 0.0)
    return in_vehicle(camera, rays(camera) * finite[..., None])


@each_camera
def test_flat_ground_is_the_formula(camera):
    depth = Depth(camera)
    depth.ground(see_ground(camera, FLAT))
    down = in_vehicle(camera, rays(camera))[..., 1]
    exact = camera.height_m / np.where(down > 1e-3, down, np.nan)
    seen = np.isfinite(depth.values) & (exact < 150)
    assert seen.sum() > 0.3 * exact.size
    np.testing.assert_allclose(depth.values[seen], exact[seen], rtol=1e-3)
    np.testing.assert_allclose(FlatRoad(camera)()[seen], exact[seen], rtol=1e-4)
    mirrored = FlatRoad(camera).mirror()()
    np.testing.assert_array_equal(mirrored[:, ::-1], FlatRoad(camera)())


@each_camera
def test_points_of_ground_lie_on_it_within_two_centimetres(camera):
    depth = Depth(camera)
    depth.ground(see_ground(camera, FLAT))
    points = points_of(camera, depth)
    near = np.isfinite(depth.values) & (points[..., 2] < 20)
    assert near.sum() > 1000
    assert np.abs(points[near][:, 1] - camera.height_m).max() < 0.02


@each_camera
def test_a_wall_is_one_plane_and_ahead_of_a_level_camera_one_depth(camera):
    """What a wall hides is nearer than its corners, and it has the depth of its plane."""
    wall = np.array([(-2.0, 0.0, 12.0), (3.0, 0.0, 12.0), (3.0, 4.0, 12.0), (-2.0, 4.0, 12.0)])
    depth = Depth(camera)
    pixels = camera.project(wall[:, 0], wall[:, 1], wall[:, 2])
    depth.fill([np.round(pixels * 8).astype(np.int32)], 3, depth.plane(wall))
    painted = np.isfinite(depth.values)
    points = points_of(camera, depth)[painted]
    assert painted.sum() > 2000
    inside = np.abs(points[:, 2] - 12.0) < 0.01
    assert inside.mean() > 0.97  # half a pixel at the rim looks past the corners
    if camera is CAMERAS["straight"]:
        np.testing.assert_allclose(depth.values[painted], 12.0, rtol=1e-5)


def test_depth_is_along_the_axis_not_along_the_ray():
    camera = CAMERAS["straight"]
    depth = Depth(camera)
    wall = np.array([(-20.0, -2.0, 9.0), (20.0, -2.0, 9.0), (20.0, 9.0, 9.0), (-20.0, 9.0, 9.0)])
    pixels = camera.project(wall[:, 0], wall[:, 1], wall[:, 2])
    depth.fill([np.round(pixels * 8).astype(np.int32)], 3, depth.plane(wall))
    assert depth.values.min() == pytest.approx(9.0) and depth.values.max() == pytest.approx(9.0)
    length = depth.values * np.linalg.norm(rays(camera), axis=-1)
    assert length.max() > 1.1 * length.min(), "the row that must fail"


def test_the_picture_is_the_same_with_depth_and_without():
    for seed in range(6):
        one, other = (Drive(seed, SIZE).render(5.0, asked) for asked in ((), KNOWN))
        np.testing.assert_array_equal(one.image, other.image)
        np.testing.assert_array_equal(one.drivable, other.drivable)
        assert one.depth is None and other.depth is not None


def test_depth_agrees_with_classes():
    """The sky is infinite, the bonnet unknown, everything else has a depth above 0."""
    for seed in range(16):
        shown = Drive(seed, SIZE).render(0.0, KNOWN)
        assert np.isposinf(shown.depth[shown.classes == SKY]).all()
        assert np.isnan(shown.depth[shown.classes == OWN_VEHICLE]).all()
        owned = shown.owners > 0
        assert not np.isnan(shown.depth[owned]).any()
        finite = np.isfinite(shown.depth)
        assert shown.depth[finite].min() > 0.5 and shown.depth[finite].max() < 400
        # Hills and towns on the horizon are painted on the sky.
        assert (finite | np.isnan(shown.depth) | ~np.isin(shown.owners, (1, 2, 3))).all()


def test_a_vehicle_stands_between_its_ends():
    found = 0
    for seed in range(40):
        one = Drive(seed, SIZE)
        bodies = [v for v in one.world.vehicles if v.kind not in ("person", "two wheels")]
        near = [v for v in bodies if 8 < v.at_m < 40 and abs(v.offset_m) < 4]
        if not near:
            continue
        vehicle = min(near, key=lambda v: v.at_m)
        one.world = replace(one.world, vehicles=(vehicle,), props=(), rails=())
        shown = one.render(0.0, KNOWN)
        on = shown.owners == OWNERS.index("vehicle")
        if on.sum() < 100:
            continue
        found += 1
        depth = shown.depth[on]
        assert vehicle.at_m * 0.95 < np.median(depth) < (vehicle.at_m + vehicle.size_m[0]) * 1.05
        assert np.quantile(depth, 0.02) > vehicle.at_m * 0.93
    assert found >= 5


def test_without_traffic_the_same_world_shows_what_was_behind():
    """The pair: farther or equal everywhere, and different in the traffic's pixels only."""
    changed = nearer = 0
    for seed in range(20):
        one = Drive(seed, SIZE, traffic_probability=1.0)
        full, empty = one.render(0.0, KNOWN), one.without_traffic().render(0.0, KNOWN)
        assert one.world.vehicles and not one.without_traffic().world.vehicles
        traffic = np.isin(full.owners, (OWNERS.index("vehicle"), OWNERS.index("person")))
        known = ~np.isnan(full.depth)
        assert (full.depth == empty.depth)[known & ~traffic].all()
        hidden = traffic & known
        changed += int(hidden.sum())
        nearer += int((empty.depth[hidden] < 0.97 * full.depth[hidden]).sum())
    assert changed > 500
    assert nearer < 0.002 * changed  # where wheels touch the ground: half a pixel


def test_a_chance_of_traffic_leaves_the_rest_of_the_world_alone():
    seen = 0
    for seed in range(30):
        plain, never, always = (
            Drive(seed, SIZE, traffic_probability=chance) for chance in (None, 0.0, 1.0)
        )
        assert not never.world.vehicles
        new = always.world.vehicles[: len(plain.world.vehicles)]
        assert [vars(one) for one in new] == [vars(one) for one in plain.world.vehicles]
        assert any(6 <= one.at_m <= 45 for one in always.world.vehicles)
        pictures = [one.without_traffic().render(0.0).image for one in (plain, never, always)]
        np.testing.assert_array_equal(pictures[0], pictures[1])
        np.testing.assert_array_equal(pictures[0], pictures[2])
        shown = always.render(0.0, KNOWN).owners
        seen += bool(np.isin(shown, (OWNERS.index("vehicle"), OWNERS.index("person"))).any())
    assert seen >= 26
    shares = [bool(Drive(s, SIZE, traffic_probability=0.5).world.vehicles) for s in range(200)]
    assert 0.4 < np.mean(shares) < 0.6


def test_owners_are_the_labels_owners():
    assert OWNERS == OWNER_NAMES and len(OWNER_OF) == len(CLASSES)
