"""ImageTransform: one map for image and points, invertible."""

import cv2
import numpy as np
import pytest

from shared_encoder_perception.preprocess import Crop, ImageTransform, default_crop

INPUT = (320, 800)


@pytest.mark.parametrize(
    ("image", "crop"),
    [
        ((320, 800), None),
        ((720, 1280), None),
        ((720, 1280), Crop(100, 200, 500, 333)),
        ((227, 404), None),
        ((2160, 3840), Crop(1, 2, 3001, 1201)),
    ],
)
def test_point_round_trip(image, crop):
    transform = ImageTransform.fit(image, INPUT, crop)
    points = np.random.default_rng(0).uniform(-50, 2000, (500, 2))
    back = transform.points_to_image(transform.points_to_input(points))
    assert np.abs(back - points).max() < 1e-3


def test_crop_corners_land_on_input_corners():
    transform = ImageTransform.fit((720, 1280), INPUT, Crop(0, 194, 1280, 512))
    corners = [[-0.5, 193.5], [1279.5, 705.5]]
    assert np.allclose(transform.points_to_input(corners), [[-0.5, -0.5], [799.5, 319.5]])


@pytest.mark.parametrize("scale", [0.4, 0.625, 1.0, 2.0])
def test_image_and_points_move_together(scale):
    """A blob's centre of mass is where the point map says."""
    size = (round(320 / scale), round(800 / scale))
    image = np.zeros((*size, 3), np.uint8)
    centre = (round(500 / scale), round(200 / scale))
    cv2.circle(image, centre, round(20 / scale), (255, 255, 255), -1)
    transform = ImageTransform.fit(size, INPUT)
    moved = transform.image_to_input(image)[:, :, 0].astype(float)
    y, x = np.indices(moved.shape)
    mass = np.array([(x * moved).sum(), (y * moved).sum()]) / moved.sum()
    assert np.abs(mass - transform.points_to_input(np.array(centre))).max() < 0.1


def test_identity_copies_nothing():
    image = np.zeros((*INPUT, 3), np.uint8)
    transform = ImageTransform.fit(INPUT, INPUT)
    assert transform.is_identity
    assert np.shares_memory(transform.image_to_input(image), image)
    assert np.allclose(transform.points_to_image([[3.25, 4.5]]), [[3.25, 4.5]])


def test_mask_returns_to_its_place():
    transform = ImageTransform.fit((720, 1280), INPUT, Crop(100, 194, 1000, 400))
    full = transform.mask_to_image(np.full(INPUT, 255, np.uint8))
    inside = full[194:594, 100:1100]
    assert full.shape == (720, 1280)
    assert inside.min() == 255
    assert full.sum() == inside.astype(int).sum()


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        ((320, 800), Crop(0, 0, 800, 320)),
        ((720, 1280), Crop(0, 208, 1280, 512)),
        ((200, 1000), Crop(250, 0, 500, 200)),
    ],
)
def test_default_crop_is_largest_centred_bottom(image, expected):
    assert default_crop(image, INPUT) == expected


@pytest.mark.parametrize(
    "crop", [Crop(-1, 0, 10, 10), Crop(0, 0, 801, 320), Crop(0, 0, 0, 10), Crop(790, 0, 11, 320)]
)
def test_crop_outside_the_image_is_refused(crop):
    with pytest.raises(ValueError, match="does not fit an image of 800x320"):
        ImageTransform.fit(INPUT, INPUT, crop)
