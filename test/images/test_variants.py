# SPDX-License-Identifier: Apache-2.0
"""Several pictures of one image: how they are asked for, and where each shows what."""

from fractions import Fraction
from zlib import crc32

import cv2
import numpy as np
import pytest

from shared_encoder_perception.images.looks import cells_along, mean_of
from shared_encoder_perception.images.preprocess import (
    LETTERBOX,
    PADDING,
    STRETCH,
    Crop,
    ImageTransform,
)
from shared_encoder_perception.images.variants import PLAIN, Variant, named, parse_variants

SIZE = (64, 160)
IMAGE = (100, 240)
CROPS = {
    "whole": (Crop(0, 0, 240, 100), STRETCH),
    "aside": (Crop(11, 20, 201, 77), STRETCH),
    "letterbox": (Crop(10, 5, 120, 90), LETTERBOX),
}
VARIANTS = [Variant(flip, scale) for flip in (False, True) for scale in (1.0, 0.75, 1.25, 0.4, 2.6)]


def transform_of(how):
    crop, resize = CROPS[how]
    return ImageTransform(IMAGE, crop, SIZE, resize)


def waves():
    """A picture that tells where it is: blue along the columns, green along the rows."""
    image = np.zeros((*IMAGE, 3), np.uint8)
    image[..., 0] = np.round(128 + 110 * np.sin(np.arange(IMAGE[1]) / 7 + 1))
    image[..., 1] = np.round(128 + 110 * np.sin(np.arange(IMAGE[0])[:, None] / 7 + 1))
    return image


# ---- as the command line names them --------------------------------------------------------------


def test_scales_are_mirrored_too_where_pictures_are():
    assert parse_variants("flip, scale:0.75") == (
        PLAIN,
        Variant(True),
        Variant(False, 0.75),
        Variant(True, 0.75),
    )
    assert parse_variants("scale:1.25") == (PLAIN, Variant(False, 1.25))
    assert parse_variants("identity") == (PLAIN,)


@pytest.mark.parametrize(
    "text", ["identity", "flip", "scale:0.75", "flip,scale:1.25,scale:0.3333333"]
)
def test_a_list_is_written_as_it_is_read(text):
    assert named(parse_variants(text)) == text
    assert named(parse_variants(f"identity,{text}" if text != "identity" else text)) == text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the list is empty: expected some of identity, flip, scale:FACTOR"),
        (" ", "the list is empty"),
        ("flip,", "there is no ''"),
        ("flop", "there is no 'flop'; did you mean 'flip'"),
        ("rotate:5", "there is no 'rotate:5': expected some of identity, flip, scale:FACTOR"),
        ("flip:1", "there is no 'flip:1'"),
        ("scale", "'scale': expected scale:FACTOR with a number from 0.25 to 4.0"),
        ("scale:0", "'scale:0': expected scale:FACTOR with a number from 0.25 to 4.0"),
        ("scale:-0.75", "'scale:-0.75': expected"),
        ("scale:nan", "'scale:nan': expected"),
        ("scale:inf", "'scale:inf': expected"),
        ("scale:big", "'scale:big': expected"),
        ("scale:1.0", "'scale:1.0' is the plain picture, which always takes part"),
        ("flip,scale:0.75,flip", "'flip' stands in 'flip,scale:0.75,flip' twice"),
        ("scale:0.75,scale:0.750", "'scale:0.750' stands in 'scale:0.75,scale:0.750' twice"),
        ("identity,identity", "'identity' stands in"),
    ],
)
def test_a_list_that_makes_no_sense_is_refused(text, message):
    with pytest.raises(ValueError) as refused:
        parse_variants(text)
    assert message in str(refused.value)


# ---- where they show what ------------------------------------------------------------------------


@pytest.mark.parametrize("how", CROPS)
def test_the_plain_look_is_the_plain_picture(how):
    transform, image = transform_of(how), waves()
    look, grid = PLAIN.look(transform), np.random.default_rng(0).random((16, 40))
    np.testing.assert_array_equal(look.image_to_input(image), transform.image_to_input(image))
    assert look.whole and look.seen(4).all()
    for read in (look.nearest, look.between):
        np.testing.assert_array_equal(read(grid, 4), grid)
    np.testing.assert_array_equal(mean_of([look], [grid], 4), grid)


@pytest.mark.parametrize("stride", [1, 2, 4, 8])
def test_a_mirrored_look_is_read_backwards(stride):
    look = Variant(True).look(transform_of("whole"))
    grid = np.random.default_rng(0).random((SIZE[0] // stride, SIZE[1] // stride))
    assert look.whole and look.seen(stride).all()
    for read in (look.nearest, look.between):
        np.testing.assert_array_equal(read(grid, stride), grid[:, ::-1])


@pytest.mark.parametrize("how", CROPS)
@pytest.mark.parametrize("variant", VARIANTS, ids=str)
def test_every_pixel_is_found_again(how, variant):
    """Not a tenth of a pixel beside: the slope of a wave tells how far it has moved."""
    transform, image = transform_of(how), waves()
    look = variant.look(transform)
    shown = look.image_to_input(image)
    assert shown.shape == (*SIZE, 3) and shown.dtype == np.uint8
    plain = transform.image_to_input(image).astype(float)
    inner = np.zeros(SIZE, np.bool_)
    inner[transform.content.window] = True
    inner = cv2.erode(inner.astype(np.uint8), np.ones((9, 9)), borderValue=0) > 0
    counted = look.seen(1) & inner
    assert counted.sum() > 300
    for axis, channel in ((1, 0), (0, 1)):
        slope = np.gradient(plain[..., channel], axis=axis)[counted]
        moved = (look.between(shown[..., channel], 1) - plain[..., channel])[counted]
        assert abs((moved * slope).sum() / (slope**2).sum()) < 0.1


@pytest.mark.parametrize("variant", VARIANTS, ids=str)
@pytest.mark.parametrize("stride", [1, 8])
def test_padding_is_never_read(variant, stride):
    """Grey counts nowhere, not even half of a cell at the rim."""
    look = variant.look(transform_of("whole"))
    shown = look.image_to_input(np.full((*IMAGE, 3), 255, np.uint8))[..., 0]
    assert (shown == PADDING).any() == (variant.scale < 1)
    if stride > 1:  # a middle may lie on the border, between two pixels
        shown = cv2.dilate(shown, np.ones((2, 2)))
    said = shown[stride // 2 :: stride, stride // 2 :: stride]
    for read in (look.nearest, look.between):
        np.testing.assert_allclose(read(said, stride), 255, rtol=1e-12)
    for axis in (look.x, look.y):
        cells = cells_along(axis, stride)
        assert (cells.first <= cells.last).all()
        for index in (cells.first, cells.last):
            assert ((index + 0.5) * stride >= axis.shown[0]).all()
            assert ((index + 0.5) * stride <= axis.shown[1]).all()


def test_a_larger_picture_shows_the_middle_and_the_rest_is_left_to_the_others():
    transform = transform_of("whole")
    looks = [variant.look(transform) for variant in parse_variants("scale:2")]
    seen = looks[1].seen(8)
    assert not looks[1].whole and looks[0].whole
    expected = np.zeros((8, 20), np.bool_)
    expected[2:6, 5:15] = True
    np.testing.assert_array_equal(seen, expected)
    ones, zeros = np.ones((8, 20)), np.zeros((8, 20))
    np.testing.assert_array_equal(mean_of(looks, [ones, zeros], 8), np.where(seen, 0.5, 1.0))
    np.testing.assert_array_equal(mean_of(looks, [zeros, ones], 8), np.where(seen, 0.5, 0.0))


@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize(("scale", "off"), [(0.75, 0), (0.5, 0), (1.25, 0), (0.77, 0.02)])
def test_things_are_as_large_as_was_asked_for(flip, scale, off):
    look = Variant(flip, scale).look(transform_of("whole"))
    assert float(look.x.factor) == pytest.approx(-scale if flip else scale, abs=off)
    assert float(look.y.factor) == pytest.approx(scale, abs=off)
    # The middle stays the middle.
    for axis in (look.x, look.y):
        assert axis.to_plain(Fraction(axis.side, 2)) == Fraction(axis.side, 2)


@pytest.mark.parametrize("how", ["whole", "aside"])
@pytest.mark.parametrize("stride", [1, 4])
def test_the_mean_of_a_mirrored_image_is_the_mirrored_mean(how, stride):
    """Whatever the network says: each picture of the mirrored image is one of the image's."""
    transform, variants = transform_of(how), parse_variants("flip,scale:0.75,scale:1.25")
    crop = transform.crop
    mirrored = ImageTransform(
        IMAGE, crop._replace(x=IMAGE[1] - crop.x - crop.width), SIZE, transform.resize
    )
    image = np.random.default_rng(0).integers(0, 256, (*IMAGE, 3), np.uint8)

    def mean(image, transform):
        looks = [variant.look(transform) for variant in variants]
        said = [noise_of(look.image_to_input(image))[::stride, ::stride] for look in looks]
        return mean_of(looks, said, stride)

    plain, other = mean(image, transform), mean(np.ascontiguousarray(image[:, ::-1]), mirrored)
    np.testing.assert_allclose(other, plain[:, ::-1], rtol=0, atol=1e-9)
    assert np.abs(other - plain).max() > 0.1


def noise_of(picture):
    """A network that says anything, but always the same of the same picture."""
    return np.random.default_rng(crc32(picture.tobytes())).random(SIZE)
