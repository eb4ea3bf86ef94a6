# SPDX-License-Identifier: Apache-2.0
"""Any lens: rays, outlines of polygons, and one scene seen through two of them."""

import cv2
import numpy as np
import pytest

from shared_encoder_perception.ground.camera import CameraModel
from shared_encoder_perception.ground.extrinsics import Extrinsics
from shared_encoder_perception.ground.view import CameraView
from shared_encoder_perception.rig.rig import Rig, RigCamera
from shared_encoder_perception.world.rigs.dice_rig import camera_model
from shared_encoder_perception.world.rigs.drive import RigDrive
from shared_encoder_perception.world.rigs.lens import Lens

SIZE = (120, 300)
POSE = Extrinsics.from_angles((1.2, 0.5, 1.6), 0.01, 0.1, 0.6)
LENSES = {
    "none": (100.0, None, False),
    "plumb_bob": (95.0, (-0.06, 0.004, 0.001, -0.0015, 0.0), False),
    "rational": (90.0, (0.02, 0.01, 0.0005, 0.0, 0.002, 0.05, 0.01, 0.001), False),
    "equidistant": (150.0, (0.01, -0.003, 0.001, 0.0), True),
    "equidistant, all round": (180.0, (0.0, 0.0, 0.0, 0.0), True),
}


def view_of(name, pose=POSE):
    field, bend, fisheye = LENSES[name]
    bend = None if bend is None else np.array(bend)
    return CameraView(camera_model(SIZE, np.radians(field), bend, fisheye=fisheye), pose)


@pytest.mark.parametrize("name", LENSES)
def test_rays_are_those_of_the_camera_model(name):
    view = view_of(name)
    lens = Lens(view)
    grid = np.stack(np.meshgrid(np.arange(SIZE[1]), np.arange(SIZE[0])), axis=-1)
    rays = view.camera.rays(grid.reshape(-1, 2)).reshape(*SIZE, 3)
    exact = rays[..., :2] / rays[..., 2:]
    apart = np.abs(lens.slopes - exact) / (1 + np.abs(exact))
    assert apart[lens.seen].max() < 1e-5
    assert lens.seen.mean() > (0.9 if "round" in name else 0.999)
    ahead = lens.directions[lens.seen] @ view.extrinsics.rotation[:, 2]
    np.testing.assert_allclose(ahead, 1.0, atol=1e-5)


def hit_by_rays(lens, corners):
    """(H, W) pixels whose rays meet a convex polygon, by the signs of its edges' planes."""
    placed = (corners - lens.position) @ lens.turn
    rays = np.concatenate((lens.slopes, np.ones((*lens.size, 1))), axis=-1)
    sides = np.stack(
        [rays @ np.cross(a, b) for a, b in zip(placed, np.roll(placed, -1, axis=0), strict=True)]
    )
    normal = np.cross(placed[1] - placed[0], placed[2] - placed[0])
    reach = (normal @ placed[0]) / (rays @ normal)
    return ((sides > 0).all(axis=0) | (sides < 0).all(axis=0)) & (reach > 0) & lens.seen


@pytest.mark.parametrize("name", LENSES)
def test_outlines_of_polygons_hold_the_pixels_whose_rays_meet_them(name):
    """Near and far, also such that reach behind the camera, or around all of its picture."""
    lens = Lens(view_of(name))
    rng = np.random.default_rng(3)
    turn = lens.turn
    compared = 0
    for index in range(60):
        centre = rng.normal(0, 1, 3) * (4, 1.5, 4) + (0, 0, 3)
        axes = np.linalg.qr(rng.normal(0, 1, (3, 3)))[0][:2]
        size = np.exp(rng.uniform(-1, 2.5))
        corners = centre + np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)]) @ axes * size
        corners = corners @ turn.T + lens.position
        outlines = lens.outlines(lens.placed(corners), np.zeros(1, np.intp))
        drawn = np.zeros(SIZE, np.uint8)
        for points in outlines.points:
            fixed = np.round(np.clip(points, -6000, 6000) * 8).astype(np.int32)
            cv2.fillPoly(drawn, [fixed], 1, cv2.LINE_8, 3)
        met = hit_by_rays(lens, corners).astype(np.uint8)
        border = cv2.dilate(met, np.ones((5, 5))) - cv2.erode(met, np.ones((5, 5)))
        wrong = int(((drawn != met) & (border == 0) & lens.seen).sum())
        # What is seen nearly along its plane is thinner than a pixel.
        assert wrong <= 5, (index, wrong, int(met.sum()))
        compared += int(met.sum() > 50)
    assert compared > 15


@pytest.mark.parametrize("name", ["plumb_bob", "rational", "equidistant"])
def test_two_lenses_at_one_place_see_the_same_at_their_own_pixels(name):
    """Each pixel of the pinhole's, sought in the other's picture by the camera model alone."""
    plain, bent = (RigCamera(one, view_of(one)) for one in ("none", name))
    view = RigDrive(14, Rig((plain, bent)), traffic_probability=1.0).look(2.0)
    first, second = (view.cameras[one] for one in ("none", name))
    grid = np.stack(np.meshgrid(np.arange(SIZE[1]), np.arange(SIZE[0])), axis=-1).reshape(-1, 2)
    pixels = bent.view.camera.pixels(plain.view.camera.rays(grid))
    near = np.rint(np.nan_to_num(pixels, nan=-1)).astype(int)
    shown = ((near >= 0) & (near < (SIZE[1], SIZE[0]))).all(axis=1)
    assert shown.mean() > 0.7
    x, y = near[shown].T
    inner = off_borders(first.boxes) & off_borders(first.classes)
    inner = inner.reshape(-1)[shown]
    for one, other in ((first.boxes, second.boxes), (first.classes, second.classes)):
        same = one.reshape(-1)[shown] == other[y, x]
        assert same[inner].mean() > 0.995
    assert len(np.unique(first.boxes)) > 3
    # The same, turned by five pixels, is told apart.
    moved = second.boxes[y, (x + 5).clip(0, SIZE[1] - 1)]
    box = first.boxes.reshape(-1)[shown] >= 0
    assert (first.boxes.reshape(-1)[shown] == moved)[box].mean() < 0.95


def off_borders(values, reach=3):
    """Pixels around which all have the same value."""
    kernel = np.ones((2 * reach + 1,) * 2, np.uint8)
    plain = values.astype(np.int16)
    return cv2.dilate(plain, kernel) == cv2.erode(plain, kernel)


def test_a_rectified_camera_sees_as_its_rectified_frame():
    """The rectification is part of the model, and the pose is of the rectified frame."""
    plain = camera_model(SIZE, np.radians(80), fisheye=False)
    turn = cv2.Rodrigues(np.array([0.02, -0.05, 0.01]))[0]
    turned = CameraModel(SIZE, plain.matrix, plain.distortion, False, turn, (1, 1), (0.0, 0.0))
    same = Extrinsics(POSE.rotation @ turn, POSE.position)
    pair = (
        RigCamera("rectified", CameraView(turned, POSE)),
        RigCamera("raw", CameraView(plain, same)),
    )
    view = RigDrive(14, Rig(pair), traffic_probability=1.0).look(2.0)
    first, second = (view.cameras[name] for name in ("rectified", "raw"))
    assert (first.boxes != second.boxes).mean() < 2e-3
    assert (np.abs(first.scene.astype(int) - second.scene).max(axis=2) > 3).mean() < 0.02
