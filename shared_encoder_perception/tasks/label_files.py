# SPDX-License-Identifier: Apache-2.0
"""Labels in files, as several rooms need it: the error of label files, and planes of one byte."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.drawing.pictures import as_png
from shared_encoder_perception.files.data_paths import (
    PathError,
    inside,
    path_fault,
    shown,
    write_new,
)
from shared_encoder_perception.images.listing import FILE_NAME as FILE_NAME
from shared_encoder_perception.images.picture_bytes import PictureError
from shared_encoder_perception.images.picture_file import read_values
from shared_encoder_perception.structures import Size


class LabelError(ValueError):
    """A label file that cannot be used; the message begins with ``file, line N:``."""

    def __init__(self, path: Path, line: int | None, reason: str) -> None:
        """``line`` counts from 1; ``None`` where the file has no lines (a picture)."""
        where = f"{path}, line {line}" if line is not None else str(path)
        super().__init__(f"{where}: {reason}")


def file_keys(room: Any) -> Sequence[str]:
    """Return the keys of a line that name files of a task's label, by the room of its labels."""
    if not getattr(room, "IN_FILES", False):
        return ()
    found: Sequence[str] = getattr(room, "FILE_KEYS", room.KEYS)
    return found


def path_faults(record: Mapping[str, Any], key: str) -> Iterator[str]:
    """Say what is wrong with a key of a line that names a file of the set."""
    value = record.get(key)
    if fault := path_fault(value):
        yield f"{key} is {shown(value)}, {fault}"


def named_file(folder: Path, value: Any, key: str, path: Path, line: int | None) -> Path:
    """Return the path of a file that a label file names; it may be missing.

    Args:
        folder: What the name is relative to, and must stay in.
        value: The name.
        key: What it is called in the label file.
        path: The label file.
        line: Its line, from 1; ``None`` where it has no lines.

    Raises:
        LabelError: No path, or one that leaves the folder, as written or by a link.
    """
    try:
        return inside(folder, value, key)
    except PathError as error:
        raise LabelError(path, line, str(error)) from None


def read_plane(path: Path, size: Size, what: str = "mask", kind: type = np.uint8) -> NDArray[Any]:
    """Read a picture of one value per pixel, as people see it.

    Args:
        path: The picture.
        size: ``(height, width)`` that it must have.
        what: What to call it in messages.
        kind: The type that its values must have: ``np.uint8`` or ``np.uint16``.

    Returns:
        (H, W) of that type.

    Raises:
        LabelError: Unreadable, of another type or size.
    """
    try:
        plane = read_values(path)
    except PictureError as error:
        raise LabelError(path, None, f"cannot read the {what}: it {error}") from None
    if plane.dtype != kind or plane.ndim != 2 or plane.shape != tuple(size):
        expected = f"{np.dtype(kind)} {tuple(size)}"
        raise LabelError(
            path, None, f"the {what} is {plane.dtype} {plane.shape}, expected {expected}"
        )
    return np.asarray(plane)


def write_plane(folder: Path, name: Path, plane: NDArray[np.uint8] | NDArray[np.uint16]) -> None:
    """Write an (H, W) uint8 or uint16 plane as PNG, and the folders above it.

    Raises:
        FileExistsError: There is another file of this name.
        PathError: The name leaves the folder.
    """
    write_new(folder, name, as_png(plane))
