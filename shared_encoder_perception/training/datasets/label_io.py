"""What several formats need: sizes without decoding, numbers with their line, polygons as masks."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from shared_encoder_perception.structures import Size
from shared_encoder_perception.training.datasets.boundaries import Boundary
from shared_encoder_perception.training.datasets.frame import LabelError, Mask
from shared_encoder_perception.training.sample import MASK_DRIVABLE, MASK_NOT_DRIVABLE

PICTURES: Final = (".jpg", ".jpeg", ".png")
CHUNK: Final = 1 << 20


def image_size(path: Path) -> Size:
    """Return ``(height, width)`` from a picture's header.

    Raises:
        LabelError: There is no such picture, or it cannot be read.
    """
    try:
        with Image.open(path) as picture:
            return picture.height, picture.width
    except OSError as error:
        reason = "there is no such picture" if isinstance(error, FileNotFoundError) else str(error)
        raise LabelError(path, None, reason) from None


def fill_polygons(polygons: Iterable[NDArray], size: Size) -> Mask:
    """Return a mask that is drivable inside of the polygons (N, 2), ``(x, y)`` pixels."""
    mask = np.full(size, MASK_NOT_DRIVABLE, np.uint8)
    # One by one: together, overlapping polygons would cancel each other.
    for polygon in polygons:
        cv2.fillPoly(mask, [np.round(polygon).astype(np.int32)], MASK_DRIVABLE)
    return mask


def boundaries_inside(boundaries: Iterable[Boundary], size: Size) -> tuple[NDArray, ...]:
    """Return the visible part of each boundary (N >= 2, 2) float32, as a native set keeps it."""
    corner = (size[1] - 1, size[0] - 1)
    cut = (
        b.points[((b.points >= 0) & (b.points <= corner)).all(axis=1)].astype(np.float32)
        for b in boundaries
    )
    return tuple(points for points in cut if len(points) >= 2)


def load_json(text: str, path: Path, line: int | None = None) -> Any:
    """Parse JSON; errors name the file and the line in it."""
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        where = error.lineno if line is None else line
        raise LabelError(path, where, f"not JSON: {error.msg}") from None


def pairs(values: Sequence[Any], path: Path, line: int) -> NDArray[np.float64]:
    """Turn ``x y x y …`` into (N, 2) numbers."""
    try:
        numbers = np.array(values, np.float64)
    except (TypeError, ValueError):
        raise LabelError(path, line, f"not all of {list(values)[:8]} … are numbers") from None
    if len(numbers) % 2 or not np.isfinite(numbers).all():
        raise LabelError(path, line, f"expected pairs of finite x y, found {len(numbers)} numbers")
    return numbers.reshape(-1, 2)


def stream_objects(path: Path, key: str) -> Iterator[tuple[int, Any]]:
    """Read the elements of a JSON file one after the other, whatever its size.

    Args:
        path: A list, an object with a list under ``key``, a single object, or one object per line.
        key: See ``path``.

    Yields:
        Line at which the element begins, from 1, and the element.
    """
    decoder, line, buffer, inside = json.JSONDecoder(), 1, "", False
    with path.open(encoding="utf-8") as file:
        while True:
            chunk = file.read(CHUNK)
            buffer += chunk
            while True:
                stripped = buffer.lstrip(" \t\r\n,")
                line += buffer[: len(buffer) - len(stripped)].count("\n")
                buffer = stripped
                if not inside:
                    opened = _opening(buffer, key)
                    if opened:
                        line += buffer[:opened].count("\n")
                        buffer, inside = buffer[opened:], True
                        continue
                if not buffer or (inside and buffer[0] == "]"):
                    break
                try:
                    element, end = decoder.raw_decode(buffer)
                except json.JSONDecodeError as error:
                    if chunk:
                        break  # it may go on in the next chunk
                    at = line + buffer[: error.pos].count("\n")
                    raise LabelError(path, at, f"not JSON: {error.msg}") from None
                yield line, element
                line += buffer[:end].count("\n")
                buffer = buffer[end:]
            if not chunk or (inside and buffer[:1] == "]"):
                return


def _opening(buffer: str, key: str) -> int:
    """Return where a list's elements begin, 0 where none begins here."""
    if buffer.startswith("["):
        return 1
    head = buffer[:CHUNK]
    at = head.find(f'"{key}"')
    if buffer.startswith("{") and at >= 0 and head[1:at].strip() == "":
        bracket = head.find("[", at)
        return bracket + 1 if bracket >= 0 else 0
    return 0
