# SPDX-License-Identifier: Apache-2.0
"""Augmentation: image, mask and lanes move together, and lane identity never lies."""

import numpy as np
import pytest

pytest.importorskip("torch", reason="the offline side needs torch: make test")

from dataclasses import replace

from labelled_set import lanes_of, mask_of
from samples import sample_of

from shared_encoder_perception.images.preprocess import Crop, ImageTransform
from shared_encoder_perception.labels.view import View, view_sample
from shared_encoder_perception.tasks.lanes.answer import LaneId
from shared_encoder_perception.tasks.lanes.labels import MIRRORED, ego_runs_up_the_middle
from shared_encoder_perception.tasks.lanes.target import encode_lanes
from shared_encoder_perception.training.augment import (
    EFFECTS,
    WEATHER,
    AugmentConfig,
    augment,
    mirror,
    other_crop,
    rotate,
)

SIZE = (320, 800)
PROBABILITIES = [
    name for name in vars(AugmentConfig()) if name not in ("scale", "rotate_deg", "weather")
]
NOTHING = AugmentConfig(**dict.fromkeys(PROBABILITIES, 0.0))
Y = np.arange(690.0, 300.0, -10.0)


def lane(x_near, x_far=640.0):
    return np.stack((np.linspace(x_near, x_far, len(Y)), Y), axis=1).astype(np.float32)


@pytest.fixture
def sample():
    """A picture whose lanes are drawn as bright lines, so that labels can be checked by looking."""
    image = np.full((720, 1280, 3), 40, np.uint8)
    mask = np.zeros((720, 1280), np.uint8)
    lanes = {LaneId.EGO: lane(640), LaneId.LEFT_EGO: lane(100), LaneId.RIGHT_EGO: lane(1180)}
    import cv2

    for points in lanes.values():
        cv2.polylines(image, [points.round().astype(np.int32)], False, (255, 255, 255), 9)
    cv2.fillPoly(mask, [np.array([[0, 719], [600, 300], [680, 300], [1279, 719]])], 255)
    image[mask == 255, 0] //= 2
    return sample_of(image, {**lanes, LaneId.LEFT_SPLIT_EGO: None}, mask, "test")


@pytest.fixture
def transform(sample):
    return ImageTransform.fit(sample.image.shape[:2], SIZE, Crop(0, 194, 1280, 512))


def brightness_under(view, points):
    inside = ((points >= 1) & (points <= (SIZE[1] - 2, SIZE[0] - 2))).all(axis=1)
    x, y = points[inside].round().astype(int).T
    return view.image[y, x, 1]


@pytest.mark.parametrize("seed", range(12))
def test_lanes_stay_on_what_they_label(sample, transform, seed):
    config = replace(NOTHING, geometry=1.0, rotate=1.0, flip=0.5)
    view = augment(sample, transform, config, seed)
    for points in lanes_of(view).values():
        if points is not None:
            assert np.median(brightness_under(view, points)) > 150


@pytest.mark.parametrize("seed", range(6))
def test_mask_moves_with_the_image(sample, transform, seed):
    view = augment(sample, transform, replace(NOTHING, geometry=1.0, rotate=1.0, flip=0.5), seed)
    blue, green = view.image[:, :, 0].astype(int), view.image[:, :, 1].astype(int)
    looks_drivable = blue < 0.7 * green
    sure = (mask_of(view) != 127) & (view.image.max(axis=2) > 30)
    agree = (looks_drivable == (mask_of(view) == 255))[sure]
    assert agree.mean() > 0.98


def test_nothing_changes_nothing(sample, transform):
    plain, view = view_sample(sample, transform), augment(sample, transform, NOTHING, 0)
    assert np.array_equal(view.image, plain.image)
    assert np.array_equal(mask_of(view), mask_of(plain))


def test_equal_seeds_give_equal_views(sample, transform):
    config = AugmentConfig(**dict.fromkeys(PROBABILITIES, 0.5))
    first, second = (augment(sample, transform, config, 7) for _ in range(2))
    assert np.array_equal(first.image, second.image)
    assert not np.array_equal(first.image, augment(sample, transform, config, 8).image)


def test_mirror_twice_is_the_identity_and_swaps_names(sample, transform):
    view = view_sample(sample, transform)
    once, twice = mirror(view), mirror(mirror(view))
    assert np.array_equal(twice.image, view.image)
    assert lanes_of(once)[LaneId.RIGHT_SPLIT_EGO] is None
    assert LaneId.LEFT_SPLIT_EGO not in lanes_of(once)
    for lane_id, points in lanes_of(view).items():
        if points is not None:
            assert np.allclose(lanes_of(twice)[lane_id], points)
            assert np.allclose(lanes_of(once)[MIRRORED[lane_id]][:, 0], SIZE[1] - 1 - points[:, 0])


def test_targets_of_the_mirror_image_are_the_mirrored_targets(sample, transform):
    """Up to the eighth of a cell by which pixels' centres and cells' borders differ."""
    view = view_sample(sample, transform)
    shifted = {
        k: None if p is None else p - (0.5, 0) for k, p in lanes_of(mirror(view)).items()
    }  # pixel centres at integers -> cells whose borders are at multiples of 8
    plain = {k: None if p is None else p + (0.5, 0) for k, p in lanes_of(view).items()}
    shifted = {k: None if p is None else p + (1.0, 0) for k, p in shifted.items()}
    here, there = encode_lanes(plain, SIZE, 8), encode_lanes(shifted, SIZE, 8)
    for lane_id in LaneId:
        other = MIRRORED[lane_id]
        assert here.known[lane_id] == there.known[other]
        heat, mirrored = here.maps[lane_id, 0], there.maps[other, 0][:, ::-1]
        assert (np.abs(heat - mirrored) > 1e-6).mean() < 0.005
        both = here.supervised[lane_id] & there.supervised[other][:, ::-1]
        assert np.allclose(
            here.maps[lane_id, 1][both], -there.maps[other, 1][:, ::-1][both], atol=0.3
        )


def test_rotation_ignores_what_comes_from_outside(sample, transform):
    view = rotate(view_sample(sample, transform), 5.0)
    assert (mask_of(view) == 127).any()
    assert set(np.unique(mask_of(view))) <= {0, 127, 255}


@pytest.mark.parametrize("angle_deg", [-5.0, 0.4, 3.3])
def test_labels_are_rotated_as_the_image_is(angle_deg):
    """Torchvision turns the image; its own rotation of a mask is what a label must become."""
    from torch import from_numpy
    from torchvision import tv_tensors
    from torchvision.transforms.v2 import functional

    mask = np.random.default_rng(0).integers(0, 2, (40, 100), np.uint8).repeat(8, 0).repeat(8, 1)
    mask *= 255
    points = np.stack((np.linspace(300, 500, 50), np.linspace(310, 20, 50)), axis=1)
    sample = sample_of(np.zeros((*SIZE, 3), np.uint8), {LaneId.EGO: points}, mask)
    view = rotate(View(sample.image, sample.labels), angle_deg)
    expected = functional.rotate(tv_tensors.Mask(from_numpy(mask)), angle_deg, fill=127)
    assert (expected.numpy() == mask_of(view)).mean() > 0.9999
    # Torchvision turns points about the corner of the middle pixel, half a pixel off.
    moved = tv_tensors.KeyPoints(from_numpy(points + 0.5), canvas_size=SIZE)
    expected_points = functional.rotate(moved, angle_deg).numpy() - 0.5
    assert np.allclose(expected_points, lanes_of(view)[LaneId.EGO], atol=1e-3)


def test_ego_must_stay_the_lane_in_the_middle():
    def at(x):
        return np.array([[x, 310.0], [400.0, 50.0]])

    lanes = {LaneId.EGO: at(400), LaneId.RIGHT_EGO: at(700)}
    assert ego_runs_up_the_middle(lanes, (320, 800))
    moved = {LaneId.EGO: at(150), LaneId.RIGHT_EGO: at(420)}
    assert not ego_runs_up_the_middle(moved, (320, 800))
    assert ego_runs_up_the_middle({LaneId.RIGHT_EGO: at(420)}, (320, 800))


@pytest.mark.parametrize("seed", range(10))
def test_wild_shifts_never_make_a_neighbour_the_ego_lane(sample, transform, seed):
    config = replace(NOTHING, geometry=1.0, shift=1.0, scale=(0.3, 0.5))
    view = augment(sample, transform, config, seed)
    assert ego_runs_up_the_middle(lanes_of(view), SIZE)


def test_crops_rise_further_than_they_shift_aside(transform):
    config = replace(NOTHING, geometry=1.0, scale=(0.5, 0.5), shift=0.02, rise=0.3)
    crops = [
        other_crop(transform.crop, transform.image_size, config, np.random.default_rng(seed))
        for seed in range(60)
    ]
    across, down = (
        np.ptp([crop[axis] + crop[axis + 2] / 2 for crop in crops]) / transform.crop[axis + 2]
        for axis in (0, 1)
    )
    assert across < 0.05 and 0.4 < down < 0.65
    alike = replace(config, rise=None)  # as far as aside
    rows = [
        crop.y + crop.height / 2
        for seed in range(60)
        for crop in [
            other_crop(transform.crop, transform.image_size, alike, np.random.default_rng(seed))
        ]
    ]
    assert np.ptp(rows) / transform.crop.height < 0.05


def test_nights_are_dark_but_for_lamps(sample, transform):
    bright = replace(sample, image=np.full_like(sample.image, 200))
    views = [
        augment(bright, transform, replace(NOTHING, night=1.0), seed).image for seed in range(20)
    ]
    assert np.median([view.mean() for view in views]) < 80
    assert max(view.mean() for view in views) < 190
    assert np.mean([view.max() == 255 for view in views]) > 0.4  # lamps


@pytest.mark.parametrize("name", list(EFFECTS))
def test_every_effect_changes_the_look_and_nothing_else(sample, transform, name):
    plain = view_sample(sample, transform)
    view = augment(sample, transform, replace(NOTHING, **{name: 1.0}), 1)
    assert isinstance(view, View)
    assert view.image.shape == plain.image.shape
    assert view.image.dtype == np.uint8
    assert np.abs(view.image.astype(int) - plain.image).mean() > 0.3
    assert np.array_equal(mask_of(view), mask_of(plain))
    for lane_id, points in lanes_of(plain).items():
        assert points is None or np.array_equal(lanes_of(view)[lane_id], points)


def seen(sample, transform, **config):
    return augment(sample, transform, replace(NOTHING, **config), 1).image.astype(int)


@pytest.mark.parametrize("name", WEATHER)
def test_weather_is_as_strong_as_it_is_told_to_be(sample, transform, name):
    plain, whole = seen(sample, transform), seen(sample, transform, **{name: 1.0})
    assert np.array_equal(seen(sample, transform, **{name: 1.0}, weather=0.0), plain)
    half = seen(sample, transform, **{name: 1.0}, weather=0.5)
    assert np.abs(half - (plain + whole) / 2).max() <= 0.5


def test_the_strength_of_weather_is_no_other_effects(sample, transform):
    for name in set(EFFECTS) - set(WEATHER):
        whole = seen(sample, transform, **{name: 1.0})
        assert np.array_equal(seen(sample, transform, **{name: 1.0}, weather=0.0), whole)


def test_probabilities_are_checked():
    with pytest.raises(ValueError, match=r"augment\.weather is nan, expected 0 to 1"):
        AugmentConfig(weather=float("nan"))
    with pytest.raises(ValueError, match=r"augment\.flip is 1\.5, expected 0 to 1"):
        AugmentConfig(flip=1.5)
    with pytest.raises(ValueError, match=r"augment\.scale"):
        AugmentConfig(scale=(1.2, 0.8))
