# SPDX-License-Identifier: Apache-2.0
"""sensor_msgs Image and CompressedImage <-> arrays, by duck typing and without cv_bridge.

Serves rclpy's messages (``data`` is an ``array.array``) and those of rosbags (a numpy array) alike,
and imports neither.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.images.compressed_format import (
    FormatError,
    check_converted,
    read_format,
)
from shared_encoder_perception.images.picture_bytes import PictureError
from shared_encoder_perception.images.picture_file import decode

FOR_PEOPLE: Final = 80
"""Quality of JPEG pictures that nobody computes with."""


class ImageMsgError(ValueError):
    """An image message that cannot be used; the text says what is wrong and what was expected."""


@dataclass(frozen=True)
class _Encoding:
    """How the pixels of one encoding lie in ``data``.

    Attributes:
        channels: Values of one pixel.
        to_bgr: OpenCV colour conversion to BGR; ``None`` where the pixels are BGR already.
        bits: Bits of one value, 8 or 16.
    """

    channels: int
    to_bgr: int | None
    bits: int = 8


ENCODINGS: Final = {
    "bgr8": _Encoding(3, None),
    "rgb8": _Encoding(3, cv2.COLOR_RGB2BGR),
    "bgra8": _Encoding(4, cv2.COLOR_BGRA2BGR),
    "rgba8": _Encoding(4, cv2.COLOR_RGBA2BGR),
    "mono8": _Encoding(1, cv2.COLOR_GRAY2BGR),
    # OpenCV's names say nothing about colour: one channel is taken as grey, three as BGR.
    "8UC1": _Encoding(1, cv2.COLOR_GRAY2BGR),
    "8UC3": _Encoding(3, None),
    # Two pixels share one colour: U Y V Y, or Y U Y V. ROS renamed both; cameras send either name.
    "yuv422": _Encoding(2, cv2.COLOR_YUV2BGR_UYVY),
    "uyvy": _Encoding(2, cv2.COLOR_YUV2BGR_UYVY),
    "yuv422_yuy2": _Encoding(2, cv2.COLOR_YUV2BGR_YUY2),
    "yuyv": _Encoding(2, cv2.COLOR_YUV2BGR_YUY2),
    # The upper byte of 16-bit values is kept: the full range 0..65535 maps to 0..255.
    "mono16": _Encoding(1, cv2.COLOR_GRAY2BGR, 16),
    "bgr16": _Encoding(3, None, 16),
    "rgb16": _Encoding(3, cv2.COLOR_RGB2BGR, 16),
}
"""The encodings of ``sensor_msgs/Image`` that are understood."""

_SUBSAMPLED = ("yuv422", "uyvy", "yuv422_yuy2", "yuyv")
_EXTENSIONS = {"jpeg": ".jpg", "png": ".png"}


def to_bgr(message: Any) -> NDArray[np.uint8]:
    """Return the pixels of an Image or a CompressedImage.

    Args:
        message: A ``sensor_msgs/Image`` or ``sensor_msgs/CompressedImage`` of rclpy or rosbags.

    Returns:
        (H, W, 3) uint8 BGR, [0, 255], C-contiguous. For ``bgr8`` without row padding it is a view
        of the message's data: do not write to it.

    Raises:
        ImageMsgError: Unknown encoding, wrong sizes, truncated or undecodable data.
    """
    return _decompress(message) if hasattr(message, "format") else _image_to_bgr(message)


def fill_image(message: Any, pixels: NDArray, encoding: str) -> None:
    """Write pixels into an Image message; its header stays as it is.

    Args:
        message: A ``sensor_msgs/Image`` of rclpy or rosbags.
        pixels: (H, W) or (H, W, C) in the channel order of ``encoding``; uint8, or uint16 for the
            16-bit encodings. Colours are not converted.
        encoding: One of ``ENCODINGS``.

    Raises:
        ImageMsgError: Unknown encoding, or pixels that do not fit it.
    """
    layout = _layout(encoding)
    dtype = np.dtype(np.uint8 if layout.bits == 8 else np.uint16)
    channels = pixels.shape[2] if pixels.ndim == 3 else 1
    if pixels.ndim not in (2, 3) or channels != layout.channels or pixels.dtype != dtype:
        shape = "(H, W)" if layout.channels == 1 else f"(H, W, {layout.channels})"
        raise ImageMsgError(
            f"pixels are {pixels.dtype} of shape {pixels.shape}, "
            f"encoding {encoding!r} takes {dtype} of shape {shape}"
        )
    content = np.ascontiguousarray(pixels, dtype.newbyteorder("<"))
    height, width = pixels.shape[:2]
    message.height, message.width = int(height), int(width)
    message.encoding = encoding
    message.is_bigendian = 0
    message.step = int(width * channels * dtype.itemsize)
    message.data = _pack(message.data, content)


def fill_compressed(
    message: Any, bgr: NDArray[np.uint8], codec: str = "jpeg", quality: int = 95
) -> None:
    """Encode an image into a CompressedImage message; its header stays as it is.

    Args:
        message: A ``sensor_msgs/CompressedImage`` of rclpy or rosbags.
        bgr: (H, W, 3) uint8 BGR.
        codec: ``"jpeg"`` or ``"png"``.
        quality: Of a JPEG, 0 to 100.

    Raises:
        ImageMsgError: Unknown codec, or an image that it cannot encode.
    """
    if codec not in _EXTENSIONS:
        raise ImageMsgError(f"codec is {codec!r}, expected one of {sorted(_EXTENSIONS)}")
    if bgr.dtype != np.uint8 or bgr.ndim != 3 or bgr.shape[2] != 3 or not bgr.size:
        raise ImageMsgError(
            f"image is {bgr.dtype} of shape {bgr.shape}, expected uint8 (H, W, 3) BGR"
        )
    options = (cv2.IMWRITE_JPEG_QUALITY, quality) if codec == "jpeg" else ()
    encoded, content = cv2.imencode(_EXTENSIONS[codec], bgr, options)
    if not encoded:
        raise ImageMsgError(f"OpenCV cannot encode an image of shape {bgr.shape} as {codec}")
    message.format = f"bgr8; {codec} compressed bgr8"
    message.data = _pack(message.data, content)


def _layout(encoding: str) -> _Encoding:
    """Look an encoding up."""
    if encoding not in ENCODINGS:
        raise ImageMsgError(
            f"image encoding {encoding!r} is not supported: publish one of {', '.join(ENCODINGS)}"
        )
    return ENCODINGS[encoding]


def _image_to_bgr(message: Any) -> NDArray[np.uint8]:
    """Convert a ``sensor_msgs/Image``."""
    layout = _layout(message.encoding)
    pixels = _view(message, layout)
    if layout.bits == 16:
        # Taking the upper byte instead of shifting the value works in either byte order.
        pixels = pixels[..., 0 if message.is_bigendian else 1]
    if layout.to_bgr is None:
        return np.ascontiguousarray(pixels)
    converted = cv2.cvtColor(np.ascontiguousarray(pixels), layout.to_bgr)
    return converted.astype(np.uint8, copy=False)


def _view(message: Any, layout: _Encoding) -> NDArray[np.uint8]:
    """View the data of an Image as (H, W, channels), or (H, W, channels, 2) bytes of 16 bits."""
    height, width, step = int(message.height), int(message.width), int(message.step)
    if height == 0 or width == 0:
        raise ImageMsgError(f"image is {width}x{height} pixels, expected at least 1x1")
    if message.encoding in _SUBSAMPLED and width % 2:
        raise ImageMsgError(
            f"image is {width} pixels wide, {message.encoding} shares colours between two: "
            "expected an even width"
        )
    item = layout.bits // 8
    row_bytes = width * layout.channels * item
    if step < row_bytes:
        raise ImageMsgError(
            f"image step is {step} bytes, {width} pixels of {message.encoding} need at least "
            f"{row_bytes}"
        )
    size = len(message.data)
    if size != step * height:
        state = "truncated" if size < step * height else "too long"
        raise ImageMsgError(
            f"image data is {state}: {size} bytes, expected {step * height} "
            f"(step {step} x height {height})"
        )
    rows = np.frombuffer(message.data, np.uint8).reshape(height, step)[:, :row_bytes]
    shape = (height, width, layout.channels)
    return rows.reshape(shape if item == 1 else (*shape, item))


def _decompress(message: Any) -> NDArray[np.uint8]:
    """Decode a ``sensor_msgs/CompressedImage``: as the camera stored it.

    An EXIF tag must not turn the image under the lanes.
    """
    content = bytes(message.data)
    try:
        form = read_format(message.format)
        if not content:
            reason = "is empty: expected a JPEG or PNG file"
            raise ImageMsgError(f"compressed image ({form.name}) {reason}")
        bgr = np.asarray(decode(content, stored=True), np.uint8)
        check_converted(form, bgr[:, :, 1])
    except FormatError as error:
        raise ImageMsgError(str(error)) from None
    except PictureError as error:
        raise ImageMsgError(f"compressed image ({form.name}) {error}") from None
    if form.swapped:
        bgr = np.asarray(cv2.cvtColor(bgr, cv2.COLOR_RGB2BGR), np.uint8)
    return bgr


def _pack(current: Any, content: NDArray) -> Any:
    """Return ``content`` as bytes in the type that the message's data field has now.

    ``array.array`` is the fast way into an rclpy message: assigning an ndarray takes 2000 times
    longer, because every byte passes through Python.
    """
    if isinstance(current, np.ndarray):
        return np.frombuffer(content.tobytes(), np.uint8)
    packed = array("B")
    packed.frombytes(content.data.cast("B"))
    return packed
