# SPDX-License-Identifier: Apache-2.0
"""Pictures with a folder of masks for each class ("one-hot planes").

images/drive/0001.jpg
road/drive/0001.png        0 or 255: where that class is
vehicle/drive/0001.png
classes.json               the table of the classes, by the names of their folders; may be missing
"""

from __future__ import annotations

import colorsys
import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np

from shared_encoder_perception.images.listing import pictures_in
from shared_encoder_perception.labels.frame import LabelledFrame
from shared_encoder_perception.labels.label_io import UnusablePictureError, image_size, or_fault
from shared_encoder_perception.labels.record_faults import IMAGES
from shared_encoder_perception.labels.said import Plane, Said
from shared_encoder_perception.structures import Size
from shared_encoder_perception.tasks.label_files import LabelError, read_plane

TABLE: Final = "classes.json"
NOT_KNOWN: Final = 255
HALF: Final = 128


def read(path: Path, classes: str = "") -> Iterator[LabelledFrame | UnusablePictureError]:
    """Read every picture of such a set.

    A pixel that no class claims, or more than one, is not labelled.

    Args:
        path: The folder.
        classes: The table that its classes are to become, or the path of a mapping.

    Yields:
        Each frame, or what is wrong with its picture.

    Raises:
        LabelError: No pictures, no folder of a class, or a table that does not fit the folders.
    """
    folder = path / IMAGES
    pictures = pictures_in(folder, below=True) if folder.is_dir() else []
    if not pictures:
        raise LabelError(path, None, f"no pictures: expected some in {folder}")
    table = _table(path)
    for picture in pictures:
        yield or_fault(_frame, path, picture, table, classes)


def _table(path: Path) -> list[dict[str, Any]]:
    """Return the table of the set: its own, or one of its folders in the order of their names."""
    folders = sorted(one.name for one in path.iterdir() if one.is_dir() and one.name != IMAGES)
    if not folders:
        raise LabelError(path, None, f"no folder of masks beside {IMAGES}: expected one per class")
    if not (path / TABLE).is_file():
        return [
            {"id": index, "name": name, "colour": _colour(index)}
            for index, name in enumerate(folders)
        ]
    try:
        table: list[dict[str, Any]] = json.loads((path / TABLE).read_text(encoding="utf-8"))
        names = {one["name"] for one in table}
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise LabelError(path / TABLE, None, f"is no table of classes: {error}") from None
    if strange := sorted(set(folders) ^ names):
        where = "folders" if strange[0] in names else TABLE
        raise LabelError(path / TABLE, None, f"the class {strange[0]!r} is missing in the {where}")
    return table


def _colour(index: int) -> list[int]:
    """Return a colour (RGB) that differs from those of its neighbours."""
    return [int(255 * value) for value in colorsys.hsv_to_rgb(index * 0.618 % 1.0, 0.7, 0.9)]


def _frame(root: Path, picture: Path, table: list[dict[str, Any]], classes: str) -> LabelledFrame:
    """Describe one picture; its masks are read on demand."""
    size = image_size(picture)
    stem = picture.relative_to(root / IMAGES).with_suffix(".png")
    masks = {one["id"]: root / one["name"] / stem for one in table}
    return Said(
        size,
        class_map=partial(read_planes, masks, size),
        class_tables=(json.dumps(table), ""),
        classes_as=classes,
    ).frame(
        name=picture.relative_to(root).as_posix(),
        image_path=picture,
        source=root.name,
        where=str(picture),
    )


def read_planes(masks: dict[int, Path], size: Size) -> Plane:
    """Join masks to ids.

    Raises:
        LabelError: No mask at all, or one that cannot be read, or is of another size.
    """
    ids, claims = np.full(size, NOT_KNOWN, np.uint8), np.zeros(size, np.uint8)
    found = {index: path for index, path in masks.items() if path.is_file()}
    if not found:
        path = next(iter(masks.values()))
        raise LabelError(path, None, "there is no mask of any class for this picture")
    for index, path in found.items():
        here = read_plane(path, size) >= HALF
        ids[here] = index
        claims += here
    ids[claims != 1] = NOT_KNOWN
    return ids
