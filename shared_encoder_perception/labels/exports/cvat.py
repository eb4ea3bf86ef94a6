# SPDX-License-Identifier: Apache-2.0
"""CVAT: one ``annotations.xml``, "CVAT for images 1.1", and the labels to make a task with."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, TextIO
from xml.etree import ElementTree as Xml

from shared_encoder_perception.files.data_paths import write_new
from shared_encoder_perception.labels.exports.legend import Legend
from shared_encoder_perception.labels.exports.run_lengths import runs_of
from shared_encoder_perception.labels.exports.sheet import CONFIDENCE, Shape, Sheet
from shared_encoder_perception.tasks.shapes import Name

FILE: Final = "annotations.xml"
LABELS: Final = "labels.json"
"""What CVAT takes as the labels of a new task, in its "Raw" editor."""
TYPES: Final = {"line": "polyline", "region": "any", "flag": "tag"}
NO_XML: Final = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What no file of XML may hold."""


class Writer:
    """Writes picture after picture."""

    def __init__(self, folder: Path, legend: Legend, file: TextIO) -> None:
        """Write into an open file the head, and beside it the labels."""
        self._file, self._count = file, 0
        names = [name for _, name in legend.names.values()]
        spec = [_label(name) for name in names]
        write_new(folder, LABELS, f"{json.dumps(spec, indent=1)}\n".encode())
        file.write('<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n')
        file.write("<version>1.1</version>\n")
        task = Xml.Element("task")
        labels = Xml.SubElement(task, "labels")
        for one in spec:
            _add_label(labels, one)
        file.write(f"<meta>{_text(task)}</meta>\n")

    def write(self, sheet: Sheet) -> None:
        """Add a picture.

        Raises:
            ValueError: Its name cannot stand in XML.
        """
        if NO_XML.search(sheet.image):
            raise ValueError(f"the name {sheet.image!r} has characters that XML cannot hold")
        height, width = sheet.size
        image = Xml.Element(
            "image",
            {"id": str(self._count), "name": sheet.image}
            | {"width": str(width), "height": str(height)},
        )
        for shape in sheet.shapes:
            _add_shape(image, shape)
        for flag, confidence in (sheet.flags or {}).items():
            tag = Xml.SubElement(image, "tag", {"label": flag, "source": "manual"})
            _add_confidence(tag, confidence)
        self._file.write(_text(image) + "\n")
        self._count += 1

    def close(self) -> None:
        """End the file."""
        self._file.write("</annotations>\n")


def _label(name: Name) -> dict[str, Any]:
    """Return a label as CVAT defines it."""
    red, green, blue = name.colour
    attribute = {"name": CONFIDENCE, "mutable": False, "input_type": "text"}
    return {
        "name": name.text,
        "color": f"#{red:02x}{green:02x}{blue:02x}",
        "type": TYPES[name.kind],
        "attributes": [{**attribute, "default_value": "", "values": [""]}],
    }


def _add_label(labels: Xml.Element, one: dict[str, Any]) -> None:
    """Add the definition of a label."""
    label = Xml.SubElement(labels, "label")
    for key in ("name", "color", "type"):
        Xml.SubElement(label, key).text = one[key]
    attributes = Xml.SubElement(label, "attributes")
    for of_label in one["attributes"]:
        attribute = Xml.SubElement(attributes, "attribute")
        for key in ("name", "mutable", "input_type", "default_value"):
            Xml.SubElement(attribute, key).text = str(of_label[key])
        Xml.SubElement(attribute, "values").text = "\n".join(of_label["values"])


def _add_shape(image: Xml.Element, shape: Shape) -> None:
    """Add a shape; later ones lie above earlier ones."""
    keys = {"label": shape.name, "source": "auto" if shape.by_model else "manual", "occluded": "0"}
    if shape.kind == "mask":
        (left, top), _ = shape.points.astype(int).tolist()
        height, width = shape.mask.shape
        keys["rle"] = ", ".join(map(str, runs_of(shape.mask.ravel())))
        keys |= {"left": str(left), "top": str(top), "width": str(width), "height": str(height)}
    else:
        keys["points"] = _points(shape.numbers())
    keys["z_order"] = "1" if shape.kind == "line" else "0"
    if shape.group:
        keys["group_id"] = str(shape.group)
    tag = {"line": "polyline"}.get(shape.kind, shape.kind)
    _add_confidence(Xml.SubElement(image, tag, keys), shape.confidence)


def _add_confidence(above: Xml.Element, confidence: float | None) -> None:
    """Add the attribute; empty where nobody doubts."""
    attribute = Xml.SubElement(above, "attribute", {"name": CONFIDENCE})
    attribute.text = "" if confidence is None else f"{confidence:g}"


def _points(numbers: Sequence[Sequence[float]]) -> str:
    """Return points as CVAT writes them."""
    return ";".join(f"{x:.2f},{y:.2f}" for x, y in numbers)


def _text(element: Xml.Element) -> str:
    """Return an element on lines of its own."""
    Xml.indent(element, " ")
    return Xml.tostring(element, encoding="unicode")
