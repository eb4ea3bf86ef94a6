# SPDX-License-Identifier: Apache-2.0
"""Bytes of picture files: how their headers are read, and the error of those that make no sense."""

from __future__ import annotations

from mmap import mmap
from typing import Final, Literal, TypeAlias

Content: TypeAlias = bytes | mmap
"""A whole picture file, in memory or mapped."""
Order = Literal["little", "big"]
PARTS_MAX: Final = 1 << 16
"""At most, of segments or chunks that are looked at: a file of nothing else would take seconds."""


class PictureError(ValueError):
    """A picture that cannot be read; the text is one line that goes on behind the picture's name.

    ``"is truncated: ..."``, for example.
    """


class CutOffError(PictureError):
    """A file that ends before its picture does."""

    def __init__(self, text: str = "is truncated: its header is cut off") -> None:
        """Say so."""
        super().__init__(text)


def check_parts(count: int) -> None:
    """Refuse a file of too many parts.

    Raises:
        PictureError: There are more than any picture has.
    """
    if count > PARTS_MAX:
        raise PictureError(f"is damaged: it consists of more than {PARTS_MAX} parts")


def take(content: Content, at: int, count: int) -> bytes:
    """Return exactly so many bytes.

    Raises:
        CutOffError: There are fewer.
    """
    data = content[at : at + count] if at >= 0 else b""
    if len(data) < count:
        raise CutOffError
    return data


def number(content: Content, at: int, count: int, order: Order, *, signed: bool = False) -> int:
    """Return the whole number in so many bytes.

    Raises:
        CutOffError: There are fewer.
    """
    return int.from_bytes(take(content, at, count), order, signed=signed)
