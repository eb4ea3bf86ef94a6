# SPDX-License-Identifier: Apache-2.0
"""ImageTransform: one map for image and points, invertible."""

from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from shared_encoder_perception.images.preprocess import (
    LETTERBOX,
    PADDING,
    RESIZES,
    STRETCH,
    Crop,
    ImageError,
    ImageTransform,
    default_crop,
    roi_crop,
    whole_crop,
)

INPUT = (320, 800)

LETTERBOXES = [
    # image, crop, the part of the input that shows it
    ((720, 1280), Crop(0, 0, 1280, 720), Crop(115, 0, 569, 320)),
    ((200, 1000), Crop(0, 0, 1000, 200), Crop(0, 160, 800, 160)),
    ((720, 1280), Crop(100, 200, 500, 333), Crop(160, 0, 480, 320)),
    ((720, 1280), None, Crop(0, 0, 800, 320)),
    ((320, 800), None, Crop(0, 0, 800, 320)),
    ((500, 60), Crop(7, 0, 2, 500), Crop(399, 0, 1, 320)),
]


@pytest.mark.parametrize("resize", RESIZES)
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
def test_point_round_trip(image, crop, resize):
    transform = ImageTransform.fit(image, INPUT, crop, resize)
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


def test_a_way_to_resize_that_does_not_exist_is_refused():
    with pytest.raises(ValueError, match="resize is 'fill', expected one of stretch, letterbox"):
        ImageTransform.fit(INPUT, INPUT, None, "fill")


@pytest.mark.parametrize(("image", "crop", "content"), LETTERBOXES)
def test_letterbox_keeps_the_aspect_ratio_centred_and_flush_with_the_bottom(image, crop, content):
    transform = ImageTransform.fit(image, INPUT, crop, LETTERBOX)
    assert transform.content == content
    assert transform.content.y + transform.content.height == INPUT[0]
    if content.width > 1:  # there at least one pixel must stay
        x, y = transform.scale
        assert abs(x / y - 1) <= 0.5 / min(content.width, content.height)


@pytest.mark.parametrize(("image", "crop", "content"), LETTERBOXES)
def test_letterbox_pads_with_grey_around_the_image(image, crop, content):
    transform = ImageTransform.fit(image, INPUT, crop, LETTERBOX)
    moved = transform.image_to_input(np.full((*image, 3), 200, np.uint8))
    assert moved.shape == (*INPUT, 3) and moved.dtype == np.uint8 and moved.flags.c_contiguous
    expected = np.full((*INPUT, 3), PADDING, np.uint8)
    x, y, width, height = content
    expected[y : y + height, x : x + width] = 200
    np.testing.assert_array_equal(moved, expected)


@pytest.mark.parametrize(("image", "crop", "content"), LETTERBOXES[:3])
def test_letterboxed_image_and_points_move_together(image, crop, content):
    """A blob's centre of mass is where the point map says, and stays round."""
    picture = np.zeros((*image, 3), np.uint8)
    centre = (crop.x + crop.width // 2 + 20, crop.y + crop.height // 2 + 10)
    cv2.circle(picture, centre, 40, (255, 255, 255), -1)
    transform = ImageTransform.fit(image, INPUT, crop, LETTERBOX)
    moved = transform.image_to_input(picture)[:, :, 0].astype(float)
    moved[~inside(content)] = 0
    y, x = np.indices(moved.shape)
    mass = np.array([(x * moved).sum(), (y * moved).sum()]) / moved.sum()
    assert np.abs(mass - transform.points_to_input(np.array(centre))).max() < 0.1
    wide, high = (
        np.sqrt((moved * (axis - mean) ** 2).sum()) for axis, mean in ((x, mass[0]), (y, mass[1]))
    )
    assert wide / high == pytest.approx(1, abs=0.02)


def test_letterboxed_mask_returns_to_its_place_and_padding_vanishes():
    crop = Crop(100, 200, 500, 333)
    transform = ImageTransform.fit((720, 1280), INPUT, crop, LETTERBOX)
    only_padding = np.where(inside(transform.content), 0, 255).astype(np.uint8)
    assert transform.mask_to_image(only_padding).max() == 0
    only_content = 255 - only_padding
    full = transform.mask_to_image(only_content)
    expected = np.zeros((720, 1280), np.uint8)
    expected[200:533, 100:600] = 255
    np.testing.assert_array_equal(full, expected)


@pytest.mark.parametrize("resize", RESIZES)
@pytest.mark.parametrize("stride", [2, 4, 8])
def test_values_on_a_coarse_grid_come_to_where_their_cells_are(resize, stride):
    """A ramp over the input, one value for each cell, is the same ramp over the image."""
    image, crop = (720, 1280), Crop(100, 200, 500, 333)
    transform = ImageTransform.fit(image, INPUT, crop, resize)
    rows, columns = (side // stride for side in INPUT)
    ramp = np.tile(np.linspace(20, 220, columns), (rows, 1))
    full = transform.mask_to_image(ramp.round().astype(np.uint8), stride)
    x = np.arange(crop.x + 40, crop.x + crop.width - 40)
    cells = (transform.points_to_input(np.stack((x, x), axis=-1))[:, 0] + 0.5) / stride - 0.5
    expected = 20 + 200 * cells / (columns - 1)
    assert np.abs(full[crop.y + 150, x] - expected).max() < 1.5
    assert full[: crop.y].max() == full[:, : crop.x].max() == 0


def test_a_coarse_grid_of_another_size_is_refused():
    transform = ImageTransform.fit((720, 1280), INPUT)
    with pytest.raises(ValueError, match=r"mask is \(320, 800\), expected \(80, 200\)"):
        transform.mask_to_image(np.zeros(INPUT, np.uint8), 4)
    assert transform.mask_to_image(np.full((80, 200), 7, np.uint8), 4)[300:].min() == 7


@pytest.mark.parametrize(("image", "crop", "content"), LETTERBOXES)
def test_letterbox_covers_what_is_not_padding(image, crop, content):
    transform = ImageTransform.fit(image, INPUT, crop, LETTERBOX)
    y, x = np.indices(INPUT)
    np.testing.assert_array_equal(transform.covers(np.stack((x, y), axis=-1)), inside(content))


def test_what_the_padding_maps_to_lies_outside_the_crop():
    transform = ImageTransform.fit((720, 1280), INPUT, Crop(0, 0, 1280, 720), LETTERBOX)
    points = transform.points_to_image([[114, 100], [684, 100]])
    assert points[0, 0] < -0.5 and points[1, 0] > 1279.5


def test_stretch_covers_the_whole_input():
    transform = ImageTransform.fit((720, 1280), INPUT, Crop(0, 0, 1280, 720), STRETCH)
    points = [[0, 0], [799, 319], [-0.1, 5], [799.1, 5], [5, 319.5]]
    assert transform.covers(np.array(points)).tolist() == [True, True, False, False, False]


def inside(content):
    """Return (h, w) bool: where the input shows the image."""
    mask = np.zeros(INPUT, bool)
    mask[content.y : content.y + content.height, content.x : content.x + content.width] = True
    return mask


def camera(width, height, roi=(0, 0, 0, 0), binning=(0, 0)):
    """Return what a CameraInfo says about sizes."""
    region = dict(zip(("x_offset", "y_offset", "width", "height"), roi, strict=True))
    return SimpleNamespace(
        width=width,
        height=height,
        binning_x=binning[0],
        binning_y=binning[1],
        roi=SimpleNamespace(**region),
    )


@pytest.mark.parametrize(
    ("info", "image", "expected"),
    [
        (camera(1280, 720, (100, 200, 800, 320)), (720, 1280), Crop(100, 200, 800, 320)),
        (camera(1280, 720), (720, 1280), Crop(0, 0, 1280, 720)),
        (camera(1280, 720, (100, 200, 800, 320)), (320, 800), Crop(0, 0, 800, 320)),
        (camera(1280, 720, (100, 200, 800, 320), (2, 2)), (360, 640), Crop(50, 100, 400, 160)),
        (camera(1280, 720, (100, 200, 800, 320), (2, 4)), (180, 640), Crop(50, 50, 400, 80)),
        (camera(1280, 720, (100, 200, 800, 320), (2, 2)), (160, 400), Crop(0, 0, 400, 160)),
        (camera(1281, 721, (1, 1, 801, 321), (2, 2)), (360, 640), Crop(0, 0, 400, 160)),
    ],
)
def test_region_of_interest_of_a_camera(info, image, expected):
    assert roi_crop(info, image) == expected
    ImageTransform.fit(image, INPUT, expected)


@pytest.mark.parametrize(
    ("info", "image", "reason"),
    [
        (camera(1280, 720), (480, 640), "image is 640x480 pixels, which is not the CameraInfo's"),
        (
            camera(1280, 720, (0, 0, 800, 320), (2, 2)),
            (720, 1280),
            r"CameraInfo's 640x360 nor its region of interest of 400x160 \(binning 2x2\)",
        ),
        (camera(0, 0), (480, 640), "CameraInfo's 0x0"),
    ],
)
def test_camera_info_of_another_camera_is_refused(info, image, reason):
    with pytest.raises(ImageError, match=reason):
        roi_crop(info, image)


@pytest.mark.parametrize("roi", [(1000, 0, 800, 320), (0, 0, 800, 0), (2**32 - 1, 0, 2, 2)])
def test_region_that_leaves_the_image_is_refused(roi):
    crop = roi_crop(camera(1280, 720, roi), (720, 1280))
    with pytest.raises(ImageError, match="does not fit an image of 1280x720"):
        ImageTransform.fit((720, 1280), INPUT, crop)


def test_whole_crop_leaves_nothing_out():
    assert whole_crop((720, 1280)) == Crop(0, 0, 1280, 720)
