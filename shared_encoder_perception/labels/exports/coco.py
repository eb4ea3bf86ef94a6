# SPDX-License-Identifier: Apache-2.0
"""COCO: one JSON of instances, masks as polygons or run lengths, lines by a key of ours.

COCO knows no polylines: its keypoints are of a fixed number for each category. A line is an
annotation without ``segmentation``, with ``polyline``: ``[x1, y1, x2, y2, ...]``.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final, TextIO

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.labels.exports.legend import Legend
from shared_encoder_perception.labels.exports.outlines import filled
from shared_encoder_perception.labels.exports.run_lengths import runs_of
from shared_encoder_perception.labels.exports.sheet import (
    ATTRIBUTES,
    CONFIDENCE,
    DECIMALS,
    Shape,
    Sheet,
)

FILE: Final = "annotations/instances_default.json"
POLYLINE: Final = "polyline"
INSTANCE: Final = "instance"
FLAGS: Final = "flags"


class Writer:
    """Writes picture after picture; the file is written at the end, for it is one list of each."""

    def __init__(self, folder: Path, legend: Legend, file: TextIO) -> None:
        """Write into an open file."""
        self._file = file
        shown = [(task, name) for task, name in legend.names.values()]
        self._categories = [
            {"id": number, "name": name.text, "supercategory": task, "colour": list(name.colour)}
            for number, (task, name) in enumerate(
                ((task, name) for task, name in shown if name.kind != "flag"), start=1
            )
        ]
        self._ids = {one["name"]: one["id"] for one in self._categories}
        self._images: list[dict[str, Any]] = []
        self._annotations: list[dict[str, Any]] = []

    def write(self, sheet: Sheet) -> None:
        """Add a picture."""
        number = len(self._images) + 1
        self._images.append(
            {
                "id": number,
                "file_name": sheet.image,
                "height": sheet.size[0],
                "width": sheet.size[1],
                FLAGS: list(sheet.flags or {}),
                ATTRIBUTES: {
                    name: {CONFIDENCE: value}
                    for name, value in (sheet.flags or {}).items()
                    if value is not None
                },
            }
        )
        objects: dict[tuple[str, int], list[Shape]] = {}
        for index, shape in enumerate(sheet.shapes):
            objects.setdefault((shape.name, shape.group or -index), []).append(shape)
        for shapes in objects.values():
            first = shapes[0]
            attributes: dict[str, Any] = {}
            if first.confidence is not None:
                attributes[CONFIDENCE] = first.confidence
            if first.group:
                attributes[INSTANCE] = first.group
            self._annotations.append(
                {
                    "id": len(self._annotations) + 1,
                    "image_id": number,
                    "category_id": self._ids[first.name],
                    **(_line(first) if first.kind == "line" else _area(shapes, sheet)),
                    ATTRIBUTES: attributes,
                }
            )

    def close(self) -> None:
        """Write the file."""
        json.dump(
            {
                "info": {"description": "a native set of shared_encoder_perception"},
                "licenses": [],
                "categories": self._categories,
                "images": self._images,
                "annotations": self._annotations,
            },
            self._file,
        )
        self._file.write("\n")


def _line(shape: Shape) -> dict[str, Any]:
    """Return the keys of a line."""
    low, high = shape.points.min(axis=0), shape.points.max(axis=0)
    return {
        "segmentation": [],
        POLYLINE: [value for point in shape.numbers() for value in point],
        "bbox": np.round((*low, *(high - low)), DECIMALS).tolist(),
        "area": 0.0,
        "iscrowd": 0,
    }


def _area(shapes: list[Shape], sheet: Sheet) -> dict[str, Any]:
    """Return the keys of an object: polygons if it has no hole, else run lengths, column by column.

    ``iscrowd`` says which of both it is, as COCO means it.
    """
    mask = np.zeros(sheet.size, bool)
    for shape in shapes:
        _add_pixels(mask, shape)
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    extent = (int(columns[-1] - columns[0]) + 1, int(rows[-1] - rows[0]) + 1)
    polygons = all(shape.kind == "polygon" for shape in shapes)
    coded: Any = {"size": list(sheet.size), "counts": runs_of(mask.ravel(order="F"))}
    if polygons:
        coded = [[value for point in shape.numbers() for value in point] for shape in shapes]
    return {
        "segmentation": coded,
        "bbox": [int(columns[0]), int(rows[0]), *extent],
        "area": int(mask.sum()),
        "iscrowd": 0 if polygons else 1,
    }


def _add_pixels(mask: NDArray[np.bool_], shape: Shape) -> None:
    """Add the pixels of a shape to (H, W)."""
    if shape.kind == "polygon":
        mask |= filled([shape.points], (mask.shape[0], mask.shape[1]))
        return
    (x, y), (height, width) = shape.points[0].astype(int), shape.mask.shape
    mask[y : y + height, x : x + width] |= shape.mask
