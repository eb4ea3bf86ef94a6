# SPDX-License-Identifier: Apache-2.0
"""Random rigs, traffic all round, and drives with them."""

import numpy as np
import pytest

from shared_encoder_perception.rig.boxes import Box
from shared_encoder_perception.rig.rig import Rig, RigCamera
from shared_encoder_perception.world.classes import CLASSES, OWN_VEHICLE, PERSON, SKY, VEHICLE
from shared_encoder_perception.world.rigs.course import Course
from shared_encoder_perception.world.rigs.dice_rig import (
    FISHEYE_DEG,
    HEIGHT_M,
    PITCH_DEG,
    four_cameras,
    roll_rig,
)
from shared_encoder_perception.world.rigs.drive import RigDrive
from shared_encoder_perception.world.rigs.own_body import OwnBody
from shared_encoder_perception.world.rigs.traffic import KINDS, apart, box_of

SIZE = (96, 240)
ROLLED = (48, 120)


def rolled(count=120):
    return [roll_rig(np.random.default_rng(seed), ROLLED) for seed in range(count)]


def angles(camera):
    """Pitch down and yaw to the left of where a camera looks, degrees."""
    x, y, z = camera.view.ahead
    return np.degrees(np.arctan2(-z, np.hypot(x, y))), np.degrees(np.arctan2(y, x))


def field_deg(camera):
    height, width = camera.image_size
    rays = camera.view.camera.rays(np.array([(0, height / 2), (width - 1, height / 2)]))
    first, last = rays / np.linalg.norm(rays, axis=1, keepdims=True)
    return np.degrees(np.arccos(first @ last))


@pytest.fixture(scope="module")
def rigs():
    return rolled()


def test_rigs_have_one_to_six_cameras_of_every_kind_in_their_ranges(rigs):
    assert {len(rig.cameras) for rig in rigs} == {1, 2, 3, 4, 5, 6}
    cameras = [camera for rig in rigs for camera in rig.cameras]
    for camera in cameras:
        pitch, _ = angles(camera)
        assert PITCH_DEG[0] - 0.1 <= pitch <= PITCH_DEG[1] + 0.1
        assert HEIGHT_M[0] <= camera.view.position[2] <= HEIGHT_M[1]
    kinds = [(c.view.camera.fisheye, len(c.view.camera.distortion) > 0) for c in cameras]
    assert all(0.15 < np.mean([one == kind for one in kinds]) < 0.5 for kind in set(kinds))
    assert len(set(kinds)) == 3
    fields = np.array([field_deg(c) for c in cameras if not c.view.camera.fisheye])
    assert 45 < np.nanmin(fields) < 65 and 105 < np.nanmax(fields) < 130
    focal = [c.view.camera.matrix[0, 0] for c in cameras if c.view.camera.fisheye]
    wide = np.degrees(ROLLED[1] / np.array(focal))
    assert FISHEYE_DEG[0] - 1 < wide.min() and 150 < wide.max() < FISHEYE_DEG[1] + 1


def test_one_camera_looks_ahead_and_several_look_all_round(rigs):
    for rig in rigs:
        yaws = np.sort([angles(camera)[1] for camera in rig.cameras])
        assert np.abs(yaws).min() < 15
        if len(yaws) > 2:
            gaps = np.diff(np.r_[yaws, yaws[0] + 360])
            assert gaps.max() < 360 / len(yaws) + 60


def test_a_rig_of_a_given_number_of_cameras_or_none_at_all():
    assert len(roll_rig(np.random.default_rng(1), SIZE, 5).cameras) == 5
    for count in (0, 99):
        with pytest.raises(ValueError, match=f"a rig of {count} cameras, expected 1 to"):
            roll_rig(np.random.default_rng(1), SIZE, count)


def test_cameras_see_some_of_their_carrier_and_not_most_of_it(rigs):
    shares = [
        0.0 if camera.own is None else camera.own.mean() for rig in rigs for camera in rig.cameras
    ]
    assert 0.2 < np.mean(np.array(shares) > 0.01) < 0.9
    assert np.max(shares) < 0.75 and np.mean(np.array(shares) > 0.4) < 0.05


def test_a_camera_behind_the_windscreen_sees_the_bonnet_below():
    own = OwnBody("sedan", (4.6, 1.8, 1.45))
    front = four_cameras(SIZE)["front"].view
    middle = own.stand.x_m
    place = np.array((middle + 0.5, 0.0, 1.25))
    mask = own.mask(
        type(front)(front.camera, type(front.extrinsics)(front.extrinsics.rotation, place))
    )
    assert mask[-1].mean() > 0.5 and not mask[: SIZE[0] // 2].any()
    # Column by column: what is below it, is it.
    assert (np.diff(mask.astype(int), axis=0) >= 0).all()


def test_the_four_cameras_look_where_their_names_say():
    rig = four_cameras(SIZE)
    assert rig.names == ("front", "left", "rear", "right")
    yaws = [angles(camera)[1] % 360 for camera in rig.cameras]
    np.testing.assert_allclose(yaws, (0, 90, 180, 270), atol=1e-9)
    assert [field_deg(camera) for camera in rig.cameras] == pytest.approx([100.0] * 4, abs=0.5)
    assert rig["left"].view.position[1] > 0 > rig["right"].view.position[1]


def test_a_seed_decides_everything():
    first, again, other = (RigDrive(seed, None, SIZE).look(7.5) for seed in (14, 14, 15))
    assert first.frame.rig.names == again.frame.rig.names
    for name, seen in first.cameras.items():
        assert np.array_equal(seen.image, again.cameras[name].image)
        assert np.array_equal(seen.depth, again.cameras[name].depth, equal_nan=True)
    assert first.frame.label.objects == again.frame.label.objects
    assert np.array_equal(first.frame.label.drivable.values, again.frame.label.drivable.values)
    assert first.frame.label.objects != other.frame.label.objects


def test_driving_on_moves_what_stands_behind_by_as_much():
    drive = RigDrive(14, four_cameras(SIZE), traffic_probability=1.0)
    before, after = (drive.render(at).label.objects for at in (0.0, 2.0))
    parked = [actor.speed == 0 for actor in drive.actors if actor.along_m(0.0) < 70]
    assert sum(parked) > 5
    shifts = [
        min(np.hypot(b.x_m - a.x_m + 2.0, b.y_m - a.y_m) for b in after if b.kind == a.kind)
        for a in before
        if np.hypot(a.x_m, a.y_m) < 40
    ]
    assert np.mean(np.array(shifts) < 0.25) > 0.2
    assert np.array_equal(drive.render(2.0).images["rear"], drive.render(2.0).images["rear"])


@pytest.fixture(scope="module")
def drives():
    """Drives of which no picture is taken."""
    return [RigDrive(seed, four_cameras((24, 60)), traffic_probability=1.0) for seed in range(40)]


def boxes_at(drive, distance_m):
    """Boxes of all actors, without a picture."""
    course = Course.of(drive.world.road.alignment, distance_m)
    return [box_of(one.stand(course, distance_m), one.kind) for one in drive.actors]


def test_vehicles_are_near_on_all_sides(drives):
    near = [
        [box for box in boxes_at(drive, 0.0) if np.hypot(box.x_m, box.y_m) < 25] for drive in drives
    ]
    vehicles = [sum(box.kind == "vehicle" for box in boxes) for boxes in near]
    assert np.mean(np.array(vehicles) >= 3) > 0.9 and np.median(vehicles) >= 5
    bearings = np.degrees([np.arctan2(b.y_m, b.x_m) for boxes in near for b in boxes]) % 360
    eighths = np.histogram(bearings, 8, (0, 360))[0]
    assert eighths.min() > 0.04 * eighths.sum()
    kinds = {box.kind for boxes in near for box in boxes}
    assert kinds == set(KINDS)
    headings = np.degrees([b.yaw_rad for boxes in near for b in boxes]) % 360
    assert np.histogram(headings, 8, (0, 360))[0].min() > 5


def test_nobody_is_under_our_wheels_nor_in_another(drives):
    ours = Box("vehicle", 1.3, 0.0, 0.7, 4.6, 1.8, 1.4, 0.0).footprint()
    for drive in drives:
        for distance_m in (0.0, 31.0, 140.0):
            boxes = boxes_at(drive, distance_m)
            assert all(apart(ours, [box.footprint()]) for box in boxes), drive.world.place
    touching = total = 0
    for drive in drives:
        feet = [b.footprint() for b in boxes_at(drive, 0.0) if np.hypot(b.x_m, b.y_m) < 40]
        total += len(feet)
        touching += sum(not apart(foot, feet[:index]) for index, foot in enumerate(feet))
    assert touching < 0.02 * total, (touching, total)


def test_without_traffic_nobody_is_there():
    drive = RigDrive(14, four_cameras(SIZE), traffic_probability=0.0)
    view = drive.look()
    assert drive.actors == () and view.frame.label.objects == ()
    for seen in view.cameras.values():
        assert not np.isin(seen.classes, (VEHICLE, PERSON)).any()


def test_every_camera_gives_the_samples_of_the_other_tasks():
    rig = four_cameras(SIZE)
    masked = np.zeros(SIZE, bool)
    masked[-12:] = True
    rig = Rig((RigCamera("front", rig["front"].view, masked), *rig.cameras[1:]))
    view = RigDrive(14, rig, traffic_probability=1.0).look(1.0)
    samples = view.samples()
    assert set(samples) == set(rig.names)
    for name, sample in samples.items():
        seen = view.cameras[name]
        assert sample.image is seen.image and name in sample.name
        assert len(sample.labels) >= 3
        assert sample.labels["depth"].height_m == rig[name].view.position[2]
        assert not any(getattr(label, "lines", None) for label in sample.labels.values())
        flat = seen.flat_road()
        ground = (seen.drivable > 0) & np.isfinite(flat)
        np.testing.assert_allclose(seen.depth[ground], flat[ground], rtol=1e-5)
        assert np.isinf(seen.depth[seen.classes == SKY]).all()
        assert seen.classes.max() < len(CLASSES)
    front = view.cameras["front"]
    own = front.classes == OWN_VEHICLE
    assert np.array_equal(own, masked) and np.isnan(front.depth[own]).all()
    assert not front.drivable[own].any() and (front.boxes[own] < 0).all()
