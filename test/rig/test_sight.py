# SPDX-License-Identifier: Apache-2.0
"""What a rig sees of a grid: which views are kept, whose loss costs what, when it is outdated."""

from dataclasses import replace

import numpy as np
import pytest
from landmarks import calibrated

from shared_encoder_perception.ground.extrinsics import Extrinsics
from shared_encoder_perception.ground.view import CameraView
from shared_encoder_perception.images.preprocess import ImageError
from shared_encoder_perception.rig.grid import BevGrid
from shared_encoder_perception.rig.rig import Rig
from shared_encoder_perception.rig.table import Sight, sample, sight_key
from shared_encoder_perception.structures import Crop

INPUT = (192, 480)
GRID = BevGrid(-24.0, -24.0, 48, 48, 1.0, (0.0, 0.6, 2.2))


@pytest.fixture(scope="module")
def sight():
    """Return what four different cameras see."""
    return Sight.of(calibrated(), GRID, INPUT)


@pytest.mark.parametrize("gone", calibrated().names)
def test_a_camera_that_is_gone_takes_its_own_voxels_with_it_and_no_others(sight, gone):
    whole, number = sight.table(), sight.names.index(gone)
    live = [name for name in sight.names if name != gone]
    part = sight.table(live=live)
    private = (whole.views == 1) & (whole.camera[0] == number)
    assert private.any()
    np.testing.assert_array_equal(part.views == 0, private | (whole.views == 0))
    assert not part.weight[:, part.views == 0].any()
    np.testing.assert_array_equal(sight.views(live).ravel(), part.views)
    features = np.random.default_rng(0).random((4, 5, 24, 60), np.float32)
    before, after = sample(features, whole), sample(features, part)
    kept = (whole.camera != number).all(axis=0)
    np.testing.assert_array_equal(after[:, kept], before[:, kept])
    # The rest as if the rig had never had it.
    without = Sight.of(calibrated().only(live), GRID, INPUT).table()
    np.testing.assert_array_equal(part.views, without.views)
    old = np.array([*np.delete(np.arange(4), number), -1], np.int8)[without.camera]
    np.testing.assert_array_equal(part.camera, old)
    np.testing.assert_allclose(after, sample(np.delete(features, number, 0), without), atol=1e-4)


def test_of_equal_views_the_first_are_kept_and_the_third_takes_over():
    one = calibrated().cameras[0]
    rig = Rig(tuple(replace(one, name=name) for name in "abc"))
    sight = Sight.of(rig, GRID, INPUT)
    table, seen = sight.table(), sight.views().ravel() == 3
    assert (table.views[seen] == 3).all()
    np.testing.assert_array_equal(np.unique(table.camera[:, seen], axis=1), [[0], [1]])
    np.testing.assert_array_equal(np.unique(table.weight[:, seen]), 0.5)
    np.testing.assert_array_equal(np.unique(sight.table(live="bc").camera[:, seen]), (1, 2))
    alone = sight.table(best=3, live=["c"])
    np.testing.assert_array_equal(np.unique(alone.camera[:, seen], axis=1), [[2], [-1], [-1]])
    np.testing.assert_array_equal(np.unique(alone.weight[:, seen], axis=1), [[1], [0], [0]])


def test_kept_are_the_views_furthest_from_a_border(sight):
    table = sight.table(best=1)
    both = table.views >= 2
    order = np.sort(sight.margin[:, both], axis=0)
    assert (order[-1] > order[-2]).all()
    np.testing.assert_array_equal(sight.margin[table.camera[0][both], both.nonzero()[0]], order[-1])
    pixel = sight.pixel[:, both]
    by_hand = np.minimum(pixel, np.array((479, 191)) - pixel).min(axis=2)
    np.testing.assert_allclose(np.nan_to_num(by_hand, nan=-1), sight.margin[:, both], atol=1e-4)


def test_a_cell_is_seen_where_any_of_its_heights_is(sight):
    views = sight.views()
    assert views.shape == (3, 48, 48) and views.dtype == np.uint8
    only_high = (views[0] == 0) & (views[2] > 0)
    assert only_high.any()
    np.testing.assert_array_equal(sight.seen(), (views > 0).any(axis=0))
    assert not sight.seen()[24, 24]  # under the vehicle itself
    np.testing.assert_array_equal(views.ravel(), sight.table().views)
    assert not sight.seen([]).any() and not sight.table(live=[]).weight.any()


def test_what_the_own_vehicle_hides_is_seen_by_no_one(sight):
    left = calibrated()["left"]
    height, width = left.image_size
    own = np.zeros((height, width), bool)
    own[:, : width // 2] = True
    rig = Rig(tuple(replace(c, own=own) if c is left else c for c in calibrated().cameras))
    assert sight.views().sum() == Sight.of(rig, GRID, INPUT).views().sum()  # another rig's camera
    rig = Rig(tuple(replace(c, own=own) if c.name == "left" else c for c in rig.cameras))
    masked = Sight.of(rig, GRID, INPUT)
    free = sight.pixel[1]
    hidden = left.transform(INPUT).points_to_image(free)[:, 0] < width // 2 - 0.5
    assert hidden.any() and not (masked.margin[1][hidden] >= 0).any()
    kept = np.isfinite(free[:, 0]) & ~hidden
    np.testing.assert_array_equal(masked.pixel[1][kept], free[kept])


def test_a_grid_that_no_camera_sees_is_refused_and_a_blind_camera_is_named():
    below = BevGrid(-1.0, -1.0, 4, 4, 0.5, (-3.0,))
    with pytest.raises(ValueError, match=r"no camera of the rig \(front, left, rear, right\) sees"):
        Sight.of(calibrated(), below, INPUT)
    ahead = BevGrid(8.0, -4.0, 16, 16, 0.5)
    assert Sight.of(calibrated(), ahead, INPUT).blind == ("left", "rear", "right")
    assert Sight.of(calibrated(), GRID, INPUT).blind == ()


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"stride": 7}, "network input of 480x192: expected a divisor"),
        ({"stride": 0}, "expected a divisor"),
        ({"stride": 192}, "at least 2 cells"),
        ({"best": 0}, "0 views of a voxel"),
        ({"live": ["front", "top"]}, "no camera 'top', only front, left, rear, right"),
    ],
)
def test_what_makes_no_table_is_said(sight, arguments, text):
    with pytest.raises(ValueError, match=text):
        sight.table(**arguments)


def test_features_of_another_rig_are_refused(sight):
    table = sight.table()
    for shape in ((3, 5, 24, 60), (4, 5, 60, 24), (4, 24, 60)):
        with pytest.raises(ValueError, match="the table is for"):
            sample(np.zeros(shape, np.float32), table)


def test_a_picture_with_nothing_to_crop_is_refused_by_the_cameras_name():
    camera = calibrated().cameras[0]
    view = replace(camera.view, camera=replace(camera.view.camera, image_size=(1, 300)))
    one = replace(camera, view=view, own=None)
    for ask in (Sight.of, sight_key):
        with pytest.raises(ImageError, match="camera front: crop"):
            ask(Rig((one,)), GRID, INPUT)


def lens(rig, **changes):
    """Return the rig with another lens of its second camera."""
    return changed(
        rig, view=lambda view: CameraView(replace(view.camera, **changes), view.extrinsics)
    )


def changed(rig, **how):
    """Return the rig with its second camera changed, by functions of what it is."""
    camera = rig.cameras[1]
    new = {name: change(getattr(camera, name)) for name, change in how.items()}
    return replace(rig, cameras=(rig.cameras[0], replace(camera, **new), *rig.cameras[2:]))


def moved(view, metres=0.0, turn=None):
    """Return a view from elsewhere."""
    pose = view.extrinsics
    rotation = pose.rotation if turn is None else turn @ pose.rotation
    return CameraView(view.camera, Extrinsics(rotation, pose.position + metres))


TURN = np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
CHANGES = {
    "name": lambda rig: changed(rig, name=lambda _: "other"),
    "order": lambda rig: rig.ordered(("left", "front", "rear", "right")),
    "fewer": lambda rig: rig.only(("front", "left", "rear")),
    "position": lambda rig: changed(rig, view=lambda view: moved(view, 1e-3)),
    "rotation": lambda rig: changed(rig, view=lambda view: moved(view, turn=TURN)),
    "matrix": lambda rig: lens(rig, matrix=rig.cameras[1].view.camera.matrix * [[1], [1.001], [1]]),
    "distortion": lambda rig: lens(rig, distortion=np.array([0.02, -0.01, 0.003, 0.0])),
    "model": lambda rig: lens(rig, fisheye=False),
    "rectification": lambda rig: lens(rig, rectification=TURN),
    "binning": lambda rig: lens(rig, binning=(2, 1)),
    "origin": lambda rig: lens(rig, origin_px=(0.5, 0.0)),
    "crop": lambda rig: changed(rig, crop=lambda _: Crop(0, 0, 400, 200)),
    "mask": lambda rig: changed(rig, own=lambda _: np.zeros((400, 600), bool)),
}


@pytest.mark.parametrize("change", CHANGES)
def test_whatever_changes_the_sight_changes_its_key(sight, change):
    assert sight.key == sight_key(calibrated(), GRID, INPUT)
    assert sight_key(CHANGES[change](calibrated()), GRID, INPUT) != sight.key


def test_grid_input_and_each_pixel_of_a_mask_are_in_the_key(sight):
    assert sight_key(calibrated(), replace(GRID, heights_m=(0.0, 0.6, 2.3)), INPUT) != sight.key
    assert sight_key(calibrated(), GRID, (192, 488)) != sight.key
    masks = np.zeros((2, 400, 600), bool)
    masks[1, 399, 599] = True
    one, other = (changed(calibrated(), own=lambda _, mask=mask: mask) for mask in masks)
    assert sight_key(one, GRID, INPUT) != sight_key(other, GRID, INPUT)
