# SPDX-License-Identifier: Apache-2.0
"""What several formats need: sizes without decoding, numbers with their line, filled polygons."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.files.plain_file import plain
from shared_encoder_perception.images.picture_bytes import PictureError
from shared_encoder_perception.images.picture_file import picture_size
from shared_encoder_perception.labels.frame import LabelledFrame
from shared_encoder_perception.labels.said import Plane
from shared_encoder_perception.structures import Size
from shared_encoder_perception.tasks.label_files import LabelError
from shared_encoder_perception.tasks.masks.values import NO, NOT_KNOWN, YES

CHUNK: Final = 1 << 20
LOOK_AHEAD: Final = 64
"""Longer than any JSON token but strings."""
DECODER: Final = json.JSONDecoder()
MOST_PX: Final = 1e5
"""Coordinates beyond are of no picture; sums and squares of those below are exact enough."""


class UnusablePictureError(LabelError):
    """A picture that cannot be used: its frame is left out, the others go on."""


def or_fault(
    make: Callable[..., LabelledFrame], *args: Any
) -> LabelledFrame | UnusablePictureError:
    """Return what ``make`` makes of some arguments, or what is wrong with the picture."""
    try:
        return make(*args)
    except UnusablePictureError as error:
        return error


def image_size(path: Path) -> Size:
    """Return ``(height, width)`` of a picture as people see it, from its header.

    Raises:
        UnusablePictureError: There is no such picture, or it cannot be read.
    """
    try:
        return picture_size(path)
    except PictureError as error:
        reason = f"the picture {error}" if path.exists() else "there is no such picture"
        raise UnusablePictureError(path, None, reason) from None


def fill_polygons(
    polygons: Iterable[NDArray], size: Size, doubtful: Iterable[NDArray] = ()
) -> Plane:
    """Return a plane that is ``YES`` inside of the polygons (N, 2), ``(x, y)`` pixels.

    Inside of the ``doubtful`` ones it is ``NOT_KNOWN``, unless another one says ``YES``.
    """
    plane = np.full(size, NO, np.uint8)
    # One by one: together, overlapping polygons would cancel each other.
    for value, those in ((NOT_KNOWN, doubtful), (YES, polygons)):
        for polygon in those:
            cv2.fillPoly(plane, [np.round(polygon).astype(np.int32)], value)
    return plane


def read_label(path: Path) -> str:
    """Return the text of a small label file."""
    data = plain(path).read_bytes()
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise LabelError(path, line, "the text is not UTF-8") from None


def text_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Read a text file line by line: number, from 1, and text without the line's end."""
    with plain(path).open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            try:
                yield number, line.decode("utf-8-sig").rstrip("\r\n")
            except UnicodeDecodeError:
                raise LabelError(path, number, "the text is not UTF-8") from None


def load_json(text: str | bytes, path: Path, line: int | None = None) -> Any:
    """Parse JSON; errors name the file and the line in it."""
    try:
        return json.loads(text)
    except UnicodeDecodeError:
        raise LabelError(path, line or 1, "the text is not UTF-8") from None
    except json.JSONDecodeError as error:
        where = error.lineno if line is None else line
        raise LabelError(path, where, f"not JSON: {error.msg}") from None
    except (ValueError, RecursionError) as error:
        raise LabelError(path, line or 1, f"not JSON: {too_much(error)}") from None


def too_much(error: ValueError | RecursionError) -> str:
    """Say what Python's parser of JSON does not take, though it may be JSON."""
    if isinstance(error, RecursionError):
        return "lists or objects nested too deep"
    return str(error)  # a number of thousands of digits


def pairs(values: Sequence[Any], path: Path, line: int) -> NDArray[np.float64]:
    """Turn ``x y x y …`` into (N, 2) numbers."""
    try:
        numbers = np.array(values, np.float64)
    except (TypeError, ValueError, OverflowError):
        raise LabelError(path, line, f"not all of {list(values)[:8]} … are numbers") from None
    if len(numbers) % 2 or not np.isfinite(numbers).all():
        raise LabelError(path, line, f"expected pairs of finite x y, found {len(numbers)} numbers")
    return in_reach(numbers.reshape(-1, 2), path, line)


def in_reach(points: NDArray[np.float64], path: Path, line: int) -> NDArray[np.float64]:
    """Return points (N, 2), ``(x, y)`` pixels, that may lie outside of a picture, but not far.

    Raises:
        LabelError: Not finite, or beyond ``MOST_PX``.
    """
    if not (np.abs(points) <= MOST_PX).all():
        reason = f"coordinates that are not finite, or beyond {MOST_PX:g} pixels, are of no picture"
        raise LabelError(path, line, reason)
    return points


class _Window:
    """A JSON file of which only the part being parsed is in memory."""

    def __init__(self, file: IO[str], path: Path) -> None:
        self._file, self._path = file, path
        self._text, self._at, self.line = "", 0, 1

    def fault(self, reason: str, line: int | None = None) -> LabelError:
        """Return an error that names the file and the current line."""
        return LabelError(self._path, self.line if line is None else line, f"not JSON: {reason}")

    def _more(self) -> bool:
        """Read a chunk and forget what is parsed."""
        try:
            chunk = self._file.read(CHUNK)
        except UnicodeDecodeError:
            raise self.fault("the text is not UTF-8") from None
        self._text, self._at = self._text[self._at :] + chunk, 0
        return bool(chunk)

    def _advance(self, end: int) -> None:
        """Go on to ``end``, counting lines."""
        self.line += self._text.count("\n", self._at, end)
        self._at = end

    def peek(self) -> str:
        """Return the next character that is not white space, empty at the end of the file."""
        while True:
            rest = re.compile(r"[ \t\r\n]*").match(self._text, self._at)
            self._advance(rest.end() if rest else self._at)
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._more():
                return ""

    def expect(self, *allowed: str) -> str:
        """Take one of these characters."""
        found = self.peek()
        if found not in allowed:
            raise self.fault(f"expected {' or '.join(allowed)}, found {found or 'the end'}")
        self._advance(self._at + 1)
        return found

    def opens(self, key: str) -> bool:
        """Take the beginning of an object whose first key is ``key`` with a list, if it is here."""
        self.peek()
        while len(self._text) - self._at < LOOK_AHEAD and self._more():
            pass
        head = re.compile(rf'\{{\s*"{re.escape(key)}"\s*:\s*\[').match(self._text, self._at)
        if head:
            self._advance(head.end())
        return head is not None

    def take(self) -> Any:
        """Take one value."""
        self.peek()
        while True:
            try:
                value, end = DECODER.raw_decode(self._text, self._at)
            except json.JSONDecodeError as error:
                line = self.line + self._text.count("\n", self._at, error.pos)
                # Only a fault at the end of the window may be due to what is not read yet.
                cut = error.pos > len(self._text) - LOOK_AHEAD or "Unterminated" in error.msg
                if not (cut and self._more()):
                    raise self.fault(error.msg, line) from None
                continue
            except (ValueError, RecursionError) as error:
                raise self.fault(too_much(error)) from None
            self._advance(end)
            return value


def stream_objects(path: Path, key: str) -> Iterator[tuple[int, Any]]:
    """Read the elements of a JSON file one after the other, whatever its size.

    Args:
        path: A list, an object with a list under ``key``, a single object, or one object per line.
        key: See ``path``; it must be the first one of the object.

    Yields:
        Line at which the element begins, from 1, and the element.

    Raises:
        LabelError: Not JSON, cut off, or empty.
    """
    with plain(path).open(encoding="utf-8-sig") as file:
        window = _Window(file, path)
        if not window.peek():
            raise window.fault("the file is empty")
        in_object = window.opens(key)
        if not in_object and window.peek() != "[":
            while window.peek():
                yield window.line, window.take()
            return
        if not in_object:
            window.expect("[")
        yield from _elements(window)
        if in_object:  # its other keys are not needed, but say whether the file is whole
            while window.expect(",", "}") == ",":
                window.take()
                window.expect(":")
                window.take()
        if window.peek():
            raise window.fault(f"{window.peek()!r} behind the end of the list")


def _elements(window: _Window) -> Iterator[tuple[int, Any]]:
    """Read a list from behind its opening bracket to behind its closing one."""
    if window.peek() == "]":
        window.expect("]")
        return
    while True:
        window.peek()
        yield window.line, window.take()
        if window.expect(",", "]") == "]":
            return
