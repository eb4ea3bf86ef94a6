# SPDX-License-Identifier: Apache-2.0
"""Both halves of a CompressedImage's format are read: what the pixels were, and what they are."""

from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from pictures import encoded, road

from shared_encoder_perception.images.compressed_format import read_format
from shared_encoder_perception.images.image_msg import ImageMsgError, to_bgr

BGR = road()
RGB = np.ascontiguousarray(BGR[:, :, ::-1])
GREY = np.ascontiguousarray(BGR[:, :, 1])


def wide(pixels):
    return pixels.astype(np.uint16) * 256 + 99


def seen(name, pixels, suffix):
    """Compress as compressed_image_transport does, which hands any pixels to OpenCV as BGR."""
    data = cv2.imencode(suffix, pixels)[1].tobytes()
    return to_bgr(SimpleNamespace(format=name, data=data))


PUBLISHED = [
    # format, pixels as they were handed to OpenCV's encoder, suffix
    ("rgb8; jpeg compressed bgr8", BGR, ".jpg"),
    ("bgra8; jpeg compressed bgr8", BGR, ".jpg"),
    ("rgb16; jpeg compressed bgr8", BGR, ".jpg"),
    ("yuv422; jpeg compressed bgr8", BGR, ".jpg"),
    ("bayer_rggb8; jpeg compressed bgr8", BGR, ".jpg"),
    ("jpeg", BGR, ".jpg"),
    ("JPEG", BGR, ".jpg"),
    ("jpg", BGR, ".jpg"),
    ("image/jpeg", BGR, ".jpg"),
    ("jpeg; quality 90", BGR, ".jpg"),
    ("rgb8;jpeg compressed bgr8", BGR, ".jpg"),
    ("RGB8; JPEG compressed BGR8", BGR, ".jpg"),
    ("rgb8; jpeg compressed rgb8", RGB, ".jpg"),
    ("rgb8; png compressed bgr8", BGR, ".png"),
    ("png", BGR, ".png"),
    ("8UC3; png compressed ", BGR, ".png"),
    ("rgb8; png compressed rgb8", RGB, ".png"),
    ("bgr8; png compressed rgb8", RGB, ".png"),
    ("rgb8;png compressed rgb8", RGB, ".png"),
    ("rgb8; pngcompressedrgb8", RGB, ".png"),
    ("RGB8; PNG COMPRESSED RGB8 ", RGB, ".png"),
    ("rgb16; png compressed bgr16", wide(BGR), ".png"),
    ("rgb16; png compressed rgb16", wide(RGB), ".png"),
    ("bgr16; png compressed rgb16", wide(RGB), ".png"),
    ("rgba8; png compressed rgba8", np.dstack((RGB, GREY)), ".png"),
    ("rgb8; tiff compressed ", RGB, ".tiff"),
    ("bgr8; tiff compressed ", BGR, ".tiff"),
    ("rgb16; tiff compressed ", wide(RGB), ".tiff"),
]


@pytest.mark.parametrize(("name", "pixels", "suffix"), PUBLISHED, ids=[row[0] for row in PUBLISHED])
def test_colours_come_out_as_the_camera_saw_them(name, pixels, suffix):
    difference = np.abs(seen(name, pixels, suffix).astype(int) - BGR)
    assert difference.mean() < (8 if suffix == ".jpg" else 0.01)


@pytest.mark.parametrize(
    ("name", "pixels", "suffix"),
    [
        ("mono8; jpeg compressed mono8", GREY, ".jpg"),
        ("mono8; jpeg compressed ", GREY, ".jpg"),
        ("mono16; jpeg compressed mono8", GREY, ".jpg"),
        ("8UC1; png compressed ", GREY, ".png"),
        ("mono16; png compressed ", wide(GREY), ".png"),
        ("mono16; tiff compressed ", wide(GREY), ".tiff"),
        ("bayer_rggb8; jpeg compressed mono8", GREY, ".jpg"),  # a picture since Humble
    ],
)
def test_grey_is_grey(name, pixels, suffix):
    assert np.abs(seen(name, pixels, suffix) - GREY[:, :, None].astype(int)).mean() < 5


def mosaic(bgr):
    """Return what the sensor of an RGGB camera has."""
    pixels = bgr[:, :, 1].copy()
    pixels[::2, ::2], pixels[1::2, 1::2] = bgr[::2, ::2, 2], bgr[1::2, 1::2, 0]
    return pixels


@pytest.mark.parametrize("layout", ["rggb8", "bggr8", "gbrg8", "grbg8", "rggb16"])
@pytest.mark.parametrize(
    ("form", "suffix"),
    [
        ("bayer_{}; jpeg compressed ", ".jpg"),
        ("bayer_{}; jpeg compressed mono8", ".jpg"),
        ("bayer_{}; png compressed ", ".png"),
        ("bayer_{}; tiff compressed ", ".tiff"),
        ("BAYER_{}; PNG", ".png"),
        ("bayer_{0}; png compressed bayer_{0}", ".png"),
    ],
)
def test_a_bayer_mosaic_is_no_grey_picture(layout, form, suffix):
    with pytest.raises(ImageMsgError, match=r"are a Bayer mosaic, .* debayer node") as error:
        seen(form.format(layout), mosaic(BGR), suffix)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "name",
    [
        "16UC1; png compressed ",
        "16UC1; PNG compressed 16UC1",
        "16uc1;png",
        "16UC1; jpeg compressed mono8",
        "32FC1; tiff compressed ",
        "16SC1; tiff compressed ",
        "32FC3; png compressed ",
    ],
)
def test_depths_are_no_dark_picture(name):
    with pytest.raises(ImageMsgError, match="are depths or counts, not a picture"):
        seen(name, wide(GREY) // 40, ".png")


@pytest.mark.parametrize(
    "name",
    ["16UC1; compressedDepth", "32FC1; compressedDepth png", "16UC1; COMPRESSEDDEPTH rvl", "16UC1"],
)
def test_depths_of_the_other_transport_are_refused(name):
    with pytest.raises(ImageMsgError, match="is not supported: publish 'jpeg' or 'png'"):
        seen(name, wide(GREY), ".png")


@pytest.mark.parametrize("name", ["", ";", "h264", "; compressed bgr8", "zstd", "jpegxl", "theora"])
def test_what_names_no_codec_is_refused(name):
    with pytest.raises(ImageMsgError, match="is not supported: publish 'jpeg' or 'png'"):
        seen(name, BGR, ".png")


def test_a_format_is_fit_for_a_log():
    name = read_format("jpeg\x1b[31m;\r\n" + "x" * 999).name
    assert len(name) < 100
    assert name.isprintable()
    with pytest.raises(ImageMsgError) as error:
        to_bgr(SimpleNamespace(format="\x1b]0;jpeg\x07", data=encoded(BGR, ".jpg")[:99]))
    assert str(error.value).isprintable()
