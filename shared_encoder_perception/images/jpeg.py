# SPDX-License-Identifier: Apache-2.0
"""JPEG files: what their header says, whether they end, and whether their picture is all there.

Decoders fill what is missing with grey, and say so on stderr alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.images.exif import UPRIGHT, read_orientation
from shared_encoder_perception.images.picture_bytes import (
    Content,
    CutOffError,
    PictureError,
    check_parts,
    number,
    take,
)

START: Final = b"\xff\xd8"
END: Final = b"\xff\xd9"
COLOURS: Final = 3
"""Components of a picture that is not in inks."""
PIXELS_PER_BYTE: Final = 512
"""At most: each block of 8x8 pixels takes a bit, even where nothing is to be seen."""
WORK_MAX: Final = 1 << 30
"""Pixels times scans, at most: each scan goes through the whole picture."""
MIDDLE_GREY: Final = 128
"""What decoders fill with: zeros, in all channels."""
BLOCK: Final = 8
MORE: Final = bytes(range(1, 255)) * 4
"""Data of no meaning, see ``with_more``."""
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""Second bytes of the markers of the segment that holds the size."""
_SEQUENTIAL = (0xC0, 0xC1)
_PROGRESSIVE, _LOSSLESS = (0xC2, 0xC6, 0xCA, 0xCE), (0xC3, 0xC7, 0xCB, 0xCF)
_NO_MARKERS = (0x00, 0xFF)
_RESTARTS = range(0xD0, 0xD8)
_START, _END, _SCAN, _INTERVAL, _APP1 = 0xD8, 0xD9, 0xDA, 0xDD, 0xE1
_ALONE = frozenset((0x01, *_RESTARTS, _START))
"""Second bytes of the markers without a length, but for that of the end."""
_AFTER_SCANS = frozenset((0x01, 0xC4, 0xCC, _END, _SCAN, 0xDB, 0xDC, *range(0xDD, 0xF0), 0xFE))
"""Second bytes of the markers that may stand between the first scan and the end."""
_EXIF: Final = b"Exif\0\0"


@dataclass
class Head:
    """What a JPEG says before its first scan.

    Attributes:
        height: Rows as stored.
        width: Columns as stored.
        components: Name of a component -> its samples in a unit, ``(across, down)``.
        sampling: The most samples of any component in a unit, ``(across, down)``.
        frame: Second byte of the marker of the segment that holds the size.
        restart_interval: Units between two restart markers, 0 for none.
        orientation: As EXIF counts.
        scan_at: Where the first scan's marker stands.
    """

    height: int = 0
    width: int = 0
    components: dict[int, tuple[int, int]] = field(default_factory=dict)
    sampling: tuple[int, int] = (1, 1)
    frame: int = 0
    restart_interval: int = 0
    orientation: int = UPRIGHT
    scan_at: int = 0


@dataclass(frozen=True)
class Scans:
    """What follows the header.

    Attributes:
        end_at: Where the end mark stands.
        is_doubtful: Whether data may be missing that does not show in the last corner: it comes in
            several scans, or in more than three inks.
    """

    end_at: int
    is_doubtful: bool


def read_head(content: Content) -> Head:
    """Read the segments up to the first scan.

    Raises:
        PictureError: Cut off, or without a size.
    """
    head, at = Head(), len(START)
    for part in count():
        check_parts(part)
        at = content.find(b"\xff", at)  # what lies between segments is skipped, as decoders do
        if at < 0:
            raise CutOffError
        marker = number(content, at + 1, 1, "big")
        if marker in _NO_MARKERS:
            at += 1
        elif marker in _ALONE:
            at += 2
        elif marker == _END:
            raise PictureError("is damaged: it ends before a picture begins")
        elif marker == _SCAN:
            break
        else:
            length = _length(content, at)
            _read_segment(content, at, marker, head)
            at += 2 + length
    if not head.components:
        raise PictureError("is damaged: its header does not say how large it is")
    head.scan_at = at
    return head


def _length(content: Content, at: int) -> int:
    """Return the length of the segment whose marker is at ``at``, without that marker."""
    length = number(content, at + 2, 2, "big")
    if length < 2:
        raise PictureError("is damaged: a segment is shorter than its own length")
    return length


def _read_segment(content: Content, at: int, marker: int, head: Head) -> None:
    """Note what a segment of the header says."""
    begin, end = at + 4, at + 2 + _length(content, at)
    if marker in _FRAMES and not head.components:
        head.frame = marker
        head.height = number(content, begin + 1, 2, "big")
        head.width = number(content, begin + 3, 2, "big")
        data = take(content, begin + 6, 3 * number(content, begin + 5, 1, "big"))
        samples = [(max(both >> 4, 1), max(both & 15, 1)) for both in data[1::3]]
        head.components = dict(zip(data[::3], samples, strict=True))
        if samples:  # names may repeat, so not from the dict
            head.sampling = max(a for a, _ in samples), max(d for _, d in samples)
    elif marker == _INTERVAL:
        head.restart_interval = number(content, begin, 2, "big")
    elif marker == _APP1 and head.orientation == UPRIGHT:
        exif = content[begin:end]
        if exif.startswith(_EXIF):
            head.orientation = read_orientation(exif[len(_EXIF) :])


def is_plain(content: bytes, head: Head) -> bool:
    """Whether a file is as cameras send it: one scan of all colours, and the end mark comes last.

    Then what is missing leaves a grey corner, and only that is a reason for ``read_scans``.
    """
    names = content[head.scan_at + 4 : head.scan_at + 5]
    whole = head.frame in _SEQUENTIAL and names == bytes((len(head.components),))
    few = len(head.components) <= COLOURS and not head.restart_interval
    return whole and few and content.endswith(END)


def read_scans(content: bytes, head: Head) -> Scans:
    """Walk to the end mark; what comes behind it does not matter.

    Raises:
        PictureError: No end mark, fewer restart markers than there must be, components that never
            come, or so many scans that decoding would take minutes.
    """
    scans, names, interval = 0, b"", head.restart_interval
    missing = set(head.components)
    for part, (marker, at, restarts) in enumerate(_segments(content, head.scan_at)):
        check_parts(part)
        if names and interval:
            _check_restarts(head, names, interval, restarts)
        names = b""
        if marker == _INTERVAL:
            interval = number(content, at + 4, 2, "big")
        elif marker == _SCAN:
            scans += 1
            if scans * head.height * head.width > WORK_MAX:
                raise PictureError(f"takes {scans} scans or more: that many are not decoded")
            names = _names(content, at, head)
            missing -= set(names)
        elif marker == _END:
            if missing:
                raise CutOffError("is truncated: not all of its colours are there")
            one_by_one = scans > 1 or head.frame in _PROGRESSIVE
            return Scans(at, one_by_one or len(head.components) > COLOURS)
    raise CutOffError(f"is truncated: its {len(content)} bytes lack the end mark")


def _segments(content: bytes, start: int) -> Iterator[tuple[int, int, int]]:
    """Walk from the first scan to the end mark.

    Yields:
        Second byte of a segment's marker, where the marker stands, and how many restart markers
        came since the last segment.

    Raises:
        PictureError: What cannot stand there.
    """
    data = np.frombuffer(content, np.uint8)
    places = np.flatnonzero(data[start:-1] == 0xFF) + start
    kinds = data[places + 1]
    marks = (kinds != 0) & (kinds != 0xFF)  # a stuffed byte, or padding
    places, kinds = places[marks], kinds[marks]
    restart = (kinds & 0xF8) == _RESTARTS[0]
    passed, others = np.cumsum(restart), ~restart
    begin = before = 0
    for at, marker, now in zip(
        places[others].tolist(), kinds[others].tolist(), passed[others].tolist(), strict=True
    ):
        if at < begin:  # inside of a segment
            continue
        if marker == _START:
            raise CutOffError("is truncated: another picture begins before its end mark")
        if marker not in _AFTER_SCANS:
            raise PictureError(f"is damaged: it has ff {marker:02x} amid its picture data")
        yield marker, at, now - before
        begin, before = at + 2, now
        if marker not in _ALONE and marker != _END:
            begin += _length(content, at)


def _names(content: bytes, at: int, head: Head) -> bytes:
    """Return the names of the components that the scan at ``at`` brings."""
    names = take(content, at + 5, 2 * number(content, at + 4, 1, "big"))[::2]
    if not names or not head.components.keys() >= set(names):
        raise PictureError("is damaged: a scan brings none of the colours that its header names")
    return names


def _check_restarts(head: Head, names: bytes, interval: int, found: int) -> None:
    """Refuse a scan that lacks parts between restart markers."""
    if head.frame in _LOSSLESS:
        return
    most_across, most_down = head.sampling
    if len(names) == 1:  # then a unit is one block, and those outside of the picture are left out
        across, down = head.components[names[0]]
    else:
        across, down = 1, 1
    columns = -(-head.width * across // (BLOCK * most_across))
    units = columns * -(-head.height * down // (BLOCK * most_down))
    expected = -(-units // interval)
    if found + 1 < expected:
        raise CutOffError(f"is truncated: of the {expected} parts of a scan it has {found + 1}")


def has_grey_corner(pixels: NDArray[np.uint8]) -> bool:
    """Whether the last corner is as grey as what decoders fill in where data is missing.

    Args:
        pixels: (H, W, 3) uint8, as stored, not turned.
    """
    # Not beyond its last block, and not more than 4 pixels into it: colours blend at its rim.
    height, width = (min((size - 1) % BLOCK + 1, 4) for size in pixels.shape[:2])
    return bool((pixels[-height:, -width:] == MIDDLE_GREY).all())


def with_more(content: bytes, scans: Scans) -> bytes:
    """Return the file with data behind its last scan.

    A decoder that has the whole picture does not look at it. One that waits for more does, and its
    picture changes.
    """
    return content[: scans.end_at] + MORE + END


def ffmpeg_is_content(content: bytes) -> bool:
    """Whether FFmpeg, which is strict, finds nothing missing or wrong in a JPEG file."""
    try:
        import av  # a second here would be a second of every start
    except ImportError:
        return False
    decoder: Any = av.CodecContext.create("mjpeg", "r")
    decoder.options, decoder.thread_count = {"err_detect": "explode"}, 1
    try:
        return bool(decoder.decode(av.Packet(content)) + decoder.decode(None))
    except (av.FFmpegError, MemoryError, ValueError):
        return False
