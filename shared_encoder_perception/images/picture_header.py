# SPDX-License-Identifier: Apache-2.0
"""What a picture file says of itself in its header: kind, size, and how it wants to be turned.

Read before anything is decoded: a file of kilobytes may claim gigabytes of pixels.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from typing import Final

from shared_encoder_perception.images import exif, jpeg
from shared_encoder_perception.images.picture_bytes import (
    Content,
    PictureError,
    check_parts,
    number,
    take,
)
from shared_encoder_perception.structures import Size

PIXELS_MAX: Final = 1 << 26
"""At most, in pictures and masks of every format: no camera in a vehicle has more, and a decoder
takes a second and half a gigabyte for so many."""
KINDS: Final = "JPEG, PNG, BMP, PNM, TIFF, WebP, JPEG 2000, AVIF, Sun raster or GIF"
NO_SIZE: Final = "is damaged: its header does not say how large it is"
_PNM_HEAD: Final = 4096
"""Bytes in which the head of a PNM file ends."""


@dataclass(frozen=True)
class Header:
    """What a file says of its picture.

    Attributes:
        kind: One of ``KINDS``.
        height: Rows as stored.
        width: Columns as stored.
        orientation: How it wants to be turned, 1 to 8 as EXIF counts; 1 is not at all.
        tile: Pixels of one tile of a TIFF, which may be larger than its picture.
        changes: In a TIFF, fields and what they have to say for its decoder, which differs with the
            version in how it turns, and multiplies colours by their alpha.
        is_cut: Whether a PNG lacks its end. Those of other kinds are left to ``jpeg`` and decoders.
        jpeg: What else a JPEG says.
    """

    kind: str
    height: int
    width: int
    orientation: int = exif.UPRIGHT
    tile: int = 0
    changes: tuple[tuple[exif.Field, int], ...] = ()
    is_cut: bool = False
    jpeg: jpeg.Head | None = None

    @property
    def size(self) -> Size:
        """``(height, width)`` as people see it."""
        turned = self.orientation in exif.SIDEWAYS
        return (self.width, self.height) if turned else (self.height, self.width)

    def check(self, length: int) -> None:
        """Refuse what has no pixels, too many, or more than the file can hold.

        Args:
            length: Bytes of the file.

        Raises:
            PictureError: As said.
        """
        name, pixels = f"{self.width}x{self.height} pixels", self.width * self.height
        if self.height < 1 or self.width < 1:
            raise PictureError(f"is damaged: it claims to be {name}")
        # Decoders would believe it, and fill gigabytes with grey.
        hollow = self.jpeg is not None and pixels > jpeg.PIXELS_PER_BYTE * length
        name = f"its {length} bytes claim to be {name}" if hollow else name
        if max(pixels, self.tile) > PIXELS_MAX:
            tile = f" in tiles of {self.tile / 1e6:.0f} million" if self.tile > pixels else ""
            raise PictureError(
                f"is too large: {name}{tile}, expected at most {PIXELS_MAX / 1e6:.0f} million"
            )
        if hollow:
            raise PictureError(f"is damaged: {name}")


def read_header(content: Content) -> Header:
    """Read the header of a picture file; its name does not matter.

    Raises:
        PictureError: Of no known kind, or the header is cut off or makes no sense.
    """
    start = content[:12]
    for magic, read in _READERS:
        if magic.match(start):
            return read(content)
    what = "it is" if start else "it is empty and"
    raise PictureError(
        f"cannot be decoded: {what} not an image that OpenCV can read, expected one of {KINDS}"
    )


def _jpeg(content: Content) -> Header:
    """Read segments up to the first scan."""
    head = jpeg.read_head(content)
    return Header("JPEG", head.height, head.width, head.orientation, jpeg=head)


def _png(content: Content) -> Header:
    """Read chunks up to the end: EXIF data may stand anywhere."""
    width, height = (number(content, at, 4, "big") for at in (16, 20))
    at, orientation = 8, exif.UPRIGHT
    for part in count():
        check_parts(part)
        chunk = content[at : at + 8]
        end = at + 12 + int.from_bytes(chunk[:4], "big")
        if chunk[4:] == b"IEND":
            break
        if len(chunk) < 8 or end > len(content):
            return Header("PNG", height, width, orientation, is_cut=True)
        if chunk[4:] == b"eXIf":
            orientation = exif.read_orientation(content[at + 8 : end - 4])
        at = end
    return Header("PNG", height, width, orientation)


def _bmp(content: Content) -> Header:
    """Read the header behind that of the file."""
    if number(content, 14, 4, "little") == 12:  # as OS/2 wrote them
        width, height = (number(content, at, 2, "little") for at in (18, 20))
    else:
        width, height = (number(content, at, 4, "little", signed=True) for at in (18, 22))
    return Header("BMP", abs(height), width)  # a negative height: its first row is the top one


def _pnm(content: Content) -> Header:
    """Read words, with comments between them."""
    head = re.sub(rb"#[^\r\n]*", b" ", content[:_PNM_HEAD])
    if head.startswith(b"P7"):
        head = head.partition(b"ENDHDR")[0]
        found = [re.search(rb"\b%s\s+(\d{1,18})\b" % key, head) for key in (b"WIDTH", b"HEIGHT")]
        sizes = [int(number[1]) for number in found if number]
    else:
        words = re.match(rb"P\d\s+(\d{1,18})\s+(\d{1,18})\s", head)
        sizes = [int(word) for word in words.groups()] if words else []
    if len(sizes) != 2:
        raise PictureError(NO_SIZE)
    return Header("PNM", sizes[1], sizes[0])


def _tiff(content: Content) -> Header:
    """Read the first table of fields."""
    fields = exif.read_fields(content)
    values = {tag: found.value for tag, found in fields.items()}
    width, height = (values.get(tag) for tag in (exif.WIDTH, exif.HEIGHT))
    if width is None or height is None:
        raise PictureError(NO_SIZE)
    tile = values.get(exif.TILE_WIDTH, 0) * values.get(exif.TILE_HEIGHT, 0)
    said = ((exif.ORIENTATION, exif.UPRIGHT), (exif.EXTRA_SAMPLES, exif.MULTIPLIED))
    changes = tuple((fields[tag], value) for tag, value in said if tag in fields)
    return Header("TIFF", height, width, exif.orientation_of(fields), tile, changes)


def _webp(content: Content) -> Header:
    """Read the first chunk, and EXIF data where there are some."""
    kind, orientation = take(content, 12, 4), exif.UPRIGHT
    if kind == b"VP8X":
        width, height = (number(content, at, 3, "little") + 1 for at in (24, 27))
        at = 30
        while len(chunk := content[at : at + 8]) == 8:
            length = int.from_bytes(chunk[4:], "little")
            if chunk[:4] == b"EXIF":
                data = content[at + 8 : at + 8 + length].removeprefix(b"Exif\0\0")
                orientation = exif.read_orientation(data)
            at += 8 + length + length % 2
    elif kind == b"VP8L":
        both = number(content, 21, 4, "little")
        width, height = (both & 0x3FFF) + 1, (both >> 14 & 0x3FFF) + 1
    elif kind == b"VP8 ":
        width, height = (number(content, at, 2, "little") & 0x3FFF for at in (26, 28))
    else:
        raise PictureError("is damaged: its first part is none of a WebP file")
    return Header("WebP", height, width, orientation)


def _boxes(content: Content) -> Iterator[tuple[bytes, int, int]]:
    """Yield name, begin and end of the outermost boxes of a file that consists of such."""
    at = 0
    while len(head := content[at : at + 16]) >= 8:
        length, begin = int.from_bytes(head[:4], "big"), at + 8
        if length == 1:
            length, begin = int.from_bytes(head[8:], "big"), at + 16
        end = at + length if length else len(content)
        if end < begin:
            raise PictureError("is damaged: a part of it is shorter than its own length")
        yield head[4:8], begin, end
        at = end


def _jpeg_2000(content: Content) -> Header:
    """Read the first segment of the coded picture."""
    boxed = content[4:8] == b"jP  "
    begins = (
        (begin for name, begin, _ in _boxes(content) if name == b"jp2c") if boxed else iter((0,))
    )
    begin = next(begins, len(content))
    x, y, left, top, tile_x, tile_y = (
        number(content, begin + at, 4, "big") for at in range(8, 32, 4)
    )
    tile = min(tile_x, x) * min(tile_y, y)
    return Header("JPEG 2000", y - top, x - left, tile=tile)


def _avif(content: Content) -> Header:
    """Read all sizes in the description; of a picture made of tiles, the largest is its own."""
    sizes = []
    for name, begin, end in _boxes(content):
        if name == b"meta":
            for found in re.finditer(b"ispe....(.{8})", content[begin:end], re.DOTALL):
                sizes.append((found[1][4:], found[1][:4]))
    if not sizes:
        raise PictureError(NO_SIZE)
    height, width = (
        max(int.from_bytes(of, "big") for of in side) for side in zip(*sizes, strict=True)
    )
    return Header("AVIF", height, width)


def _sun(content: Content) -> Header:
    """Read the two numbers."""
    width, height = (number(content, at, 4, "big") for at in (4, 8))
    return Header("Sun raster", height, width)


def _gif(content: Content) -> Header:
    """Read the size of the screen."""
    width, height = (number(content, at, 2, "little") for at in (6, 8))
    return Header("GIF", height, width)


_READERS: Final[tuple[tuple[re.Pattern[bytes], Callable[[Content], Header]], ...]] = tuple(
    (re.compile(magic, re.DOTALL), read)
    for magic, read in (
        (rb"\xff\xd8", _jpeg),
        (rb"\x89PNG", _png),
        (rb"BM", _bmp),
        (rb"P[1-7]\s", _pnm),
        (rb"II[*+]\0|MM\0[*+]", _tiff),
        (rb"RIFF....WEBP", _webp),
        (rb"\0\0\0\x0cjP  |\xff\x4f\xff\x51", _jpeg_2000),
        (rb"....ftypavi[fs]|....ftypmi[fa][1f]", _avif),
        (rb"\x59\xa6\x6a\x95", _sun),
        (rb"GIF8[79]a", _gif),
    )
)
"""First bytes -> how the header goes on."""
