# SPDX-License-Identifier: Apache-2.0
"""What a rig's label says of the ground is what its cameras show there."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from shared_encoder_perception.rig.ground_map import NO, NOT_KNOWN, YES
from shared_encoder_perception.world.classes import MARKING, PAVEMENT, ROAD, TERRAIN
from shared_encoder_perception.world.rendered import DRIVABLE
from shared_encoder_perception.world.rigs.dice_rig import four_cameras, roll_rig
from shared_encoder_perception.world.rigs.drive import RigDrive
from shared_encoder_perception.world.rigs.traffic import TWO_WHEELS, VEHICLE_KIND, Actor

SIZE = (128, 320)
SEEDS = (4, 14, 21, 22, 35, 37)
BARE = (ROAD, MARKING, PAVEMENT, TERRAIN)


def seen_from(camera, points):
    """Pixels of points of the vehicle's frame, NaN where there are none; own mask or not."""
    pose = camera.view.extrinsics
    return camera.view.camera.see((points - pose.position) @ pose.rotation)


def inside(camera, pixels, rim=0.0):
    height, width = camera.image_size
    low, high = (rim, rim), (width - 1 - rim, height - 1 - rim)
    return ((pixels >= low) & (pixels <= high)).all(axis=-1)


@pytest.fixture(scope="module", params=SEEDS)
def drive(request):
    """Rolled rigs, with every lens; the vehicle is not parallel to the road."""
    return RigDrive(request.param, None, SIZE, traffic_probability=1.0, yaw_rad=0.2)


@pytest.fixture(scope="module")
def view(drive):
    return drive.look(6.0)


def shapes(camera, seen, boxes):
    """Of boxes that are wholly in the picture and not hidden: index and pixels."""
    for index, box in enumerate(boxes):
        corners = seen_from(camera, box.corners())
        own = seen.boxes == index
        if inside(camera, corners, 4).all() and own.sum() > 60:
            yield index, own


def meets_the_ground(camera, seen, boxes, truth):
    """Share of vehicles whose corner nearest to the camera has pixels of theirs, and none below."""
    met = []
    for index, own in shapes(camera, seen, truth):
        box = boxes[index]
        if box.kind != VEHICLE_KIND or truth[index].visible < 0.97:
            continue
        foot = np.c_[box.footprint(), np.zeros(4)]
        at = seen_from(
            camera, foot[np.argmin(np.linalg.norm(foot - camera.view.position, axis=1))][None]
        )[0]
        if not inside(camera, at):
            met.append(False)
            continue
        scale = max(np.sqrt(own.sum()) / 12, 2.0)
        rows, columns = np.nonzero(own)
        nearest = np.hypot(columns - at[0], rows - at[1]).min()
        below = (rows - at[1])[np.abs(columns - at[0]) < scale].max(initial=-99)
        met.append(nearest < scale and abs(below) < scale)
    return met


def test_a_box_stands_where_its_pixels_meet_the_ground(drive, view):
    boxes = view.frame.label.objects
    turned = [box.turned(0.12) for box in boxes]
    mirrored = [box.mirrored() for box in boxes]
    shares = {}
    for name, wrong in (("true", boxes), ("turned", turned), ("mirrored", mirrored)):
        met = [
            one
            for camera in drive.rig.cameras
            for one in meets_the_ground(camera, view.cameras[camera.name], wrong, boxes)
        ]
        assert len(met) > 4
        shares[name] = np.mean(met)
    # Of one that is seen from its side alone, the wheels stand back from the corners.
    assert shares["true"] > 0.8, shares
    assert shares["turned"] < 0.3 and shares["mirrored"] < 0.3, shares


def test_pictures_of_exchanged_cameras_are_told_apart():
    drive = RigDrive(14, four_cameras(SIZE), traffic_probability=1.0)
    view = drive.look(6.0)
    boxes = view.frame.label.objects
    names = drive.rig.names
    for name, other in zip(names, names[2:] + names[:2], strict=True):
        wrong = [
            int((view.cameras[name].boxes == index).sum())
            for index, box in enumerate(boxes)
            if inside(drive.rig[other], seen_from(drive.rig[other], box.corners()), 4).all()
        ]
        assert sum(wrong) == 0, (name, other)


def test_pixels_of_a_box_lie_within_the_hull_of_its_corners(drive, view):
    checked = 0
    for camera in drive.rig.cameras:
        seen = view.cameras[camera.name]
        for index, own in shapes(camera, seen, view.frame.label.objects):
            box = view.frame.label.objects[index]
            edges = [(i, (i + 1) % 4) for i in range(4)]
            edges += [(i + 4, j + 4) for i, j in edges] + [(i, i + 4) for i in range(4)]
            share = np.linspace(0, 1, 9)[:, None]
            solid = box.corners()
            rim = np.concatenate([solid[i] + share * (solid[j] - solid[i]) for i, j in edges])
            hull = cv2.convexHull(np.round(seen_from(camera, rim) * 16).astype(np.int32))
            mask = np.zeros(seen.boxes.shape, np.uint8)
            cv2.fillPoly(mask, [hull], 1, cv2.LINE_8, 4)
            mask = cv2.dilate(mask, np.ones((3, 3), np.uint8))
            assert not (own & (mask == 0)).any(), (camera.name, box)
            if own.sum() > 300 and box.visible > 0.97 and box.kind == VEHICLE_KIND:
                assert own.sum() > 0.5 * mask.sum(), (camera.name, box)
            checked += 1
    assert checked > 0


def test_the_map_agrees_with_the_masks_of_all_cameras(drive, view):
    """Ground pixels, put on the ground by their rays; not at borders, where both are rounded."""
    ground = view.frame.label.drivable
    kernel = np.ones((5, 5), np.uint8)
    sure = {
        value: cv2.erode((ground.values == value).astype(np.uint8), kernel) > 0
        for value in (YES, NO)
    }
    assert not (ground.values == NOT_KNOWN).any()
    right = wrong = 0
    for camera in drive.rig.cameras:
        seen = view.cameras[camera.name]
        rows, columns = np.nonzero(np.isin(seen.classes, BARE))
        rays = camera.view.rays(np.stack((columns, rows), axis=1))
        place = camera.view.position + rays * (camera.view.position[2] / -rays[:, 2:])
        cells = np.rint(ground.grid.cells(place[:, :2])).astype(int)
        near = (np.abs(place[:, :2]) < 40).all(axis=1)
        x, y = cells[near].T
        says = seen.drivable[rows[near], columns[near]] == DRIVABLE
        right += int((says & sure[YES][y, x]).sum() + (~says & sure[NO][y, x]).sum())
        wrong += int((says & sure[NO][y, x]).sum() + (~says & sure[YES][y, x]).sum())
    assert right > 5000 and wrong < 0.01 * right, (right, wrong)


def test_depth_of_bare_ground_is_where_rays_meet_it(drive, view):
    for camera in drive.rig.cameras:
        seen = view.cameras[camera.name]
        rows, columns = np.nonzero(np.isin(seen.classes, BARE))
        rays = camera.view.rays(np.stack((columns, rows), axis=1))
        reach = camera.view.position[2] / -rays[:, 2]
        along = reach * (rays @ camera.view.extrinsics.rotation[:, 2])
        near = along < 50
        np.testing.assert_allclose(seen.depth[rows, columns][near], along[near], rtol=2e-3)


def test_a_turned_frame_changes_the_label_and_no_picture():
    rig = roll_rig(np.random.default_rng(5), SIZE, 3)
    plain = RigDrive(14, rig, traffic_probability=1.0).look(3.0)
    turned = RigDrive(14, rig.turned(0.7), traffic_probability=1.0, yaw_rad=0.7).look(3.0)
    for name in rig.names:
        first, second = (one.cameras[name] for one in (plain, turned))
        assert (first.boxes != second.boxes).mean() < 1e-3
        assert (np.abs(first.scene.astype(int) - second.scene) > 2).mean() < 5e-3
    for first, second in zip(plain.frame.label.objects, turned.frame.label.objects, strict=True):
        back = second.turned(-0.7)
        assert (back.x_m, back.y_m) == pytest.approx((first.x_m, first.y_m))
        assert back.yaw_rad == pytest.approx(first.yaw_rad)
        assert second.visible == pytest.approx(first.visible, abs=0.05)
    grid = plain.frame.label.drivable.grid
    back = turned.frame.label.drivable.onto(grid, -0.7).values
    both = back != NOT_KNOWN
    assert (back == plain.frame.label.drivable.values)[both].mean() > 0.99


def standing(body, ahead_m, offset_m, yaw_rad=0.0):
    size = {"truck": (12.0, 2.5, 3.8), "sedan": (4.5, 1.8, 1.45), TWO_WHEELS: (1.9, 0.7, 1.7)}
    return Actor(body, offset_m, ahead_m, 1.0, yaw_rad, size[body], (60.0, 60.0, 200.0), False)


@pytest.mark.parametrize("bearing_deg", [0.0, 95.0, 180.0, -80.0])
def test_a_hidden_vehicle_is_hardly_visible_and_a_free_one_wholly(bearing_deg):
    drive = RigDrive(2, four_cameras(SIZE), traffic_probability=0.0, split_probability=0.0)
    drive.world = replace(drive.world, props=(), rails=())
    bearing = np.radians(bearing_deg)
    ahead, left = np.cos(bearing), np.sin(bearing)

    def at(body, away_m, yaw_rad):
        return standing(body, away_m * ahead, -away_m * left, yaw_rad)

    across = bearing + np.pi / 2
    free = at("sedan", 16.0, across)
    drive.actors = (free,)
    assert drive.render().label.objects[0].visible > 0.9
    drive.actors = (free, at("truck", 9.0, across))
    hidden, truck = drive.render().label.objects
    assert hidden.visible < 0.05 and truck.visible > 0.4
    assert (hidden.x_m, hidden.y_m) == pytest.approx((16 * ahead, 16 * left), abs=1.0)


def test_what_no_camera_looks_at_is_labelled_as_unseen():
    rig = four_cameras(SIZE).only(["front"])
    drive = RigDrive(2, rig, traffic_probability=0.0)
    drive.actors = (standing("sedan", -12.0, 0.0), standing(TWO_WHEELS, 9.0, 1.5))
    behind, rider = drive.render().label.objects
    assert behind.visible == 0 and rider.visible > 0.9
    assert (behind.kind, rider.kind) == ("vehicle", "two_wheels")
