# SPDX-License-Identifier: Apache-2.0
"""One reader for picture files: as people see them, and nothing is decoded that is too large."""

import cv2
import numpy as np
import pytest
from pictures import BOMBS, JPEGS, by_pillow, claiming, encoded, road, tiff, turned

from shared_encoder_perception.images import video_source
from shared_encoder_perception.images.exif import upright
from shared_encoder_perception.images.picture_bytes import PictureError
from shared_encoder_perception.images.picture_file import (
    UNCHANGED,
    decode,
    picture_size,
    read_picture,
    read_values,
)
from shared_encoder_perception.images.picture_header import PIXELS_MAX, read_header
from shared_encoder_perception.images.sources import SourceError, open_source
from shared_encoder_perception.labels.adapters.label_ids import read_map
from shared_encoder_perception.labels.adapters.layouts import LAYOUTS
from shared_encoder_perception.labels.frame import LabelledFrame
from shared_encoder_perception.labels.label_io import UnusablePictureError, image_size
from shared_encoder_perception.tasks.label_files import LabelError, read_plane
from shared_encoder_perception.tasks.masks.values import YES

RGB = road()[:, :, ::-1]
TURNING = {
    "JPEG": {"quality": 100, "subsampling": 0},
    "PNG": {},
    "WEBP": {"lossless": True},
    "TIFF": {},
}
"""Kinds of files that may want to be turned -> how Pillow writes them."""


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", TURNING)
def test_a_file_is_read_as_people_see_it(tmp_path, kind, orientation):
    pil = pytest.importorskip("PIL.Image", reason="pillow is not installed")
    ops = pytest.importorskip("PIL.ImageOps", reason="pillow is not installed")
    path = tmp_path / f"a.{kind.lower()}"
    path.write_bytes(turned(RGB, kind, orientation, **TURNING[kind]))
    with pil.open(path) as picture:
        seen = np.asarray(ops.exif_transpose(picture))[:, :, ::-1]
    ours = read_picture(path)
    assert ours.shape == seen.shape
    assert ours.flags.c_contiguous
    assert np.abs(ours.astype(int) - seen).mean() < (2 if kind == "JPEG" else 0.01)
    assert np.array_equal(read_values(path), ours)
    assert picture_size(path) == image_size(path) == ours.shape[:2]
    stored = decode(path.read_bytes(), stored=True)
    assert np.array_equal(upright(stored, orientation), ours)
    assert stored.shape == RGB.shape


def test_every_command_sees_the_same_pixels(tmp_path):
    (tmp_path / "a.jpg").write_bytes(turned(RGB, "JPEG", 6))
    (seen,) = open_source(tmp_path)
    labelled = LabelledFrame("a.jpg", tmp_path / "a.jpg", image_size(tmp_path / "a.jpg"))
    assert seen.image.shape == (RGB.shape[1], RGB.shape[0], 3)
    assert np.array_equal(seen.image, labelled.read_image())


def test_a_mask_is_turned_like_its_picture(tmp_path):
    plane = road()[:, :, 0]
    (tmp_path / "m.png").write_bytes(turned(plane, "PNG", 8))
    mask = read_plane(tmp_path / "m.png", plane.shape[::-1])
    assert np.array_equal(mask, np.rot90(plane))


@pytest.mark.parametrize("mode", ["L", "P"])
def test_a_map_of_classes_is_turned_like_its_picture(tmp_path, mode):
    pil = pytest.importorskip("PIL.Image", reason="pillow is not installed")
    ids = np.where(road()[:, :, 0] > 90, 3, 0).astype(np.uint8)
    exif = pil.Exif()
    exif[0x0112] = 6
    picture = pil.fromarray(ids)
    if mode == "P":
        picture.putpalette([9, 9, 9] * 256)
    picture.save(tmp_path / "m.png", exif=exif)
    plane = read_map(tmp_path / "m.png", ids.shape[::-1], LAYOUTS["camvid"])
    assert np.array_equal(plane == YES, np.rot90(ids, -1) == 3)


@pytest.mark.parametrize("exif", [b"", b"II*\0", b"MM\0*\xff\xff\xff\xff", b"II*\0\x08\0\0\0\xff"])
def test_exif_data_without_sense_turn_nothing(tmp_path, exif):
    path = tmp_path / "a.jpg"
    path.write_bytes(by_pillow(RGB, "JPEG", exif=b"Exif\0\0" + exif))
    assert read_picture(path).shape == RGB.shape


WIDE = RGB.astype(np.uint16)[:, :, 0] * 256 + 77
SEEN = {
    # how it is stored -> file, what of it is compared, and the values as people see them
    "grey": (lambda: by_pillow(RGB, "PNG", "L"), None),
    "grey with alpha": (lambda: by_pillow(RGB, "PNG", "LA"), None),
    "palette": (lambda: by_pillow(RGB, "PNG", "P"), None),
    "palette in a BMP": (lambda: by_pillow(RGB, "BMP", "P"), None),
    "palette in a TIFF": (lambda: by_pillow(RGB, "TIFF", "P"), None),
    "one bit": (lambda: by_pillow(RGB, "PNG", "1"), None),
    "alpha": (lambda: by_pillow(RGB, "PNG", "RGBA"), None),
    "alpha in a WebP": (lambda: by_pillow(RGB, "WEBP", "RGBA", lossless=True), None),
    "inks": (lambda: by_pillow(RGB, "JPEG", "CMYK", quality=95), None),
    "grey JPEG": (lambda: by_pillow(RGB, "JPEG", "L", quality=95), None),
    "16 bits": (lambda: by_pillow(WIDE, "PNG"), WIDE >> 8),
    "16 bits in a TIFF": (lambda: by_pillow(WIDE, "TIFF"), WIDE >> 8),
}


@pytest.mark.parametrize("name", SEEN)
def test_whatever_is_stored_becomes_the_same_three_channels(tmp_path, name):
    pil = pytest.importorskip("PIL.Image", reason="pillow is not installed")
    make, grey = SEEN[name]
    path = tmp_path / "a.png"
    path.write_bytes(make())
    ours = read_picture(path)
    if grey is None:
        with pil.open(path) as picture:
            seen = np.asarray(picture.convert("RGB"))[:, :, ::-1]
    else:
        seen = np.repeat(grey[:, :, None], 3, axis=2)
    assert ours.shape == RGB.shape and ours.dtype == np.uint8
    assert np.abs(ours.astype(int) - seen).mean() < 3
    assert np.array_equal(ours, next(iter(open_source(path))).image)


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF"])
def test_what_is_half_transparent_keeps_its_colour(kind):
    alpha = np.full(RGB.shape[:2], 100, np.uint8)
    options = {"lossless": True, "exact": True} if kind == "WEBP" else {}
    pixels = decode(by_pillow(np.dstack((RGB, alpha)), kind, **options))
    assert np.array_equal(pixels, RGB[:, :, ::-1])


def test_values_keep_their_type(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(by_pillow(WIDE, "PNG"))
    assert np.array_equal(read_values(path), WIDE)
    with pytest.raises(LabelError, match=r"the mask is uint16 \(96, 160\), expected uint8"):
        read_plane(path, WIDE.shape)


@pytest.mark.parametrize("kind", BOMBS)
def test_a_picture_that_is_too_large_is_refused_by_its_header(tmp_path, kind):
    (tmp_path / "a.png").write_bytes(claiming(kind, 16000, 16000))
    size = read_header((tmp_path / "a.png").read_bytes()).size
    reason = "is too large: 16000x16000 pixels, expected at most 67 million"
    if kind == "jpeg":  # it is so small that it could not even hold grey
        reason = "is too large: its .* bytes claim to be 16000x16000 pixels, expected at most 67"
    assert size == (16000, 16000)
    for read in (read_picture, read_values, picture_size):
        with pytest.raises(PictureError, match=reason):
            read(tmp_path / "a.png")
    with pytest.raises(UnusablePictureError, match=reason):
        image_size(tmp_path / "a.png")
    with pytest.raises(LabelError, match=f"cannot read the mask: it {reason}") as error:
        read_plane(tmp_path / "a.png", (16, 16))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("kind", BOMBS)
def test_a_picture_without_pixels_is_refused(kind):
    if kind == "webp":  # it stores one less than the size
        return
    for size in ((0, 16), (16, 0)):
        with pytest.raises(PictureError, match="claims to be"):
            decode(claiming(kind, *size))


@pytest.mark.parametrize("kind", BOMBS)
def test_what_has_a_header_and_nothing_behind_it_is_one_line(kind):
    for flags in ({}, {"flags": UNCHANGED}):
        with pytest.raises(
            PictureError, match=r"cannot be decoded|is truncated|is damaged"
        ) as error:
            decode(claiming(kind, 999, 999), **flags)
        assert "\n" not in str(error.value)


def test_a_jpeg_that_is_too_large_is_not_called_damaged():
    content = encoded(np.zeros((9000, 9000), np.uint8), ".jpg")
    with pytest.raises(PictureError, match="is too large: 9000x9000 pixels, expected at most 67"):
        decode(content)
    with pytest.raises(PictureError, match=r"is damaged: its .* bytes claim to be 8000x8000"):
        decode(claiming("jpeg", 8000, 8000))


def test_the_tiles_of_a_tiff_count():
    fields = {256: 64, 257: 64, 258: 8, 259: 1, 262: 1, 277: 1, 322: 30000, 323: 30000, 324: 8}
    for order in "<>":
        with pytest.raises(PictureError, match="64x64 pixels in tiles of 900 million, expected"):
            decode(tiff(fields, order))


def test_the_limit_holds_for_videos(tmp_path, monkeypatch):
    path = tmp_path / "v.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 10, (160, 96))
    writer.write(road())
    writer.release()
    (frame,) = open_source(path)
    assert frame.image.shape == road().shape
    monkeypatch.setattr(video_source, "PIXELS_MAX", 160 * 95)
    with pytest.raises(SourceError, match="is too large: its frames have 160x96 pixels"):
        open_source(path)


def test_the_limit_is_beyond_every_camera():
    for width, height in ((8192, 8192), (7680, 4320)):
        assert width * height <= PIXELS_MAX
        read_header(claiming("png", width, height)).check(999)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".bmp", ".webp", ".tif", ".ppm", ".ras"])
def test_half_a_file_is_one_line_for_every_reader(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    path.write_bytes(encoded(road(), suffix))
    assert read_picture(path).shape == road().shape
    whole = path.read_bytes()
    for share in (0.0, 0.01, 0.3, 0.7, 0.95):
        path.write_bytes(whole[: int(share * len(whole))])
        with pytest.raises(PictureError) as error:
            read_picture(path)
        assert "\n" not in str(error.value)
        with pytest.raises(SourceError, match=f"a{suffix} "):
            list(open_source(path))
        with pytest.raises(LabelError, match="cannot read the mask: it "):
            read_plane(path, road().shape[:2])


def test_what_is_no_file_is_not_waited_for(tmp_path):
    with pytest.raises(PictureError, match="is missing: there is no such picture"):
        read_picture(tmp_path / "a.png")
    for read in (read_picture, picture_size):
        with pytest.raises(PictureError, match="is no file"):
            read(tmp_path)


def test_the_name_does_not_matter(tmp_path):
    for suffix in (".bmp", ".webp", ".png", ".ppm"):
        (tmp_path / "a.jpg").write_bytes(encoded(road(), suffix))
        assert np.array_equal(
            read_picture(tmp_path / "a.jpg")[0, 0], decode(encoded(road(), suffix))[0, 0]
        )
        assert picture_size(tmp_path / "a.jpg") == road().shape[:2]


@pytest.mark.parametrize("kind", JPEGS)
def test_sizes_need_no_decoding(tmp_path, kind):
    content = encoded(road(61, 83), ".jpg", JPEGS[kind])
    (tmp_path / "a.jpg").write_bytes(content[: len(content) * 3 // 4])
    assert picture_size(tmp_path / "a.jpg") == (61, 83)


def test_opencv_agrees_where_nothing_is_turned():
    for suffix in (".jpg", ".png", ".bmp", ".webp", ".tif", ".ppm"):
        content = encoded(road(), suffix)
        theirs = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
        assert np.array_equal(decode(content), theirs)
