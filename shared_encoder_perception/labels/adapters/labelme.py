# SPDX-License-Identifier: Apache-2.0
"""Labelme's JSON files, of ``dataset export labelme``, corrected there."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.images.listing import files_matching
from shared_encoder_perception.images.picture_bytes import PictureError
from shared_encoder_perception.images.picture_file import UNCHANGED, decode
from shared_encoder_perception.labels.adapters.drawn_labels import Corrected, corrected, number
from shared_encoder_perception.labels.exports.legend import BY_MODEL
from shared_encoder_perception.labels.exports.legend import FILE as LEGEND
from shared_encoder_perception.labels.exports.sheet import (
    ATTRIBUTES,
    CONFIDENCE,
    NO_MASK,
    Shape,
    Sheet,
)
from shared_encoder_perception.labels.frame import LabelledFrame
from shared_encoder_perception.labels.label_io import (
    UnusablePictureError,
    in_reach,
    load_json,
    read_label,
)
from shared_encoder_perception.tasks.label_files import LabelError

LINES: Final = ("linestrip", "line")
AREAS: Final = ("polygon", "rectangle", "mask")


def read(
    path: Path, *, original: Path | None = None, reviewed: bool = False
) -> Iterator[LabelledFrame | UnusablePictureError]:
    """Read the files of a folder, and of those in it.

    Args:
        path: The folder, or one file.
        original: The native set that was exported, where it is at hand.
        reviewed: Whether people stand for all labels.

    Yields:
        Each frame, or what is wrong with its picture.

    Raises:
        LabelError: A faulty file.
    """
    root = path if path.is_dir() else path.parent
    found = files_matching(path, "**/*.json") if path.is_dir() else [path]
    files = [file for file in found if file.name != LEGEND]
    if not files:
        raise LabelError(path, None, "there are no *.json")
    whole = corrected(root, original, reviewed=reviewed)
    for file in files:
        sheet, labels = _sheet(file, root)
        legend = whole.legend if (root / LEGEND).is_file() else whole.legend.of_labels(labels)
        one = Corrected(legend, whole.original, whole.folder, reviewed)
        yield from one.frames([sheet])


def _sheet(file: Path, root: Path) -> tuple[Sheet, set[str]]:
    """Read a file; also the labels and flags that it speaks of."""
    content = load_json(read_label(file), file)
    if not isinstance(content, dict) or not isinstance(content.get("shapes"), list):
        raise LabelError(file, 1, "is no file of Labelme, expected an object with `shapes`")
    picture = content.get("imagePath")
    if not isinstance(picture, str):
        raise LabelError(file, 1, "imagePath is missing, expected the name of the picture")
    # The file lies beside its picture, or where it was told to: folders of imagePath may be any.
    last = picture.replace("\\", "/").split("/")[-1]
    name = (file.parent.relative_to(root) / last).as_posix()
    size = (_size(content, "imageHeight", file), _size(content, "imageWidth", file))
    attributes = content.get(ATTRIBUTES)
    shapes = [_shape(one, index, name, file) for index, one in enumerate(content["shapes"])]
    flags = content.get("flags") or {}
    if not isinstance(flags, dict):
        raise LabelError(file, 1, "flags are no object")
    is_set = {
        str(flag): _confidence(attributes, flag, name, file) for flag, on in flags.items() if on
    }
    kept = any(str(flag).startswith(BY_MODEL) for flag in flags)
    labels = {shape.name for shape in shapes} | {str(flag) for flag in flags}
    return Sheet(name, size, tuple(shapes), is_set if kept else None, file), labels


def _shape(one: Any, index: int, image: str, file: Path) -> Shape:
    """Read a shape."""
    if not isinstance(one, dict) or not isinstance(one.get("label"), str):
        raise LabelError(file, 1, f"shape {index} has no label")
    label, kind = one["label"], one.get("shape_type", "polygon")
    where = f"{image}: {label!r} (shape {index}, {str(kind)[:40]})"
    if kind not in (*LINES, *AREAS):
        expected = ", ".join((*LINES, *AREAS))
        reason = f"{where} is of a kind that no label is made of, expected {expected}"
        raise LabelError(file, 1, reason)
    points = _points(one.get("points"), where, file)
    group, attributes = one.get("group_id"), one.get(ATTRIBUTES)
    if group is not None and (type(group) is not int or group < 0):
        raise LabelError(file, 1, f"{where}: group_id is {group!r}, expected a number from 0 on")
    said = attributes.get(CONFIDENCE) if isinstance(attributes, Mapping) else None
    try:
        confidence = number(said, where)
    except ValueError as error:
        raise LabelError(file, 1, str(error)) from None
    mask = NO_MASK
    if kind == "mask":
        mask = _mask(one.get("mask"), where, file)
        points = np.stack((np.floor(points[0]), np.floor(points[0]) + mask.shape[::-1]))
    elif kind == "rectangle":
        if len(points) != 2:
            raise LabelError(file, 1, f"{where} has {len(points)} points, expected 2")
        (x, y), (right, low) = points
        points = np.array(((x, y), (right, y), (right, low), (x, low)))
    made = "line" if kind in LINES else "mask" if kind == "mask" else "polygon"
    return Shape(label, made, points, mask, confidence, group or 0, where=where)  # type: ignore[arg-type]


def _points(value: Any, where: str, file: Path) -> NDArray[np.float64]:
    """Return the points of a shape (N, 2)."""
    try:
        points = np.array(value, np.float64)
    except (TypeError, ValueError, OverflowError):
        points = np.zeros(0)
    if points.ndim != 2 or points.shape[1] != 2:
        raise LabelError(file, 1, f"{where} has no points, expected a list of [x, y]")
    return in_reach(points, file, 1)


def _mask(text: Any, where: str, file: Path) -> NDArray[np.bool_]:
    """Return the pixels of a mask: a PNG in base64."""
    try:
        pixels = decode(base64.b64decode(text, validate=True), UNCHANGED)
    except (TypeError, ValueError, binascii.Error, PictureError, cv2.error):
        raise LabelError(file, 1, f"{where}: its mask is no PNG in base64") from None
    if pixels.ndim != 2:
        raise LabelError(file, 1, f"{where}: its mask has colours, expected one channel")
    return np.asarray(pixels > 0)


def _size(content: Mapping[str, Any], key: str, file: Path) -> int:
    """Return a side of the picture."""
    value = content.get(key)
    if type(value) is not int or value < 1:
        raise LabelError(file, 1, f"{key} is {str(value)[:40]}, expected the picture's in pixels")
    return value


def _confidence(attributes: Any, flag: Any, image: str, file: Path) -> float | None:
    """Return the confidence of a flag."""
    of_flag = attributes.get(flag) if isinstance(attributes, Mapping) else None
    said = of_flag.get(CONFIDENCE) if isinstance(of_flag, Mapping) else None
    try:
        return number(said, f"{image}: {flag!r}")
    except ValueError as error:
        raise LabelError(file, 1, str(error)) from None
