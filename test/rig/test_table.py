# SPDX-License-Identifier: Apache-2.0
"""The view table: places, weights, choice of views, and what changes them."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from ground_world import LENSES, camera_info, roi
from landmarks import calibrated

from shared_encoder_perception.ground.camera_info import camera_model
from shared_encoder_perception.ground.extrinsics import Extrinsics
from shared_encoder_perception.ground.view import CameraView
from shared_encoder_perception.images.preprocess import LETTERBOX, ImageTransform
from shared_encoder_perception.rig.grid import BevGrid
from shared_encoder_perception.rig.rig import Rig, RigCamera
from shared_encoder_perception.rig.table import STRIDE, Sight, sample
from shared_encoder_perception.structures import Crop

INPUT, STRIDES = (192, 480), (24, 60)
GRID = BevGrid(-24.0, -24.0, 48, 48, 1.0, (0.0, 0.6, 2.2))
POSES = {"front": (1.7, 0.2, 1.4, 1.0, 4.0, 8.0), "left": (0.6, 0.9, 2.0, -2.0, 11.0, 77.0)}
"""x, y, z in metres; roll, pitch, yaw in degrees."""


class Letterboxed(RigCamera):
    """A camera whose pictures keep their aspect ratio."""

    def transform(self, input_size):
        return ImageTransform.fit(self.image_size, input_size, self.crop, LETTERBOX)


def rig_of(info, size, crop=None, kind=RigCamera):
    """Return two equal cameras at ``POSES``."""
    cameras = []
    for name, (x, y, z, *angles) in POSES.items():
        pose = Extrinsics.from_angles((x, y, z), *np.deg2rad(angles))
        cameras.append(kind(name, CameraView(camera_model(info, size), pose), crop=crop))
    return Rig(tuple(cameras))


def cells_by_hand(camera, info, origin, binning, crop, scale, corner):
    """Return the feature cell of each voxel by OpenCV's projection, behind the camera NaN."""
    points, pose = GRID.voxels().reshape(-1, 3), camera.view.extrinsics
    rotation = np.reshape(info.r, (3, 3)).T @ pose.rotation.T  # the pose is of the rectified frame
    turn, shift = cv2.Rodrigues(rotation)[0], -rotation @ pose.position
    k, d = np.reshape(info.k, (3, 3)), np.array(info.d)
    if info.distortion_model == "equidistant":
        seen, _ = cv2.fisheye.projectPoints(points[:, None], turn, shift, k, d)
    else:
        seen, _ = cv2.projectPoints(points[:, None], turn, shift, k, d if len(d) else None)
    optical = points @ rotation.T + shift
    slope = np.hypot(*optical[:, :2].T) / optical[:, 2]
    seen = seen[:, 0] / binning - ((np.array(origin) + (binning - 1) / 2) / binning)
    seen[~((optical[:, 2] > 0) & (slope < camera.view.camera.reach))] = np.nan
    return ((seen - (crop.x, crop.y) + 0.5) * scale + corner) / STRIDE - 0.5


FRAMED = {
    # size of pictures, region of interest, binning, crop (None: the usual), letterbox
    "usual": ((720, 1280), None, 1, None, False),
    "cropped": ((720, 1280), None, 1, Crop(101, 203, 1001, 399), False),
    "letterbox": ((720, 1280), None, 1, Crop(250, 100, 700, 600), True),
    "binned": ((360, 640), None, 2, None, False),
    "region": ((300, 500), roi(120, 80, 1000, 600), 2, None, False),
}

RECTIFIED = {**dict.fromkeys(FRAMED, (0.0, 0.0, 0.0)), "region": (0.02, -0.05, 0.01)}
"""Rotation vectors, radians."""


@pytest.mark.parametrize("framed", FRAMED)
@pytest.mark.parametrize("lens", LENSES)
def test_the_table_leads_to_where_opencv_projects(lens, framed):
    size, region, binning, crop, boxed = FRAMED[framed]
    info = camera_info(lens, binning_x=binning, binning_y=binning, roi=region or roi(0, 0, 0, 0))
    info.r = cv2.Rodrigues(np.array(RECTIFIED[framed]))[0].ravel()
    rig = rig_of(info, size, crop, Letterboxed if boxed else RigCamera)
    if crop is None:  # the input is wider than each of the pictures: flush with the bottom
        height = round(size[1] * 0.4)
        crop = Crop(0, size[0] - height, size[1], height)
    scale, corner = np.array((480 / crop.width, 192 / crop.height)), np.zeros(2)
    if boxed:
        scale, corner = np.array((224 / 700, 192 / 600)), np.array((128, 0))
    origin = (region.x_offset, region.y_offset) if region else (0, 0)
    table = Sight.of(rig, GRID, INPUT).table(best=1)
    rows, columns = np.mgrid[: STRIDES[0], : STRIDES[1]]
    own = np.stack([(columns, rows, np.full(STRIDES, number)) for number in range(2)])
    found = sample(own.astype(np.float32), table).T
    beyond = 0
    for number, camera in enumerate(rig.cameras):
        cells = cells_by_hand(camera, info, origin, binning, crop, scale, corner)
        chosen = table.camera[0] == number
        assert chosen.sum() > 50
        expected = np.clip(cells[chosen], 0, (59, 23))
        np.testing.assert_allclose(found[chosen, :2], expected, atol=1e-3)
        np.testing.assert_allclose(found[chosen, 2], number, atol=1e-6)
        beyond += (expected != cells[chosen]).sum()
        pixel = (cells + 0.5) * STRIDE - 0.5 - corner
        inside = ((pixel >= 1e-6) & (pixel <= np.array((480, 192)) - 2 * corner - 1 - 1e-6)).all(1)
        assert (table.views[inside] > 0).all()
    assert beyond > 0 or boxed  # it holds at the borders, too


@pytest.fixture(scope="module")
def sight():
    """Return what four different cameras see."""
    return Sight.of(calibrated(), GRID, INPUT)


def noise(count=4, seed=0):
    """Return features of cameras, 0 to 1."""
    return np.random.default_rng(seed).random((count, 5, *STRIDES), np.float32)


def own_cells(table):
    """Return (K, V, 2) cells in the map of the camera that each place is in."""
    count, rows, columns = table.maps
    cells = ((table.place.astype(np.float64) + 1) * (count * columns, rows) - 1) / 2
    cells[..., 0] -= np.maximum(table.camera, 0).astype(int) * columns
    return cells


def test_the_table_equals_gathers_from_separate_maps(sight):
    table, features = sight.table(), noise()
    expected = np.zeros((5, len(table.views)))
    for cells, weight, cameras in zip(own_cells(table), table.weight, table.camera, strict=True):
        for number in range(4):
            mine = cameras == number
            left, top = np.floor(cells[mine]).astype(int).T
            right, lower = (cells[mine] - (np.stack((left, top), 1))).T
            value = np.zeros((len(left), 5))
            for row, below in ((top, 1 - lower), (top + 1, lower)):
                for column, aside in ((left, 1 - right), (left + 1, right)):
                    value += features[number, :, row, column] * (below * aside)[:, None]
            expected[:, mine] += value.T * weight[mine]
    np.testing.assert_allclose(sample(features, table), expected, atol=1e-5)


@pytest.mark.parametrize("number", range(4))
def test_no_tap_crosses_a_seam(sight, number):
    table, features = sight.table(best=1, live=[sight.names[number]]), noise()
    features[np.arange(4) != number] = np.nan  # whoever takes any part of it, gets none
    assert np.isfinite(sample(features, table)).all()
    assert (np.abs(table.place) < 1).all()
    column = own_cells(table)[0, table.views > 0, 0]
    assert (column < 1e-3).any() and (column > 59 - 1e-3).any()  # some would reach across


def test_grid_sample_of_torch_gives_the_same_and_crosses_no_seam(sight):
    torch = pytest.importorskip("torch")
    table, features = sight.table(), noise()
    beside = torch.tensor(features).permute(1, 2, 0, 3).reshape(1, 5, 24, 240).expand(2, -1, -1, -1)
    place = torch.tensor(table.place)[:, None]
    look = torch.nn.functional.grid_sample
    found = look(beside, place, align_corners=False)[:, :, 0] * torch.tensor(table.weight)[:, None]
    np.testing.assert_allclose(found.sum(dim=0), sample(features, table), atol=1e-4)
    for number, name in enumerate(sight.names):
        one = sight.table(best=1, live=[name])
        only = beside[:1].clone()
        only[..., np.arange(240) // 60 != number] = torch.nan
        seen = look(only, torch.tensor(one.place)[:, None], align_corners=False)[0, 0, 0].isfinite()
        assert seen[one.views > 0].all()


def test_a_view_of_nothing_is_a_view(sight):
    """Validity is the table's, never guessed from features: zero is a value."""
    table, features = sight.table(), np.ones((4, 1, *STRIDES), np.float32)
    features[1] = 0
    shares = ((table.camera != 1) * table.weight).sum(axis=0)
    assert (shares == 0.5).any()
    np.testing.assert_allclose(sample(features, table)[0], shares, atol=1e-6)


def test_the_order_of_the_cameras_changes_nothing(sight):
    order, features = [2, 0, 3, 1], noise()
    moved = Sight.of(calibrated().ordered(sight.names[i] for i in order), GRID, INPUT).table()
    np.testing.assert_array_equal(moved.views, sight.table().views)
    found = sample(features[order], moved)
    np.testing.assert_allclose(found, sample(features, sight.table()), atol=1e-5)


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_a_quarter_turn_of_the_frame_turns_the_table_bit_by_bit(sight, quarters):
    before = sight.table()
    after = Sight.of(calibrated().turned(quarters * np.pi / 2), GRID, INPUT).table()
    for name in ("place", "weight", "camera", "views"):
        was, found = (
            getattr(table, name).reshape(-1, *GRID.shape, *getattr(table, name).shape[2:])
            for table in (before, after)
        )
        np.testing.assert_array_equal(found, np.rot90(was, quarters, axes=(1, 2)))


def test_four_cameras_a_quarter_apart_see_the_same_by_turns():
    one = calibrated().cameras[0]
    rig = Rig(tuple(replace(one.turned(-n * np.pi / 2), name="abcd"[n]) for n in range(4)))
    table = Sight.of(rig, GRID, INPUT).table()
    turned = np.rot90(table.camera.reshape(-1, *GRID.shape), axes=(1, 2))
    was = table.camera.reshape(turned.shape)
    np.testing.assert_array_equal(turned, np.where(was < 0, -1, (was + 1) % 4))
    features = noise()
    maps = sample(features, table).reshape(-1, *GRID.shape)
    moved = sample(np.roll(features, 1, axis=0), table).reshape(maps.shape)
    np.testing.assert_allclose(moved, np.rot90(maps, -1, axes=(1, 2)), atol=1e-5)
