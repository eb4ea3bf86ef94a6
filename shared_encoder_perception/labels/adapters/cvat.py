# SPDX-License-Identifier: Apache-2.0
"""CVAT's "CVAT for images 1.1": ``annotations.xml`` of ``dataset export cvat``, corrected there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final
from xml.parsers import expat

import numpy as np

from shared_encoder_perception.files.plain_file import plain
from shared_encoder_perception.labels.adapters.drawn_labels import corrected, number
from shared_encoder_perception.labels.exports.cvat import FILE
from shared_encoder_perception.labels.exports.run_lengths import of_runs
from shared_encoder_perception.labels.exports.sheet import CONFIDENCE, NO_MASK, Shape, Sheet
from shared_encoder_perception.labels.frame import LabelledFrame
from shared_encoder_perception.labels.label_io import (
    CHUNK,
    UnusablePictureError,
    in_reach,
    pairs,
)
from shared_encoder_perception.tasks.label_files import LabelError

KINDS: Final = {"polyline": "line", "polygon": "polygon", "box": "polygon", "mask": "mask"}
"""Elements of shapes that are read -> what they are."""
DEEPEST: Final = 16
"""Elements within elements; CVAT has half as many."""


@dataclass
class Element:
    """One element of XML with what is in it."""

    tag: str
    keys: dict[str, str]
    line: int
    text: str = ""
    parts: list[Element] = field(default_factory=list)


def read(
    path: Path, *, original: Path | None = None, reviewed: bool = False
) -> Iterator[LabelledFrame | UnusablePictureError]:
    """Read a file picture by picture.

    Args:
        path: ``annotations.xml``, or the folder that it is in.
        original: The native set that was exported, where it is at hand.
        reviewed: Whether people stand for all labels.

    Yields:
        Each frame, or what is wrong with its picture.

    Raises:
        LabelError: A fault of the file, with the line of the picture or shape.
    """
    file = path / FILE if path.is_dir() else path
    if not file.exists():
        raise LabelError(file, None, 'there is no such file: export as "CVAT for images 1.1"')
    labels = _labels(file)
    found = corrected(file.parent, original, reviewed=reviewed, labels=labels or None)
    sheets = (_sheet(one, file) for one in _elements(file) if one.tag == "image")
    yield from found.frames(sheets)


def _labels(file: Path) -> list[str]:
    """Return the labels that the head of a file defines."""
    for one in _elements(file):
        if one.tag == "labels":
            names = [part for label in one.parts for part in label.parts if part.tag == "name"]
            return [name.text.strip() for name in names]
        if one.tag == "image":
            break
    return []


def _elements(file: Path) -> Iterator[Element]:
    """Yield the definitions of labels and the pictures of a file, one after the other.

    Raises:
        LabelError: No XML, of another kind, or with a document type, which CVAT's have not.
    """
    parser = expat.ParserCreate()
    parser.buffer_text = True
    open_ones: list[Element] = []
    done: list[Element] = []

    def start(tag: str, keys: dict[str, str]) -> None:
        line = parser.CurrentLineNumber
        if not open_ones and tag != "annotations":
            raise LabelError(file, line, f"begins with <{tag[:40]}>, expected <annotations>")
        if tag == "track":
            reason = 'is of "CVAT for video", expected "CVAT for images 1.1": export it so'
            raise LabelError(file, line, reason)
        if len(open_ones) >= DEEPEST:
            raise LabelError(file, line, "elements nested too deep")
        open_ones.append(Element(tag, keys, line))

    def end(tag: str) -> None:
        one = open_ones.pop()
        if tag in ("image", "labels"):
            done.append(one)
        elif open_ones:
            open_ones[-1].parts.append(one)

    def text(more: str) -> None:
        open_ones[-1].text += more

    def refuse(*_: object) -> None:
        reason = "has a document type, expected a file as CVAT writes it"
        raise LabelError(file, parser.CurrentLineNumber, reason)

    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler, parser.StartDoctypeDeclHandler = text, refuse
    with plain(file).open("rb") as content:
        last = False
        while not last:
            chunk = content.read(CHUNK)
            last = not chunk
            try:
                parser.Parse(chunk, last)
            except expat.ExpatError as error:
                reason = f"not XML: {expat.ErrorString(error.code)}"
                raise LabelError(file, error.lineno, reason) from None
            except ValueError as error:  # an encoding that nobody knows
                if isinstance(error, LabelError):
                    raise
                raise LabelError(file, 1, f"not XML: {error}") from None
            except LookupError as error:
                raise LabelError(file, 1, f"not XML: {error}") from None
            yield from done
            done.clear()


def _sheet(image: Element, file: Path) -> Sheet:
    """Read an <image>."""
    name = _key(image, "name", file)
    size = (_whole(image, "height", file), _whole(image, "width", file))
    found: list[tuple[int, Shape]] = []
    flags: dict[str, float | None] = {}
    for one in image.parts:
        label = _key(one, "label", file)
        where = f"{name}: {label!r} ({one.tag})"
        confidence = _confidence(one, where, file)
        if one.tag == "tag":
            flags[label] = confidence
            continue
        if one.tag not in KINDS:
            expected = ", ".join(KINDS)
            reason = f"{where} is of a kind that no label is made of, expected {expected}"
            raise LabelError(file, one.line, reason)
        z = _whole(one, "z_order", file, 0)
        group = _whole(one, "group_id", file, 0)
        kept = replace(_shape(one, label, size, file), confidence=confidence, where=where)
        found.append((z, replace(kept, group=max(group, 0))))
    shapes = tuple(shape for _, shape in sorted(found, key=lambda pair: pair[0]))
    return Sheet(name, size, shapes, flags, file, image.line)


def _shape(one: Element, label: str, size: tuple[int, int], file: Path) -> Shape:
    """Read what a shape looks like."""
    if one.tag == "mask":
        left, top = (_whole(one, key, file) for key in ("left", "top"))
        width, height = (_whole(one, key, file) for key in ("width", "height"))
        box = np.array(((left, top), (left + width, top + height)), np.float64)
        if min(left, top, width, height) < 0 or left + width > size[1] or top + height > size[0]:
            raise LabelError(file, one.line, f"the mask {label!r} leaves the picture")
        runs = _key(one, "rle", file).replace(",", " ").split()
        try:
            mask = of_runs([int(run) for run in runs], height * width).reshape(height, width)
        except ValueError as error:
            raise LabelError(file, one.line, f"the mask {label!r}: {error}") from None
        return Shape(label, "mask", box, mask)
    if one.tag == "box":
        if abs(_float(one.keys.get("rotation", "0"))) > 0:
            reason = f"the box {label!r} is turned, expected a polygon"
            raise LabelError(file, one.line, reason)
        low, high = (
            pairs([_key(one, x, file), _key(one, y, file)], file, one.line)[0]
            for x, y in (("xtl", "ytl"), ("xbr", "ybr"))
        )
        corners = np.array((low, (high[0], low[1]), high, (low[0], high[1])))
        return Shape(label, "polygon", corners, NO_MASK)
    values = [value for point in _key(one, "points", file).split(";") for value in point.split(",")]
    points = in_reach(pairs(values, file, one.line), file, one.line)
    return Shape(label, "line" if one.tag == "polyline" else "polygon", points, NO_MASK)


def _confidence(one: Element, where: str, file: Path) -> float | None:
    """Return the attribute of a shape."""
    found = (part for part in one.parts if part.tag == "attribute")
    text = next((part.text.strip() for part in found if part.keys.get("name") == CONFIDENCE), "")
    try:
        return number(text, where)
    except ValueError as error:
        raise LabelError(file, one.line, str(error)) from None


def _key(one: Element, key: str, file: Path) -> str:
    """Return what an element must have."""
    if key not in one.keys:
        raise LabelError(file, one.line, f"<{one.tag}> lacks {key!r}")
    return one.keys[key]


def _whole(one: Element, key: str, file: Path, default: int | None = None) -> int:
    """Return a whole number of an element; pixels may be written with a point."""
    if default is not None and key not in one.keys:
        return default
    value = _float(_key(one, key, file))
    if value != round(value) or abs(value) > 1e9:
        reason = f"{key} of <{one.tag}> is {one.keys[key][:40]!r}, expected a whole number"
        raise LabelError(file, one.line, reason)
    return int(value)


def _float(text: str) -> float:
    """Return a finite number, or one that is not whole."""
    try:
        value = float(text)
    except ValueError:
        value = 0.5
    return value if np.isfinite(value) else 0.5
