# SPDX-License-Identifier: Apache-2.0
"""Picture files to arrays, the same for every command: as people see them.

EXIF data turn pictures and masks, a palette is looked up, what is transparent loses its alpha, and
where colours are asked for, 16 bits become 8. A camera's message is decoded here, too, but as it is
stored.
"""

from __future__ import annotations

import mmap
import os
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.images import jpeg
from shared_encoder_perception.images.exif import UPRIGHT, upright
from shared_encoder_perception.images.picture_bytes import CutOffError, PictureError
from shared_encoder_perception.images.picture_header import Header, read_header
from shared_encoder_perception.structures import Size

COLOUR: Final = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
UNCHANGED: Final = cv2.IMREAD_UNCHANGED

if "OPENCV_LOG_LEVEL" not in os.environ:  # decoders' own complaints would bury our one line
    _logging = getattr(cv2.utils, "logging", cv2)  # where it is since OpenCV 4.8
    getattr(_logging, "setLogLevel", int)(0)


def read_picture(path: Path) -> NDArray[np.uint8]:
    """Read a picture file as people see it.

    Returns:
        (H, W, 3) uint8 BGR.

    Raises:
        PictureError: Missing, of no known kind, too large, damaged, or cut off.
    """
    return np.asarray(decode(_read(path)), np.uint8)


def read_values(path: Path) -> NDArray:
    """Read a picture whose values mean something: a mask, a map of classes.

    Returns:
        (H, W) or (H, W, C) as people see it, in the type that the file has; a palette looked up.

    Raises:
        PictureError: See ``read_picture``.
    """
    return decode(_read(path), UNCHANGED)


def picture_header(path: Path) -> Header:
    """Read the header of a picture file, and check its size.

    Raises:
        PictureError: Missing, of no known kind, too large, or damaged.
    """
    _must_be_file(path)
    try:
        with path.open("rb") as file:
            count = os.fstat(file.fileno()).st_size
            if not count:  # which cannot be mapped
                return read_header(b"")
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
                header = read_header(content)
    except OSError as error:
        raise PictureError(f"cannot be read: {error.strerror}") from None
    header.check(count)
    return header


def picture_size(path: Path) -> Size:
    """Return ``(height, width)`` of a picture file as people see it, without decoding it.

    Raises:
        PictureError: See ``picture_header``.
    """
    return picture_header(path).size


def decode(content: bytes, flags: int = COLOUR, *, stored: bool = False) -> NDArray:
    """Decode a picture file.

    Args:
        content: All of it; what comes behind its end does not matter.
        flags: ``COLOUR`` or ``UNCHANGED``.
        stored: Whether to leave it as it is stored instead of turning it as it asks for.

    Returns:
        (H, W, 3) uint8 BGR for ``COLOUR``; (H, W) or (H, W, C) of the file's own type for
        ``UNCHANGED``. C-contiguous.

    Raises:
        PictureError: Of no known kind, too large, damaged, or cut off.
    """
    header = read_header(content)
    header.check(len(content))
    if header.is_cut:
        raise CutOffError(f"is truncated: its {len(content)} bytes lack the end mark")
    head, scans = header.jpeg, None
    if head is not None and not jpeg.is_plain(content, head):
        scans = jpeg.read_scans(content, head)
    for field, value in header.changes:
        said = value.to_bytes(field.count, field.order)
        content = content[: field.at] + said + content[field.at + field.count :]
    pixels = _decode(content, flags)
    if pixels is None:
        if head is not None:
            jpeg.read_scans(content, head)  # may say it better
        raise PictureError(
            f"cannot be decoded: its {len(content)} bytes are not a valid {header.kind} file that "
            "OpenCV can read; is it damaged or cut off?"
        )
    if head is not None and ((scans and scans.is_doubtful) or jpeg.has_grey_corner(pixels)):
        _check_whole(content, scans or jpeg.read_scans(content, head), pixels, flags)
    if stored or header.orientation == UPRIGHT:
        return np.ascontiguousarray(pixels)
    return upright(pixels, header.orientation)


def _check_whole(content: bytes, scans: jpeg.Scans, pixels: NDArray, flags: int) -> None:
    """Refuse a JPEG whose picture data ends before its picture does.

    FFmpeg says so without a word on stderr, but may refuse what is merely rare: where it is not
    content, OpenCV shows whether it waits for more.
    """
    if jpeg.ffmpeg_is_content(content[: scans.end_at + 2]):
        return
    more = _decode(jpeg.with_more(content, scans), flags)
    if more is None or not np.array_equal(pixels, more):
        raise CutOffError("is truncated: its picture data ends before the picture does")


def _decode(content: bytes, flags: int) -> NDArray | None:
    """Let OpenCV decode; ``None`` where it cannot."""
    try:
        return cv2.imdecode(np.frombuffer(content, np.uint8), flags)
    except cv2.error:
        return None


def _read(path: Path) -> bytes:
    """Read a whole file."""
    _must_be_file(path)
    try:
        return path.read_bytes()
    except OSError as error:
        raise PictureError(f"cannot be read: {error.strerror}") from None


def _must_be_file(path: Path) -> None:
    """Refuse what cannot be read, or would be waited for."""
    if not path.is_file():
        what = "no file" if path.exists() else "missing: there is no such picture"
        raise PictureError(f"is {what}")
