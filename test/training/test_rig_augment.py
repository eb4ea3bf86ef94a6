# SPDX-License-Identifier: Apache-2.0
"""Pictures, poses and labels of a rig are changed together: what was seen there is seen there."""

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the offline side needs torch: make test")

from flat_ground import four_cameras

from shared_encoder_perception.ground.camera import CameraModel
from shared_encoder_perception.ground.extrinsics import Extrinsics
from shared_encoder_perception.ground.view import CameraView
from shared_encoder_perception.rig.boxes import Box
from shared_encoder_perception.rig.frame import RigFrame
from shared_encoder_perception.rig.grid import BevGrid
from shared_encoder_perception.rig.ground_map import GroundLabel, GroundMap
from shared_encoder_perception.rig.rig import RigCamera
from shared_encoder_perception.rig.table import Sight
from shared_encoder_perception.structures import Crop
from shared_encoder_perception.tasks.surround.target import truth
from shared_encoder_perception.training.augment import AugmentConfig
from shared_encoder_perception.training.config import load_config
from shared_encoder_perception.training.look import EFFECTS
from shared_encoder_perception.training.rig_augment import (
    augment_rig,
    mirrored,
    mirrored_camera,
    shaken,
    with_cameras,
)
from shared_encoder_perception.training.rig_config import RigConfig

SIZE = (96, 256)
GRID = BevGrid(-20.0, -20.0, 40, 40, 1.0, (0.0, 1.5))
STILL = dict.fromkeys(("geometry", "flip", *EFFECTS), 0.0)
CALM = RigConfig([4], yaw=0.0, noise=0.0, dropout=0.0)
CAR = Box("vehicle", 9.0, -3.0, 0.8, 4.4, 1.8, 1.6, 0.4, 0.9)
LENSES = {
    "pinhole": ((), False),
    "plumb_bob": ((-0.2, 0.03, 0.01, -0.02, 0.001), False),
    "rational": ((0.1, 0.02, -0.01, 0.015, 0.003, 0.2, 0.03, 0.004), False),
    "thin prism": ((0.1, 0.02, -0.01, 0.015, 0.0, 0.2, 0.03, 0.0, 0.02, 0.01, -0.02, 0.01), False),
    "tilted": ((-0.1, 0.02, 0.01, 0.01) + (0.0,) * 8 + (0.03, -0.05), False),
    "fisheye": ((0.02, -0.01, 0.003, -0.001), True),
}


def frame():
    """A moment whose pictures say by green and blue where in the picture a pixel is."""
    rig = four_cameras()
    images = {}
    for camera in rig.cameras:
        height, width = camera.image_size
        row, column = np.indices((height, width))
        coarse = np.stack((column / width, row / height, np.zeros_like(row)), axis=-1)
        images[camera.name] = (255 * coarse).astype(np.uint8)
    values = np.random.default_rng(0).choice(np.array((0, 127, 255), np.uint8), (60, 50))
    area = GroundMap(BevGrid(-22.0, -28.0, 50, 60, 1.0), values)
    told = np.random.default_rng(1).choice(np.array((0, 127, 255), np.uint8), (50, 60))
    in_view = GroundMap(BevGrid(-27.0, -24.0, 60, 50, 1.0), told)
    return RigFrame("moment", rig, images, label=GroundLabel((CAR,), area, in_view))


def lopsided(lens):
    """A camera whose every number matters, with region, binning and rectification."""
    bend, fisheye = LENSES[lens]
    matrix = np.array([[300.0, 2.0, 333.0], [0, 310.0, 210.0], [0, 0, 1]])
    turn = Extrinsics.from_angles((0, 0, 0), 0.02, -0.01, 0.03).rotation
    turn = turn @ Extrinsics.from_angles((0, 0, 0), 0, 0, 0).rotation.T
    model = CameraModel((180, 250), matrix, np.array(bend), fisheye, turn, (2, 2), (40.5, 20.5))
    pose = Extrinsics.from_angles((1.2, 0.7, 1.5), 0.05, 0.2, 0.6)
    own = np.zeros((180, 250), bool)
    own[160:, :80] = True
    return RigCamera("left", CameraView(model, pose), own, Crop(10, 5, 200, 150))


@pytest.mark.parametrize("lens", LENSES)
def test_in_the_mirror_a_camera_sees_the_mirrored_point_at_the_mirrored_pixel(lens):
    camera = lopsided(lens)
    points = np.random.default_rng(1).uniform((1, -20, -1), (25, 25, 4), (4000, 3))
    before, after = camera.see(points), mirrored_camera(camera).see(points * (1, -1, 1))
    seen = np.isfinite(before).all(axis=1)
    assert 100 < seen.sum() < len(points)
    assert np.array_equal(seen, np.isfinite(after).all(axis=1))
    assert np.abs(after[seen, 0] - (249 - before[seen, 0])).max() < 1e-6
    assert np.abs(after[seen, 1] - before[seen, 1]).max() < 1e-6


@pytest.mark.parametrize("lens", LENSES)
def test_a_mirror_in_a_mirror_is_what_was(lens):
    camera = lopsided(lens)
    again = mirrored_camera(mirrored_camera(camera))
    for name in ("matrix", "distortion", "rectification"):
        assert np.allclose(getattr(again.view.camera, name), getattr(camera.view.camera, name))
    assert np.allclose(again.view.extrinsics.rotation, camera.view.extrinsics.rotation)
    assert np.array_equal(again.own, camera.own) and again.crop == camera.crop


def test_the_mirrored_rig_is_the_one_that_stands_in_the_mirror():
    expected = four_cameras(-1)
    for camera in mirrored(frame()).rig.cameras:
        other = expected[camera.name].view
        assert np.allclose(camera.view.extrinsics.rotation, other.extrinsics.rotation)
        assert np.allclose(camera.view.camera.matrix, other.camera.matrix)


def seen_and_true(shown, yaw_rad=0.0):
    sight = Sight.of(shown.rig, GRID, SIZE)
    return sight, truth(shown.label, GRID, sight.seen(), yaw_rad)


def test_a_mirrored_moment_is_true_in_the_mirror():
    before, after = frame(), mirrored(frame())
    sight, found = seen_and_true(before)
    other, said = seen_and_true(after)
    assert np.array_equal(other.seen(), sight.seen()[::-1])
    assert np.array_equal(said.vehicle, found.vehicle[::-1])
    assert np.array_equal(said.drivable, found.drivable[::-1])
    assert np.array_equal(said.vehicle_in_view, found.vehicle_in_view[::-1])
    assert np.array_equal(said.drivable_in_view, found.drivable_in_view[::-1])
    assert len(np.unique(said.drivable_in_view)) == 3
    assert np.allclose(said.offset[1], -found.offset[1, ::-1], atol=1e-5)
    for name, image in after.images.items():
        assert np.array_equal(image, before.images[name][:, ::-1])


def places_shown(shown):
    """Where in its own picture each voxel is looked up, by what the pictures say, as shares."""
    rig = shown.frame.rig
    sight = Sight.of(rig, GRID, SIZE)
    found = []
    for camera, pixel in zip(rig.cameras, sight.pixel, strict=True):
        image = camera.transform(SIZE).image_to_input(shown.frame.images[camera.name])
        at = np.rint(np.nan_to_num(pixel)).astype(int)
        at = at.clip(0, (SIZE[1] - 1, SIZE[0] - 1))
        found.append(np.where(np.isfinite(pixel), image[at[:, 1], at[:, 0], :2] / 255, np.nan))
    return np.stack(found)


@pytest.mark.parametrize("seed", range(3))
def test_another_crop_shows_less_and_every_voxel_at_the_same_place_of_the_picture(seed):
    config = AugmentConfig(**{**STILL, "geometry": 1.0}, scale=(0.6, 0.8), rise=0.2)
    whole, cropped = (
        places_shown(augment_rig(frame(), SIZE, one, CALM, seed))
        for one in (AugmentConfig(**STILL), config)
    )
    both = np.isfinite(whole) & np.isfinite(cropped)
    assert both.sum() > 500
    assert np.isfinite(whole).sum() > np.isfinite(cropped).sum()
    assert np.abs(whole - cropped)[both].max() < 0.02


@pytest.mark.parametrize("seed", range(3))
def test_a_turned_grid_has_the_box_where_the_turned_cameras_look(seed):
    rigs = replace(CALM, yaw=1.0, yaw_deg=170.0)
    shown = augment_rig(frame(), SIZE, AugmentConfig(**STILL), rigs, seed)
    assert abs(shown.yaw_rad) > 0.05
    box = CAR.turned(shown.yaw_rad)
    for camera, turned in zip(frame().rig.cameras, shown.frame.rig.cameras, strict=True):
        before, after = camera.see(CAR.corners()), turned.see(box.corners())
        assert np.allclose(before, after, atol=1e-6, equal_nan=True)
    assert seen_and_true(shown.frame, shown.yaw_rad)[1].boxes == (box,)


def test_a_shaken_camera_is_off_by_as_much_as_was_said():
    camera, turns, moves = four_cameras()["front"], [], []
    rng = np.random.default_rng(0)
    for _ in range(400):
        pose = shaken(camera, 0.3, 0.02, rng).view.extrinsics
        between = pose.rotation @ camera.view.extrinsics.rotation.T
        turns.append(np.arccos((np.trace(between) - 1) / 2))
        moves.append(pose.position - camera.view.position)
    assert np.sqrt(np.mean(np.square(turns)) / 3) == pytest.approx(np.deg2rad(0.3), rel=0.1)
    assert np.std(moves) == pytest.approx(0.02, rel=0.1)


def test_a_camera_that_is_lost_is_not_live_and_the_last_one_never_is():
    rigs = replace(CALM, dropout=1.0)
    shown = [augment_rig(frame(), SIZE, AugmentConfig(**STILL), rigs, seed) for seed in range(12)]
    assert all(len(one.live) == 3 for one in shown)
    assert len({one.live for one in shown}) == 4
    alone = with_cameras(frame(), 1, np.random.default_rng(0))
    assert len(augment_rig(alone, SIZE, AugmentConfig(**STILL), rigs, 0).live) == 1


def test_without_any_change_a_moment_is_shown_as_it_is():
    shown = augment_rig(frame(), SIZE, AugmentConfig(**STILL), CALM, 0)
    assert shown.yaw_rad == 0 and shown.live == frame().rig.names
    for name, image in frame().images.items():
        assert np.array_equal(shown.frame.images[name], image)


def test_one_seed_gives_one_view_and_another_seed_another():
    config, rigs = AugmentConfig(flip=0.5), RigConfig([4], dropout=0.5)
    one, again, other = (augment_rig(frame(), SIZE, config, rigs, seed) for seed in (5, 5, 6))
    assert one.yaw_rad == again.yaw_rad and one.live == again.live
    for name in one.frame.rig.names:
        assert np.array_equal(one.frame.images[name], again.frame.images[name])
    assert any((one.frame.images[n] != other.frame.images[n]).any() for n in one.frame.rig.names)


def test_cameras_are_left_out_in_the_rigs_order_those_without_a_picture_first():
    whole = frame()
    dark = {name: image for name, image in whole.images.items() if name != "left"}
    left = with_cameras(replace(whole, images=dark), 3, np.random.default_rng(0))
    assert left.rig.names == tuple(left.images) == ("front", "rear", "right")
    kept = {with_cameras(whole, 2, np.random.default_rng(seed)).rig.names for seed in range(40)}
    assert len(kept) == 6
    with pytest.raises(ValueError, match="moment: 3 cameras gave a picture, expected 4"):
        with_cameras(replace(whole, images=dark), 4, np.random.default_rng(0))


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("rigs.cameras=[]", r"rigs.cameras is \[\], expected at least one number above 0"),
        ("rigs.cameras=[4, 0]", r"rigs.cameras is \[4, 0\], expected"),
        ("rigs.dropout=1.5", "rigs.dropout is 1.5, expected 0 to 1"),
        ("rigs.noise_deg=30", "rigs.noise_deg is 30.0, expected 0 to 5"),
        ("rigs.yaw_deg=-1", "rigs.yaw_deg is -1.0, expected 0 to 180"),
    ],
)
def test_what_no_rig_can_be_is_refused(override, message):
    with pytest.raises(ValueError, match=message):
        load_config(None, ["network.tasks=[surround]", override])
