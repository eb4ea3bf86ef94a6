# SPDX-License-Identifier: Apache-2.0
"""Labelme: a JSON file beside each picture, and lists of the labels and flags there are."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any, Final, TextIO

import numpy as np

from shared_encoder_perception.drawing.pictures import as_png
from shared_encoder_perception.files.data_paths import write_new
from shared_encoder_perception.labels.exports.legend import Legend
from shared_encoder_perception.labels.exports.sheet import (
    ATTRIBUTES,
    CONFIDENCE,
    Shape,
    Sheet,
    place_of,
)

FILE: Final = ""
LABELS: Final = "labels.txt"
FLAGS: Final = "flags.txt"
VERSION: Final = "5.3.0"
"""The first that has masks."""


class Writer:
    """Writes picture after picture."""

    def __init__(self, folder: Path, legend: Legend, file: TextIO | None) -> None:
        """Write what ``labelme --labels`` and ``--flags`` take; no file is of all pictures."""
        self._folder = folder
        names = [name for _, name in legend.names.values()]
        self._flags = [name.text for name in names if name.kind == "flag"]
        labels = [name.text for name in names if name.kind != "flag"]
        for path, those in ((LABELS, labels), (FLAGS, self._flags)):
            write_new(folder, path, "".join(f"{one}\n" for one in those).encode())

    def write(self, sheet: Sheet) -> None:
        """Add a picture."""
        sure = {name: value for name, value in (sheet.flags or {}).items() if value is not None}
        content = {
            "version": VERSION,
            "flags": {name: name in (sheet.flags or {}) for name in self._flags},
            "shapes": [_shape(shape) for shape in sheet.shapes],
            "imagePath": Path(sheet.image).name,
            "imageData": None,
            "imageHeight": sheet.size[0],
            "imageWidth": sheet.size[1],
            ATTRIBUTES: {name: {CONFIDENCE: value} for name, value in sure.items()},
        }
        place = place_of(sheet).with_suffix(".json")
        write_new(self._folder, place, f"{json.dumps(content, indent=1)}\n".encode())

    def close(self) -> None:
        """Nothing is left to be done."""


def _shape(shape: Shape) -> dict[str, Any]:
    """Return a shape; later ones lie above earlier ones."""
    kinds = {"line": "linestrip", "polygon": "polygon", "mask": "mask"}
    found: dict[str, Any] = {
        "label": shape.name,
        "points": shape.numbers(),
        "group_id": shape.group or None,
        "description": "",
        "shape_type": kinds[shape.kind],
        "flags": {},
        "mask": None,
        ATTRIBUTES: {} if shape.confidence is None else {CONFIDENCE: shape.confidence},
    }
    if shape.kind == "mask":
        first, last = shape.points.tolist()  # Labelme counts the last row and column
        found["points"] = [first, [last[0] - 1, last[1] - 1]]
        png = as_png(shape.mask.astype(np.uint8) * 255)
        found["mask"] = base64.b64encode(png).decode()
    return found
