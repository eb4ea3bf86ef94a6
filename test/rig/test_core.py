# SPDX-License-Identifier: Apache-2.0
"""Grid, rig, boxes and maps of the ground: one layout, one frame."""

from dataclasses import replace

import numpy as np
import pytest

from shared_encoder_perception.ground.camera import CameraModel
from shared_encoder_perception.ground.extrinsics import Extrinsics
from shared_encoder_perception.ground.view import CameraView
from shared_encoder_perception.rig.boxes import Box
from shared_encoder_perception.rig.frame import RigFrame
from shared_encoder_perception.rig.grid import BevGrid
from shared_encoder_perception.rig.ground_map import NOT_KNOWN, YES, covered, drivable_map
from shared_encoder_perception.rig.rig import Rig, RigCamera
from shared_encoder_perception.structures import Crop


def camera(name, yaw_deg=0.0, size=(200, 300), own=None):
    """Return a pinhole 1.5 m above the ground."""
    height, width = size
    matrix = np.array([[150.0, 0, (width - 1) / 2], [0, 150.0, (height - 1) / 2], [0, 0, 1]])
    lens = CameraModel(size, matrix, np.zeros(0), False, np.eye(3), (1, 1), (0.0, 0.0))
    pose = Extrinsics.from_angles((1.0, 0.0, 1.5), 0.0, 0.0, np.deg2rad(yaw_deg))
    return RigCamera(name, CameraView(lens, pose), own)


def test_the_first_value_of_a_map_belongs_to_the_lowest_x_and_y():
    grid = BevGrid(-1.0, -2.0, 4, 8, 0.5)
    flat = grid.centres().reshape(-1, 2)
    assert flat[0] == pytest.approx((-0.75, -1.75))
    assert flat[1] == pytest.approx((-0.25, -1.75))
    assert flat[4] == pytest.approx((-0.75, -1.25))
    assert grid.cells(flat[5]) == pytest.approx((1, 1))
    assert grid.points(grid.cells(flat)) == pytest.approx(flat)
    assert grid.voxels().shape == (4, 8, 4, 3)
    assert grid.voxels()[2, 3, 1] == pytest.approx((-0.25, -0.25, 1.3))


def test_pictures_of_a_map_show_ahead_above_and_left_on_the_left():
    grid = BevGrid(0.0, -1.0, 3, 4, 0.5)
    far_left = np.zeros(grid.shape)
    far_left[-1, -1] = 1
    picture = grid.picture(far_left)
    assert picture.shape == (3, 4)
    assert picture[0, 0] == 1


@pytest.mark.parametrize(
    "bad",
    [
        {"cells_x": 0},
        {"cells_y": 10**9},
        {"cell_m": 0.0},
        {"cell_m": float("nan")},
        {"x_min_m": float("inf")},
        {"heights_m": ()},
        {"heights_m": (1.0, 1.0)},
    ],
)
def test_what_is_no_grid_is_refused(bad):
    with pytest.raises(ValueError, match="grid"):
        BevGrid(**bad)


def test_a_camera_that_looks_left_sees_left():
    left = camera("left", yaw_deg=90.0)
    points = np.array([(1.0, 10.0, 1.5), (1.0, -10.0, 1.5), (3.0, 10.0, 1.5), (1.0, 10.0, 0.0)])
    middle, behind, ahead, below = left.see(points)
    assert middle == pytest.approx((149.5, 99.5))
    assert np.isnan(behind).all()
    assert ahead[0] > 149.5  # what is ahead of the vehicle is on the right of a left camera
    assert below[1] > 99.5


def test_the_own_vehicle_hides_what_is_behind_it():
    own = np.zeros((200, 300), bool)
    own[:, :150] = True
    points = np.array([(11.0, 1.0, 1.5), (11.0, -1.0, 1.5)])
    free, masked = camera("front").see(points), camera("front", own=own).see(points)
    assert np.isfinite(free).all()
    assert np.isnan(masked[0]).all()
    assert np.isfinite(masked[1]).all()
    with pytest.raises(ValueError, match="camera front: the mask of the own vehicle"):
        camera("front", own=own[:-1])


def test_a_crop_that_leaves_the_picture_is_refused_by_its_cameras_name():
    inside = replace(camera("front"), crop=Crop(0, 100, 300, 100))
    assert inside.transform((32, 96)).crop == Crop(0, 100, 300, 100)
    with pytest.raises(ValueError, match="camera front: crop"):
        replace(camera("front"), crop=Crop(0, 150, 300, 100))


def test_a_turned_rig_sees_turned_points_where_they_were():
    turn = np.deg2rad(30)
    rig = Rig((camera("front"), camera("left", 90.0)))
    box = Box("vehicle", 12.0, 4.0, 0.8, 4.5, 1.8, 1.6, 0.3)
    for before, after in zip(rig.cameras, rig.turned(turn).cameras, strict=True):
        seen = before.see(box.corners())
        np.testing.assert_allclose(after.see(box.turned(turn).corners()), seen, atol=1e-9)


def test_names_in_a_rig_are_unique_and_known():
    with pytest.raises(ValueError, match="two cameras named 'front'"):
        Rig((camera("front"), camera("front")))
    with pytest.raises(ValueError, match="0 cameras"):
        Rig(())
    with pytest.raises(KeyError, match="no camera 'rear', only front"):
        Rig((camera("front"),))["rear"]


@pytest.mark.parametrize("shift", [0.0, 0.07, 0.2, 0.31])
@pytest.mark.parametrize("yaw", [0.0, 0.4, np.pi / 2])
def test_a_box_covers_its_area_wherever_it_lies_in_its_cells(shift, yaw):
    grid = BevGrid(-10.0, -10.0, 40, 40, 0.5)
    box = Box("vehicle", 2.0 + shift, -1.0 - shift, 0.8, 4.5, 1.8, 1.6, yaw)
    share = covered([box.footprint()], grid)
    assert share.sum() * 0.25 == pytest.approx(4.5 * 1.8, rel=0.02)
    centre = (grid.centres() * share[..., None]).sum(axis=(0, 1)) / share.sum()
    assert centre == pytest.approx((box.x_m, box.y_m), abs=0.05 * grid.cell_m)


def test_a_map_turned_by_a_quarter_is_the_same_map_turned():
    grid = BevGrid(-5.0, -5.0, 20, 20, 0.5)
    values = drivable_map([np.array([(0, 0), (4, 0), (4, 2), (0, 2)])], grid)
    turned = values.onto(grid, np.pi / 2)
    # What was ahead is to the right of a frame that was turned to the left.
    expected = drivable_map([np.array([(0, 0), (0, -4), (2, -4), (2, 0)])], grid)
    np.testing.assert_array_equal(turned.values, expected.values)
    assert (values.onto(grid).values == values.values).all()
    beyond = values.onto(BevGrid(0.0, 0.0, 20, 20, 0.5)).values
    assert beyond[0, 0] == YES
    assert beyond[-1, -1] == NOT_KNOWN


def test_a_box_and_its_mirror_image():
    box = Box("vehicle", 3.0, 1.0, 0.8, 4.0, 2.0, 1.6, 0.5)
    corners = box.mirrored().footprint() * (1, -1)
    assert sorted(map(tuple, np.round(corners, 9))) == sorted(
        map(tuple, np.round(box.footprint(), 9))
    )
    with pytest.raises(ValueError, match="sides above 0"):
        Box("vehicle", 0, 0, 0, 4, 0, 1, 0)


def test_a_picture_of_another_size_is_refused_by_its_cameras_name():
    rig = Rig((camera("front"), camera("left", 90.0)))
    good = np.zeros((200, 300, 3), np.uint8)
    assert set(RigFrame("one", rig, {"front": good}).images) == {"front"}
    with pytest.raises(ValueError, match="camera left"):
        RigFrame("one", rig, {"front": good, "left": good[:-1]})
    with pytest.raises(KeyError, match="no camera 'rear'"):
        RigFrame("one", rig, {"rear": good})
