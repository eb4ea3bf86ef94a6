# SPDX-License-Identifier: Apache-2.0
"""CurveLanes: ``<name>.lines.json`` with boundaries as lists of ``{"x": "1.5", "y": "2"}``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from shared_encoder_perception.images.listing import beside, files_matching
from shared_encoder_perception.labels.frame import LabelledFrame
from shared_encoder_perception.labels.label_io import (
    UnusablePictureError,
    image_size,
    in_reach,
    load_json,
    or_fault,
    read_label,
    text_lines,
)
from shared_encoder_perception.labels.said import Line, Said
from shared_encoder_perception.tasks.label_files import LabelError, named_file


def read(
    path: Path, *, lane_changes: bool = False
) -> Iterator[LabelledFrame | UnusablePictureError]:
    """Read a split.

    Args:
        path: Folder with ``images/`` and ``labels/``, or a list file (``train.txt``) in it with
            lines ``images/x.jpg``.
        lane_changes: Keep the lanes of pictures in which a boundary runs under the vehicle.

    Yields:
        Each frame, or why the size of its picture cannot be read.

    Raises:
        LabelError: A faulty label file, or one that is missing.
    """
    if path.is_dir():
        labels = files_matching(path / "labels", "*.lines.json")
        if not labels:
            raise LabelError(path, None, "there is no labels/*.lines.json")
        for label in labels:
            stem = label.name.removesuffix(".lines.json")
            name = path / "images" / stem
            picture = next(beside(name), name.with_name(f"{stem}.jpg"))
            yield or_fault(_frame, path, picture, label, lane_changes)
        return
    for number, line in text_lines(path):
        if entry := line.strip():
            picture = named_file(path.parent, entry.lstrip("/"), "the picture", path, number)
            label = path.parent / "labels" / f"{picture.stem}.lines.json"
            yield or_fault(_frame, path.parent, picture, label, lane_changes)


def _frame(root: Path, picture: Path, label: Path, lane_changes: bool) -> LabelledFrame:
    """Read one picture's label."""
    size = image_size(picture)
    if not label.exists():
        raise LabelError(label, None, f"the label of {picture.name} is missing")
    record = load_json(read_label(label), label)
    lines = record.get("Lines") if isinstance(record, dict) else None
    if not isinstance(lines, list):
        raise LabelError(label, 1, 'expected an object with a list "Lines"')
    found = []
    for index, line in enumerate(lines):
        points = _points(line, label, index)
        # Some points lie below the picture: cut, they would only repeat its border.
        found.append(Line(points[(points[:, 1] >= 0) & (points[:, 1] < size[0])]))
    return Said(size, tuple(found), lane_changes=lane_changes).frame(
        name=picture.relative_to(root).as_posix(),
        image_path=picture,
        source="curvelanes",
        licence="non-commercial",
        where=str(label),
    )


def _points(line: Any, label: Path, index: int) -> np.ndarray:
    """Read one line; its numbers are strings."""
    try:
        points = np.array([[float(point["x"]), float(point["y"])] for point in line], np.float64)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        reason = f"line {index} of Lines: expected x and y as numbers, found {error!r}"
        raise LabelError(label, 1, reason) from None
    if points.ndim != 2:
        raise LabelError(label, 1, f"line {index} of Lines has no points")
    return in_reach(points, label, 1)
