# SPDX-License-Identifier: Apache-2.0
"""The ground from above: what is on it, who sees it, and where two views differ."""

import numpy as np
import pytest
from patterned_ground import (
    entry,
    ground_colour,
    photograph,
    photographs,
    reposed,
    rig_file,
    turned_by,
)

from shared_encoder_perception.rig import mosaic as mosaic_module
from shared_encoder_perception.rig.grid import BevGrid
from shared_encoder_perception.rig.mosaic import (
    ground_mosaic,
    ground_view,
    ground_views,
    mosaic_of,
    overlaps,
)

GRID = BevGrid(-10.0, -10.0, 80, 80, 0.25, heights_m=(0.0,))
SQUARE = BevGrid(-8.0, -8.0, 64, 64, 0.25, heights_m=(0.0,))


def rig():
    return rig_file().rig()


def cell_means(grid, colour=ground_colour, fine=8):
    """Return the mean colour of the ground in each cell, (Y, X, 3)."""
    small = BevGrid(grid.x_min_m, grid.y_min_m, grid.cells_x * fine, grid.cells_y * fine,
                    grid.cell_m / fine, (0.0,))  # fmt: skip
    values = colour(small.centres().reshape(-1, 2)).reshape(grid.cells_y, fine, -1, fine, 3)
    return values.mean(axis=(1, 3))


@pytest.mark.parametrize("blend", [False, True])
def test_the_mosaic_is_the_ground(blend):
    found = ground_mosaic(photographs(), rig(), GRID, blend=blend)
    apart = np.abs(found.picture.astype(float) - cell_means(GRID))[found.views > 0]
    assert apart.mean() < 3.0
    assert np.quantile(apart, 0.99) < 20.0
    assert (found.views > 0).mean() > 0.9
    assert not found.picture[found.views == 0].any()


def test_a_camera_that_is_turned_puts_the_ground_elsewhere():
    """The test above can fail."""
    found = ground_mosaic(photographs(), turned_by(rig(), "left", yaw=3.0), GRID)
    right = ground_mosaic(photographs(), rig(), GRID)
    assert (
        np.abs(found.picture.astype(float) - cell_means(GRID))[found.views > 0].mean()
        > 2 * np.abs(right.picture.astype(float) - cell_means(GRID))[right.views > 0].mean()
    )


def test_views_are_counted_at_the_centres_of_cells():
    found = ground_mosaic(photographs(), rig(), GRID)
    centres = np.c_[GRID.centres().reshape(-1, 2), np.zeros(GRID.cells_x * GRID.cells_y)]
    seen = sum(np.isfinite(camera.see(centres)[:, 0]).astype(int) for camera in rig().cameras)
    assert np.array_equal(found.views, seen.reshape(GRID.shape))
    assert {0, 1, 2} <= set(found.views.ravel().tolist())


def test_without_a_camera_its_own_cells_are_seen_by_none_and_the_rest_stays():
    all_four = ground_mosaic(photographs(), rig(), GRID)
    images = {name: image for name, image in photographs().items() if name != "left"}
    three = ground_mosaic(images, rig(), GRID)
    left = ground_view(rig()["left"], photographs()["left"], GRID).seen
    assert np.array_equal(three.views, all_four.views - left)
    assert not three.picture[left & (all_four.views == 1)].any()
    assert np.array_equal(three.picture[~left], all_four.picture[~left])


def test_a_cell_is_that_of_the_camera_that_has_it_furthest_from_its_rim():
    views = ground_views(photographs(), rig(), GRID)
    found = mosaic_of(views, GRID)
    insets = np.nan_to_num(np.stack([view.inset for view in views]), nan=-1.0)
    best = insets.argmax(axis=0)
    for number, view in enumerate(views):
        own = (best == number) & view.seen
        assert np.array_equal(found.picture[own], np.rint(view.colour[own]).astype(np.uint8))


def test_the_order_of_cameras_changes_nothing():
    one = ground_mosaic(photographs(), rig(), GRID)
    other = ground_mosaic(photographs(), rig().ordered(("right", "rear", "left", "front")), GRID)
    assert np.array_equal(one.picture, other.picture)
    assert np.array_equal(one.views, other.views)
    assert one.disagreement == pytest.approx(other.disagreement, nan_ok=True, abs=1e-3)


def test_a_turned_vehicle_frame_turns_the_mosaic():
    straight = ground_mosaic(photographs(), rig(), SQUARE)
    turned = ground_mosaic(photographs(), rig().turned(np.pi / 2), SQUARE)
    # What was ahead (x) is to the right (-y) of a frame that is turned to the left.
    expected = np.swapaxes(straight.picture, 0, 1)[::-1]
    apart = np.abs(turned.picture.astype(int) - expected).max(axis=-1)
    assert np.quantile(apart, 0.995) <= 1
    assert np.array_equal(turned.views, straight.views.T[::-1])


def test_where_two_see_it_their_difference_is_told_and_elsewhere_nothing_is():
    found = ground_mosaic(photographs(), rig(), GRID)
    assert np.array_equal(np.isnan(found.disagreement), found.views < 2)
    assert np.nanmean(found.disagreement) < 2.0
    wrong = ground_mosaic(photographs(), turned_by(rig(), "front", pitch=4.0), GRID)
    assert np.nanmean(wrong.disagreement) > 10.0


def test_exposure_is_no_disagreement():
    dark = dict(photographs()) | {"left": photograph(rig()["left"], gain=0.4)}
    found = overlaps(ground_views(dark, rig(), GRID), 50)
    pairs = {pair.names: pair for pair in found}
    assert pairs["front", "left"].gain == pytest.approx(2.5, rel=0.05)
    assert pairs["front", "left"].disagreement < 3.0
    assert pairs["front", "left"].correlation > 0.98
    assert np.nanmean(ground_mosaic(dark, rig(), GRID).disagreement) < 3.0


def test_overlaps_know_right_from_wrong():
    right = overlaps(ground_views(photographs(), rig(), GRID), 50)
    assert len(right) == 4
    assert min(pair.correlation for pair in right) > 0.97
    swapped = dict(photographs())
    swapped["left"], swapped["right"] = swapped["right"], swapped["left"]
    wrong = {pair.names: pair for pair in overlaps(ground_views(swapped, rig(), GRID), 50)}
    assert wrong["front", "left"].correlation < 0.5
    assert wrong["front", "left"].disagreement > 10 * right[0].disagreement


def test_what_is_finer_than_a_cell_is_smoothed_not_picked():
    def stripes(points):
        return np.repeat(np.where(np.floor(points[:, :1] / 0.1) % 2 > 0, 240.0, 10.0), 3, axis=1)

    camera = rig()["rear"]
    grid = BevGrid(-7.0, -2.0, 8, 8, 0.5, heights_m=(0.0,))
    picture = photograph(camera, stripes)
    view = ground_view(camera, picture, grid)
    assert view.seen.all()
    assert view.grey.mean() == pytest.approx(125, abs=8)
    assert view.grey.std() < 12
    columns, rows = np.rint(camera.see(np.c_[grid.centres().reshape(-1, 2), np.zeros(64)])).T
    assert picture[rows.astype(int), columns.astype(int)].std() > 40


def test_pictures_are_read_to_parts_of_a_pixel_whatever_their_size():
    """A ramp stays one when it is halved: each value still says from which column it came."""
    camera = entry("ramp", (0.0, 0.0, 1.5), 0.0, 30.0, 0.0, 50.0, (90, 120)).camera()
    ramp = np.broadcast_to(2 * np.arange(120, dtype=np.uint8)[:, None], (90, 120, 3))
    near = BevGrid(1.0, -0.6, 8, 8, 0.15, heights_m=(0.0,))  # a cell is more than 3 pixels
    columns = camera.see(np.c_[near.centres().reshape(-1, 2), np.zeros(64)])[:, 0]
    for samples in (1, 3):
        view = ground_view(camera, np.ascontiguousarray(ramp), near, samples=samples)
        assert view.seen.all()
        assert view.colour[..., 0].ravel() / 2 == pytest.approx(columns, abs=0.3)


def test_a_raised_plane_is_sharp_at_its_own_height():
    lower = {}
    for name in rig().names:  # the ground is 0.5 m nearer
        lowered = reposed(rig(), name, lambda turn: turn, lambda place: place - (0.0, 0.0, 0.5))
        lower[name] = photograph(lowered[name])
    errors = []
    for height_m in (0.5, 0.0):
        found = ground_mosaic(lower, rig(), GRID, height_m)
        apart = np.abs(found.picture.astype(float) - cell_means(GRID))[found.views > 0]
        errors.append(apart.mean())
    assert errors[0] < 3.0 < 15.0 < errors[1]


def test_the_vehicle_itself_is_no_ground():
    camera = rig()["rear"]
    own = np.zeros(camera.image_size, bool)
    own[200:] = True
    masked = type(camera)(camera.name, camera.view, own)
    free = ground_view(camera, photographs()["rear"], GRID)
    view = ground_view(masked, photographs()["rear"], GRID)
    assert 0 < view.seen.sum() < free.seen.sum()
    pixels = masked.see(np.c_[GRID.centres()[view.seen], np.zeros(view.seen.sum())])
    assert (pixels[:, 1] < 199.5).all()


def test_large_maps_are_made_in_strips_that_do_not_show(monkeypatch):
    whole = ground_mosaic(photographs(), rig(), GRID)
    monkeypatch.setattr(mosaic_module, "AT_ONCE", 3 * GRID.cells_x * 9)
    strips = ground_mosaic(photographs(), rig(), GRID)
    assert np.array_equal(whole.views, strips.views)
    apart = np.abs(whole.picture.astype(int) - strips.picture)
    assert apart.mean() < 0.5


def test_no_picture_is_a_black_map():
    found = ground_mosaic({}, rig(), GRID)
    assert not found.picture.any()
    assert not found.views.any()
    assert np.isnan(found.disagreement).all()
