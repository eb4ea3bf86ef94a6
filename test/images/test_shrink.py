# SPDX-License-Identifier: Apache-2.0
"""Pictures shrink without losing pixels, and land where points do."""

import cv2
import numpy as np
import pytest

from shared_encoder_perception.images.preprocess import Crop, ImageTransform


@pytest.mark.parametrize("pixels", [2, 2.5, 2.99, 3.7, 4, 5.3])
def test_no_pixel_is_lost_when_a_picture_shrinks(pixels):
    """A bright pixel leaves the same light behind, wherever in the picture it is."""
    count = round(64 * pixels)
    transform = ImageTransform.fit((count, count), (64, 64))
    light = []
    for at in range(count // 2, count // 2 + 16):
        image = np.zeros((count, count, 3), np.uint8)
        image[:, at] = 255
        light.append(transform.image_to_input(image)[..., 0].sum() * pixels / 255 / 64)
    assert min(light) > 0.3
    np.testing.assert_allclose(np.mean(light), 1.0, atol=0.1)


def test_paint_of_one_pixel_survives_halving_and_was_lost_by_chance_before():
    lines = np.zeros((240, 240, 3), np.uint8)
    lines[:, ::12] = 240
    seen = ImageTransform.fit((240, 240), (96, 96)).image_to_input(lines)
    assert seen.max(axis=0)[..., 0].reshape(-1, 24).max(axis=1).min() > 50
    assert abs(seen.mean() - 20) < 2


@pytest.mark.parametrize("size", [(160, 384), (161, 385), (323, 771), (700, 1701), (96, 1400)])
@pytest.mark.parametrize("crop", [None, Crop(3, 5, 90, 85)])
def test_a_picture_lands_where_points_do_however_it_shrinks(size, crop):
    """A spot far to the right, where stretching by an odd column would move it most."""
    transform = ImageTransform.fit(size, (32, 64), crop)
    spot = transform.points_to_image([[55, 16]])[0, 0]
    width = 2.0 / transform.scale[0]
    light = 250 * np.exp(-(((np.arange(size[1]) - spot) / width) ** 2))
    image = np.broadcast_to(light[None, :, None], (*size, 3)).round().astype(np.uint8)
    seen = transform.image_to_input(image)[16, :, 0].astype(float)
    assert abs((seen * np.arange(64)).sum() / seen.sum() - 55) < 0.04


def test_models_from_before_shrink_pictures_as_they_did():
    image = np.random.default_rng(0).integers(0, 256, (330, 800, 3), np.uint8)
    for size, method in (((96, 192), cv2.INTER_AREA), ((320, 640), cv2.INTER_LINEAR)):
        transform = ImageTransform.fit(
            (330, 800), size, Crop(0, 0, 800, 330), shrink="area_below_half"
        )
        expected = cv2.resize(image, size[::-1], interpolation=method)
        np.testing.assert_array_equal(transform.image_to_input(image), expected)
