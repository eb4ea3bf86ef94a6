# SPDX-License-Identifier: Apache-2.0
"""CULane: beside each picture a ``.lines.txt``, one boundary per line as ``x y x y …``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from shared_encoder_perception.images.listing import beside, files_matching, has_image_suffix
from shared_encoder_perception.images.preprocess import Crop
from shared_encoder_perception.labels.frame import LabelledFrame
from shared_encoder_perception.labels.label_io import (
    UnusablePictureError,
    image_size,
    or_fault,
    pairs,
    read_label,
    text_lines,
)
from shared_encoder_perception.labels.said import Line, Said
from shared_encoder_perception.structures import Size
from shared_encoder_perception.tasks.label_files import LabelError, named_file

NOMINAL_SIZE: Final[Size] = (590, 1640)
CROP: Final = Crop(0, 270, 1640, 320)
LISTS: Final = ("list/train_gt.txt", "list/train.txt")


def read(
    path: Path, *, lane_changes: bool = False
) -> Iterator[LabelledFrame | UnusablePictureError]:
    """Read the pictures of a list, or of a folder.

    Args:
        path: The data set's folder (its ``list/train_gt.txt`` or ``list/train.txt``, or else every
            picture with lines in it), or a list file; what stands in a list's line behind the
            picture's path is not needed.
        lane_changes: Keep the lanes of pictures in which a boundary runs under the vehicle.

    Yields:
        Each frame, or what is wrong with its picture.

    Raises:
        LabelError: A faulty line of a list or of a ``.lines.txt``.
    """
    if path.is_dir():
        lists = [path / name for name in LISTS if (path / name).exists()]
        if not lists:
            found = files_matching(path, "**/*.lines.txt")
            if not found:
                raise LabelError(path, None, f"there is none of {', '.join(LISTS)}, *.lines.txt")
            for lines in found:
                yield or_fault(_frame, path, _picture_of(lines), str(lines), lane_changes)
            return
        path = lists[0]
    root = path.parent.parent if path.parent.name == "list" else path.parent
    for number, entry in text_lines(path):
        if not entry.strip():
            continue
        picture = named_file(root, entry.split()[0].lstrip("/"), "the picture", path, number)
        if not has_image_suffix(picture):
            raise LabelError(path, number, f"{entry.split()[0]!r} is no path of a picture")
        yield or_fault(_frame, root, picture, f"{path}, line {number}", lane_changes)


def _picture_of(lines: Path) -> Path:
    """The picture beside a ``.lines.txt``."""
    stem = lines.name.removesuffix(".lines.txt")
    return next(beside(lines.with_name(stem)), lines.with_name(f"{stem}.jpg"))


def _frame(root: Path, picture: Path, where: str, lane_changes: bool) -> LabelledFrame:
    """Read one picture's lines."""
    size = image_size(picture) if picture.exists() else NOMINAL_SIZE
    lines = picture.with_name(picture.stem + ".lines.txt")
    if not lines.exists():
        raise LabelError(lines, None, f"the lines of {picture.name} are missing ({where})")
    found = []
    for number, text in enumerate(read_label(lines).splitlines(), start=1):
        points = pairs(text.split(), lines, number)
        found.append(Line(points[points[:, 1] < size[0]]))
    return Said(size, tuple(found), lane_changes=lane_changes).frame(
        name=picture.relative_to(root).as_posix(),
        image_path=picture,
        crop=CROP if size == NOMINAL_SIZE else None,
        source="culane",
        licence="non-commercial research",
        where=where,
    )
