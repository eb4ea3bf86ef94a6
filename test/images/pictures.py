# SPDX-License-Identifier: Apache-2.0
"""Picture files of every kind, sound and otherwise, for the tests of what reads them."""

import io
import struct

import cv2
import numpy as np
import pytest

JPEGS = {
    "baseline": [],
    "restarts": [cv2.IMWRITE_JPEG_RST_INTERVAL, 5],
    "progressive": [cv2.IMWRITE_JPEG_PROGRESSIVE, 1],
    "optimised": [cv2.IMWRITE_JPEG_OPTIMIZE, 1],
}
"""Name -> how OpenCV makes such a JPEG."""


def road(height=96, width=160, seed=0):
    """Return a picture with structure and grain, (H, W, 3) uint8 BGR."""
    y, x = np.mgrid[0:height, 0:width]
    smooth = np.stack((x + y / 2, 180 - y + x / 5, 60 + y + x / 9), axis=-1)
    grain = np.random.default_rng(seed).normal(0, 9, smooth.shape)
    return np.clip(smooth + grain, 0, 255).astype(np.uint8)


def encoded(image, suffix, options=()):
    """Encode by OpenCV."""
    return cv2.imencode(suffix, image, list(options))[1].tobytes()


def by_pillow(array, kind, mode=None, **options):
    """Encode by Pillow, which has more kinds of files."""
    pil = pytest.importorskip("PIL.Image", reason="pillow is not installed")
    picture = pil.fromarray(array)
    buffer = io.BytesIO()
    (picture.convert(mode) if mode else picture).save(buffer, kind, **options)
    return buffer.getvalue()


def turned(array, kind, orientation, **options):
    """Encode (H, W, 3) RGB with the wish to be turned."""
    pil = pytest.importorskip("PIL.Image", reason="pillow is not installed")
    exif = pil.Exif()
    exif[0x0112] = orientation
    return by_pillow(array, kind, exif=exif, **options)


def segment(marker, payload):
    """Return a segment of a JPEG."""
    return bytes((0xFF, marker)) + struct.pack(">H", len(payload) + 2) + payload


def claiming(kind, width, height):
    """Return a small file whose header claims a size."""
    small = np.full((16, 16, 3), 7, np.uint8)
    big, little = struct.pack(">II", width, height), struct.pack("<II", width, height)
    if kind == "jpeg":
        data = encoded(small, ".jpg")
        at = data.index(b"\xff\xc0") + 5
        return data[:at] + struct.pack(">HH", height, width) + data[at + 4 :]
    if kind == "png":
        data = encoded(small, ".png")
        return data[:16] + big + data[24:]
    if kind == "bmp":
        data = encoded(small, ".bmp")
        return data[:18] + little + data[26:]
    if kind == "ppm":
        return b"P6\n# made by hand\n%d %d\n255\n" % (width, height) + bytes(99)
    if kind == "pam":
        head = b"P7\nWIDTH %d\nHEIGHT %d\nDEPTH 3\nMAXVAL 255\nENDHDR\n" % (width, height)
        return head + bytes(99)
    if kind == "tiff":
        return tiff({256: width, 257: height, 258: 8, 259: 1, 262: 1, 273: 8, 277: 1, 279: 99})
    if kind == "webp":
        size = struct.pack("<I", width - 1)[:3] + struct.pack("<I", height - 1)[:3]
        return b"RIFF\xff\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0" + size + bytes(99)
    if kind == "gif":
        return b"GIF89a" + struct.pack("<HH", width, height) + bytes(99)
    if kind == "sun":
        return b"\x59\xa6\x6a\x95" + big + bytes(99)
    if kind == "jp2":
        return b"\xff\x4f\xff\x51\0\x29\0\0" + big + bytes(8) + big + bytes(99)
    assert kind == "avif"
    ispe = struct.pack(">I", 20) + b"ispe\0\0\0\0" + big
    return (
        struct.pack(">I", 16) + b"ftypavif\0\0\0\0" + struct.pack(">I", 28) + b"meta" + ispe
    ) + bytes(99)


def tiff(fields, order="<"):
    """Return a TIFF of whole numbers by tag, all of 32 bits."""
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", 8)
    entries = (struct.pack(f"{order}HHII", tag, 4, 1, v) for tag, v in sorted(fields.items()))
    return head + struct.pack(f"{order}H", len(fields)) + b"".join(entries) + bytes(103)


BOMBS = ("jpeg", "png", "bmp", "ppm", "pam", "tiff", "webp", "gif", "sun", "jp2", "avif")
"""Kinds that ``claiming`` makes."""
