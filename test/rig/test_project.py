# SPDX-License-Identifier: Apache-2.0
"""Answers of cameras, put on the ground: one camera is its own mask, several are one map."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from flat_ground import camera, four_cameras, pictures, shown, town

from shared_encoder_perception.images.preprocess import Crop
from shared_encoder_perception.rig.grid import BevGrid
from shared_encoder_perception.rig.project import GroundProjection
from shared_encoder_perception.rig.rig import Rig
from shared_encoder_perception.tasks.drivable import on_ground
from shared_encoder_perception.tasks.drivable.answer import DrivableMask

GRID = BevGrid(-15.0, -25.0, 100, 100, 0.5)


def green(picture, crop=None):
    """Return what says of pixels how green they are."""
    answer = DrivableMask(np.ascontiguousarray(picture[..., 1]), crop=crop)
    return lambda pixels: on_ground.read(answer, pixels)


def joined(rig, seen, grid=GRID):
    return GroundProjection(rig, grid).join({name: green(one) for name, one in seen.items()})


def opencv_pixels(one, points):
    """Project points of the vehicle's frame without any code of ours."""
    lens, pose = one.view.camera, one.view.extrinsics
    turn, _ = cv2.Rodrigues(pose.rotation.T)
    shift = -pose.rotation.T @ pose.position
    if lens.fisheye:
        args = (points[:, None], turn, shift, lens.matrix, lens.distortion)
        return cv2.fisheye.projectPoints(*args)[0][:, 0]
    return cv2.projectPoints(points, turn, shift, lens.matrix, lens.distortion)[0][:, 0]


@pytest.mark.parametrize("name", four_cameras().names)
def test_the_map_of_one_camera_is_its_mask_at_the_projected_cells(name):
    one = four_cameras()[name]
    noise = np.random.default_rng(0).integers(0, 256, (*one.image_size, 3), np.uint8)
    found = joined(Rig((one,)), {name: noise})
    known = np.isfinite(found)
    assert 0.05 < known.mean() < 0.7
    points = np.concatenate((GRID.centres()[known], np.zeros((known.sum(), 1))), axis=1)
    pixels = opencv_pixels(one, points)
    clear = (np.abs(pixels - np.floor(pixels) - 0.5) > 1e-3).all(axis=1)  # of the pixels' edges
    columns, rows = np.rint(pixels[clear]).astype(int).T
    expected = noise[rows, columns, 1] / np.float32(255)
    np.testing.assert_array_equal(found[known][clear], expected)
    assert clear.mean() > 0.99


def test_a_town_is_found_where_it_is():
    rig, centres = four_cameras(), GRID.centres()
    found, truth = joined(rig, pictures(rig)), town(*np.moveaxis(centres, -1, 0))
    known = np.isfinite(found)
    assert known.mean() > 0.95
    near = known & (np.hypot(*np.moveaxis(centres, -1, 0)) < 15)
    assert ((found > 0.5) == truth)[near].mean() > 0.998


def test_the_order_of_the_cameras_changes_nothing():
    rig = four_cameras()
    seen = pictures(rig)
    # A fifth that sees what others see, so that three values meet in a cell.
    extra = camera("extra", 10.0, (1.0, 0.0, 1.4), pitch_deg=20.0)
    rig = Rig((*rig.cameras, extra))
    rng = np.random.default_rng(1)
    seen = {one.name: rng.integers(0, 256, (*one.image_size, 3), np.uint8) for one in rig.cameras}
    expected = joined(rig, seen)
    for names in (rig.names[::-1], rig.names[2:] + rig.names[:2]):
        found = joined(rig.ordered(names), {name: seen[name] for name in names})
        np.testing.assert_array_equal(found, expected)


def test_a_camera_that_is_missing_loses_its_private_cells_and_nothing_else():
    rig = four_cameras()
    seen = pictures(rig)
    alone = {name: joined(rig, {name: seen[name]}) for name in rig.names}
    whole = joined(rig, seen)
    for name in rig.names:
        less = joined(rig, {other: one for other, one in seen.items() if other != name})
        views = [np.isfinite(alone[other]) for other in rig.names if other != name]
        np.testing.assert_array_equal(np.isfinite(less), np.any(views, axis=0))
        untouched = ~np.isfinite(alone[name])
        np.testing.assert_array_equal(less[untouched], whole[untouched])
        private = np.isfinite(alone[name]) & ~np.any(views, axis=0)
        assert private.sum() > 50
        assert np.isnan(less[private]).all()
        assert np.isfinite(whole[private]).all()


def test_a_mirrored_world_gives_the_mirrored_map():
    rig, mirrored = four_cameras(), four_cameras(-1)
    seen = pictures(rig)
    flipped = {name: np.ascontiguousarray(one[:, ::-1]) for name, one in seen.items()}
    straight, found = joined(rig, seen), joined(mirrored, flipped)
    np.testing.assert_allclose(found, straight[::-1], atol=1e-5)
    # And that is what those cameras take of the mirrored world, but for pixels on edges.
    taken = pictures(mirrored, lambda x, y: town(x, -y))
    for name, one in flipped.items():
        assert (taken[name] == one).all(axis=-1).mean() > 0.999
    assert not np.array_equal(np.isfinite(straight), np.isfinite(straight[::-1]))


def test_a_pitched_camera_gives_the_same_map():
    level, down = (camera("front", 0.0, pitch_deg=pitch) for pitch in (7.0, 14.0))
    one, other = (joined(Rig((each,)), {"front": shown(each, town)}) for each in (level, down))
    both = np.isfinite(one) & np.isfinite(other)
    assert both.mean() > 0.2
    assert ((one > 0.5) == (other > 0.5))[both].mean() > 0.99


def test_of_two_cameras_the_one_with_more_pixels_of_a_cell_counts_for_more():
    near = camera("near", 0.0, (0.0, 0.0, 3.0), pitch_deg=20.0, focal_px=800.0)
    far = camera("far", 0.0, (-10.0, 0.0, 3.0), pitch_deg=20.0, focal_px=400.0)
    grid = BevGrid(9.75, -0.25, 1, 1, 0.5)  # one cell, 10 m ahead
    seen = {"near": np.full((320, 800, 3), 255, np.uint8), "far": np.zeros((320, 800, 3), np.uint8)}
    found = joined(Rig((near, far)), seen, grid)
    assert found.shape == (1, 1)
    # A cell covers pixels as its solid angle and the square of the focal length, straight ahead;
    # the cosine of the way off the optical axis, cubed, for the rest.
    covers = []
    for distance, focal in ((10.0, 800.0), (20.0, 400.0)):
        slant = np.hypot(distance, 3.0)
        off = np.arctan2(3.0, distance) - np.deg2rad(20.0)
        covers.append(focal**2 * 3.0 / slant**3 / np.cos(off) ** 3)
    assert found[0, 0] == pytest.approx(covers[0] / sum(covers), abs=1e-4)


def test_what_the_own_vehicle_hides_and_what_was_not_seen_is_not_known():
    free = camera("front", 0.0)
    own = np.zeros(free.image_size, bool)
    own[:, 300:500] = True
    masked = replace(free, own=own)
    full = np.full((*free.image_size, 3), 255, np.uint8)
    open_, hidden = (np.isfinite(joined(Rig((one,)), {"front": full})) for one in (free, masked))
    assert (hidden <= open_).all()
    middle = GRID.shape[0] // 2
    assert open_[middle, 50:].all()
    assert not hidden[middle - 1 : middle + 1, 50:].any()
    crop = Crop(0, 200, 800, 120)
    cut = GroundProjection(Rig((free,)), GRID).join({"front": green(full, crop)})
    rows = free.see(np.concatenate((GRID.centres().reshape(-1, 2), np.zeros((10000, 1))), 1))[:, 1]
    np.testing.assert_array_equal(np.isfinite(cut).ravel(), rows >= 199.5)


def test_an_upright_thing_smears_behind_itself_and_not_in_front():
    """The known limit of flat ground: a wall 10 m ahead hides what is behind it."""
    one = camera("front", 0.0)
    picture = shown(one, lambda x, y: np.full(x.shape, True))
    foot, head = (one.see(np.array([(10.0, 0.0, z)]))[0, 1] for z in (0.0, 1.0))
    picture[int(np.ceil(head)) : int(np.floor(foot)), :, 1] = 0  # a wall, 1 m high
    row = joined(Rig((one,)), {"front": picture})[GRID.shape[0] // 2]
    x = GRID.centres()[0, :, 0]
    known = np.isfinite(row)
    assert row[known & (x < 9.5)].min() == 1
    # The ray over its upper edge comes down at 10 m * 1.6 / (1.6 - 1.0).
    assert row[known & (x > 10.5) & (x < 26)].max() == 0
    assert row[known & (x > 27.5)].min() == 1


def test_pixels_that_are_nowhere_say_nothing():
    answer = DrivableMask(np.full((4, 6), 200, np.uint8))
    rims = [(-0.5, -0.5), (5.49, 3.49), (5.5, 0.0), (0.0, 3.5), (-0.51, 0.0), (np.nan, 1.0)]
    said = on_ground.read(answer, np.array(rims))
    np.testing.assert_array_equal(np.isfinite(said), [True, True, False, False, False, False])
    assert said.dtype == np.float32
    assert said[0] == pytest.approx(200 / 255)
    assert on_ground.read(answer, np.zeros((0, 2))).shape == (0,)


def test_a_camera_that_the_rig_lacks_is_not_joined():
    rig = four_cameras()
    with pytest.raises(KeyError, match="roof"):
        joined(rig, {"roof": np.zeros((320, 800, 3), np.uint8)})
