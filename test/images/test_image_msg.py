# SPDX-License-Identifier: Apache-2.0
"""Images survive the way into a message and back, and broken messages are refused with a reason."""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
import pytest

from shared_encoder_perception.images.image_msg import (
    ENCODINGS,
    ImageMsgError,
    fill_compressed,
    fill_image,
    to_bgr,
)


@dataclass
class FakeImage:
    """Has the fields of sensor_msgs/Image as rclpy sees them."""

    height: int = 0
    width: int = 0
    encoding: str = ""
    is_bigendian: int = 0
    step: int = 0
    data: Any = field(default_factory=lambda: array("B"))


@dataclass
class FakeCompressed:
    """Has the fields of sensor_msgs/CompressedImage as rclpy sees them."""

    format: str = ""
    data: Any = field(default_factory=lambda: array("B"))


@pytest.fixture
def bgr() -> np.ndarray:
    """A smooth colour image, (6, 8, 3)."""
    rows, columns = np.mgrid[0:6, 0:8]
    return np.stack((rows * 40, columns * 30, 255 - rows * 20), axis=-1).astype(np.uint8)


def filled(pixels: np.ndarray, encoding: str) -> FakeImage:
    """Return a message of ``pixels``."""
    message = FakeImage()
    fill_image(message, pixels, encoding)
    return message


def padded(message: FakeImage, extra: int) -> FakeImage:
    """Return ``message`` with ``extra`` bytes of garbage after every row."""
    rows = np.frombuffer(message.data, np.uint8).reshape(message.height, message.step)
    wide = np.concatenate((rows, np.full((message.height, extra), 0xAB, np.uint8)), axis=1)
    message.step += extra
    message.data = array("B", wide.tobytes())
    return message


def pixels_of(bgr: np.ndarray, encoding: str) -> tuple[np.ndarray, np.ndarray]:
    """Return ``bgr`` in ``encoding`` without our code, and the BGR image expected back."""
    grey = bgr[:, :, 0]
    opaque = np.concatenate((bgr, np.full((*grey.shape, 1), 77, np.uint8)), axis=2)
    grey_back = np.repeat(grey[:, :, None], 3, axis=2)
    wide = bgr.astype(np.uint16) * 256 + 99
    return {
        "bgr8": (bgr, bgr),
        "8UC3": (bgr, bgr),
        "rgb8": (bgr[:, :, ::-1], bgr),
        "bgra8": (opaque, bgr),
        "rgba8": (opaque[:, :, [2, 1, 0, 3]], bgr),
        "mono8": (grey, grey_back),
        "8UC1": (grey, grey_back),
        "mono16": (wide[:, :, 0], grey_back),
        "bgr16": (wide, bgr),
        "rgb16": (wide[:, :, ::-1], bgr),
    }[encoding]


SIMPLE = [name for name in ENCODINGS if not name.startswith(("yuv", "uyvy", "yuyv"))]
SUBSAMPLED = {"yuv422": "uyvy", "uyvy": "uyvy", "yuv422_yuy2": "yuyv", "yuyv": "yuyv"}


@pytest.mark.parametrize("extra", [0, 5])
@pytest.mark.parametrize("encoding", SIMPLE)
def test_round_trip(bgr: np.ndarray, encoding: str, extra: int) -> None:
    """Every encoding comes back as BGR, with and without row padding."""
    pixels, expected = pixels_of(bgr, encoding)
    image = to_bgr(padded(filled(pixels, encoding), extra))
    assert image.dtype == np.uint8 and image.flags.c_contiguous
    np.testing.assert_array_equal(image, expected)


@pytest.mark.parametrize("encoding", [name for name in SIMPLE if name.endswith("16")])
def test_big_endian(bgr: np.ndarray, encoding: str) -> None:
    """The byte order of 16-bit images is honoured."""
    pixels, expected = pixels_of(bgr, encoding)
    message = filled(pixels, encoding)
    message.data = array("B", pixels.astype(">u2").tobytes())
    assert not np.array_equal(to_bgr(message), expected)
    message.is_bigendian = 1
    np.testing.assert_array_equal(to_bgr(message), expected)


@pytest.mark.parametrize("extra", [0, 6])
@pytest.mark.parametrize(("encoding", "order"), SUBSAMPLED.items())
def test_yuv422(encoding: str, order: str, extra: int) -> None:
    """Both byte orders of 4:2:2 give the colours of ITU-R BT.601."""
    y, u, v = 120, 90, 200
    pair = {"uyvy": (u, y, v, y), "yuyv": (y, u, y, v)}[order]
    pixels = np.tile(np.array(pair, np.uint8), (3, 4)).reshape(3, 8, 2)
    image = to_bgr(padded(filled(pixels, encoding), extra))
    luma = 1.164 * (y - 16)
    expected = (
        luma + 2.018 * (u - 128),
        luma - 0.813 * (v - 128) - 0.391 * (u - 128),
        luma + 1.596 * (v - 128),
    )
    assert image.shape == (3, 8, 3)
    assert np.abs(image - np.array(expected)).max() < 2


def test_bgr8_is_a_view(bgr: np.ndarray) -> None:
    """The camera's usual encoding is not copied."""
    message = filled(bgr, "bgr8")
    assert np.shares_memory(to_bgr(message), np.frombuffer(message.data, np.uint8))


@pytest.mark.parametrize("codec", ["jpeg", "png"])
def test_compressed_round_trip(bgr: np.ndarray, codec: str) -> None:
    """PNG is exact, JPEG close."""
    message = FakeCompressed()
    fill_compressed(message, bgr, codec)
    image = to_bgr(message)
    assert image.shape == bgr.shape and image.flags.c_contiguous
    assert np.abs(image.astype(int) - bgr).mean() <= (0 if codec == "png" else 6)


@pytest.mark.parametrize(
    ("name", "swapped"),
    [
        ("png", False),
        ("PNG", False),
        ("jpeg", False),
        ("rgb8; png compressed bgr8", False),
        ("mono8; jpeg compressed ", False),
        ("rgb8; png compressed rgb8", True),
    ],
)
def test_compressed_format_strings(bgr: np.ndarray, name: str, swapped: bool) -> None:
    """The content decides the codec; the name decides whether it is one, and the colour order."""
    message = FakeCompressed()
    fill_compressed(message, bgr, "png")
    message.format = name
    np.testing.assert_array_equal(to_bgr(message), bgr[:, :, ::-1] if swapped else bgr)


def test_exif_orientation_is_ignored() -> None:
    """The pixels stay where the camera put them, whatever a tag says."""
    encoded = cv2.imencode(".jpg", np.zeros((4, 10, 3), np.uint8))[1].tobytes()
    tag = b"MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"
    exif = b"Exif\0\0" + tag
    segment = b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif
    rotated = encoded[:2] + segment + encoded[2:]
    if cv2.imdecode(np.frombuffer(rotated, np.uint8), cv2.IMREAD_COLOR).shape != (10, 4, 3):
        pytest.skip("this OpenCV does not read EXIF, so there is nothing to ignore")
    assert to_bgr(FakeCompressed("jpeg", array("B", rotated))).shape == (4, 10, 3)


def broken(**changes: Any) -> FakeImage:
    """Return a good 6x8 bgr8 message with some fields changed."""
    message = filled(np.zeros((6, 8, 3), np.uint8), "bgr8")
    for name, value in changes.items():
        setattr(message, name, value)
    return message


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"encoding": "bayer_rggb8"}, "'bayer_rggb8' is not supported: publish one of bgr8"),
        ({"encoding": ""}, "'' is not supported"),
        ({"height": 0}, "8x0 pixels"),
        ({"width": 0}, "0x6 pixels"),
        ({"step": 23}, "step is 23 bytes, 8 pixels of bgr8 need at least 24"),
        ({"step": 0}, "step is 0 bytes"),
        ({"data": array("B", bytes(143))}, "truncated: 143 bytes, expected 144"),
        ({"data": array("B")}, "truncated: 0 bytes"),
        ({"data": array("B", bytes(145))}, "too long: 145 bytes, expected 144"),
        ({"width": 7, "encoding": "yuv422"}, "expected an even width"),
        ({"encoding": "bgr16"}, "need at least 48"),
    ],
)
def test_broken_image(changes: dict[str, Any], reason: str) -> None:
    """What is wrong, and what was expected."""
    with pytest.raises(ImageMsgError, match=reason):
        to_bgr(broken(**changes))


@pytest.mark.parametrize("codec", ["jpeg", "png"])
@pytest.mark.parametrize("kept", [0.0, 0.1, 0.5, 0.98])
def test_truncated_compressed(codec: str, kept: float) -> None:
    """A cut file is refused, even by an OpenCV that would fill the rest with grey."""
    message = FakeCompressed()
    image = np.random.default_rng(0).integers(0, 256, (60, 80, 3), dtype=np.uint8)
    fill_compressed(message, image, codec)
    message.data = message.data[: int(kept * len(message.data))]
    with pytest.raises(ImageMsgError, match=r"truncated|empty|cannot be decoded"):
        to_bgr(message)


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (FakeCompressed("jpeg", array("B", b"no image at all")), "not a valid|cannot be decoded"),
        (FakeCompressed("h264", array("B", b"x")), "'h264' is not supported"),
        (FakeCompressed("", array("B", b"x")), "'' is not supported"),
        (FakeCompressed("16UC1; compressedDepth png", array("B", b"x")), "not supported"),
    ],
)
def test_broken_compressed(message: FakeCompressed, reason: str) -> None:
    """Unknown formats and undecodable content are told apart."""
    with pytest.raises(ImageMsgError, match=reason):
        to_bgr(message)


@pytest.mark.parametrize(
    ("pixels", "encoding"),
    [
        (np.zeros((4, 4), np.uint8), "bgr8"),
        (np.zeros((4, 4, 3), np.uint8), "mono8"),
        (np.zeros((4, 4, 3), np.float32), "bgr8"),
        (np.zeros((4, 4), np.uint8), "mono16"),
        (np.zeros(4, np.uint8), "mono8"),
        (np.zeros((4, 4, 3), np.uint8), "jpeg"),
    ],
)
def test_fill_image_refuses(pixels: np.ndarray, encoding: str) -> None:
    """Pixels that do not fit the encoding never reach a message."""
    with pytest.raises(ImageMsgError, match=r"takes|not supported"):
        fill_image(FakeImage(), pixels, encoding)


def test_fill_compressed_refuses(bgr: np.ndarray) -> None:
    """Unknown codecs and empty images are refused."""
    with pytest.raises(ImageMsgError, match="codec is 'webp'"):
        fill_compressed(FakeCompressed(), bgr, "webp")
    with pytest.raises(ImageMsgError, match="expected uint8"):
        fill_compressed(FakeCompressed(), bgr[:0])


def test_rosbags_messages(bgr: np.ndarray) -> None:
    """The dataclasses of rosbags, whose data is an ndarray, work both ways."""
    typesys = pytest.importorskip("rosbags.typesys", reason="rosbags is not installed")
    types = typesys.get_typestore(typesys.Stores.ROS2_JAZZY).types
    header = types["std_msgs/msg/Header"](types["builtin_interfaces/msg/Time"](1, 2), "camera")
    empty = np.zeros(0, np.uint8)
    image = types["sensor_msgs/msg/Image"](header, 0, 0, "", 0, 0, empty)
    fill_image(image, bgr[:, :, ::-1], "rgb8")
    assert isinstance(image.data, np.ndarray) and image.header is header
    np.testing.assert_array_equal(to_bgr(image), bgr)
    compressed = types["sensor_msgs/msg/CompressedImage"](header, "", empty)
    fill_compressed(compressed, bgr, "png")
    assert isinstance(compressed.data, np.ndarray)
    np.testing.assert_array_equal(to_bgr(compressed), bgr)


@pytest.mark.parametrize("extra", [0, 4])
@pytest.mark.parametrize("encoding", [*SIMPLE, "yuv422", "yuv422_yuy2"])
def test_equals_cv_bridge(bgr: np.ndarray, encoding: str, extra: int) -> None:
    """Where cv_bridge works, it sees the same pixels."""
    messages = pytest.importorskip("sensor_msgs.msg", reason="ROS messages are not installed")
    bridge = pytest.importorskip(
        "cv_bridge", reason="cv_bridge is not installed or broken", exc_type=ImportError
    )
    if encoding in SUBSAMPLED:
        pixels = bgr[:, :, :2]
    else:
        pixels, _ = pixels_of(bgr, encoding)
    message = messages.Image()
    fill_image(message, pixels, encoding)
    padded(message, extra)
    # Without a colour meaning, cv_bridge passes OpenCV's types through.
    target = "passthrough" if encoding.startswith("8UC") else "bgr8"
    theirs = bridge.CvBridge().imgmsg_to_cv2(message, target)
    ours = to_bgr(message)[:, :, :1] if encoding == "8UC1" else to_bgr(message)
    # It divides 16 bits by 257 and rounds, we drop the lower byte.
    tolerance = 1 if encoding.endswith("16") else 0
    assert np.abs(ours.astype(int) - theirs.reshape(ours.shape)).max() <= tolerance
