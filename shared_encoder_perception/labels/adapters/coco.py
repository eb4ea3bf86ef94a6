# SPDX-License-Identifier: Apache-2.0
"""COCO's instances, of ``dataset export coco``, corrected in any tool that keeps its keys."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.images.listing import files_matching
from shared_encoder_perception.labels.adapters.drawn_labels import corrected, number
from shared_encoder_perception.labels.exports.coco import (
    FLAGS,
    INSTANCE,
    POLYLINE,
)
from shared_encoder_perception.labels.exports.run_lengths import of_runs, unpacked
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
    load_json,
    pairs,
    read_label,
)
from shared_encoder_perception.structures import Size
from shared_encoder_perception.tasks.label_files import LabelError

FOLDER: Final = "annotations"
LISTS: Final = ("images", "annotations", "categories")


def read(
    path: Path, *, original: Path | None = None, reviewed: bool = False
) -> Iterator[LabelledFrame | UnusablePictureError]:
    """Read the files of an export.

    Args:
        path: A JSON of instances, or the folder with ``annotations/instances*.json``.
        original: The native set that was exported, where it is at hand.
        reviewed: Whether people stand for all labels.

    Yields:
        Each frame, or what is wrong with its picture.

    Raises:
        LabelError: A faulty file.
    """
    root = path if path.is_dir() else path.parent
    root = root.parent if root.name == FOLDER else root
    files = files_matching(root / FOLDER, "instances*.json") if path.is_dir() else [path]
    if not files:
        raise LabelError(path, None, f"there is no {FOLDER}/instances*.json")
    for file in files:
        content = load_json(read_label(file), file)
        for key in LISTS:
            found = content.get(key) if isinstance(content, dict) else None
            if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
                raise LabelError(file, 1, f"expected COCO's {key!r}, a list of objects")
        names = _by_id(content["categories"], "category", file)
        labels = {number: _text(one, "name", file) for number, one in names.items()}
        all_frames = corrected(root, original, reviewed=reviewed, labels=labels.values())
        yield from all_frames.frames(_sheets(content, labels, file))


def _sheets(content: Mapping[str, Any], labels: Mapping[int, str], file: Path) -> Iterator[Sheet]:
    """Yield each picture with its annotations, in their order."""
    images = _by_id(content["images"], "image", file)
    of_image: dict[int, list[Mapping[str, Any]]] = {number: [] for number in images}
    for one in content["annotations"]:
        key = one.get("image_id")
        if type(key) is not int or key not in images:
            reason = f"annotation {_id(one)}: image_id is {str(key)[:40]}, which is no image's"
            raise LabelError(file, 1, reason)
        of_image[key].append(one)
    for key, image in images.items():
        name = _text(image, "file_name", file)
        size = (_side(image, "height", file), _side(image, "width", file))
        shapes = [
            shape for one in of_image[key] for shape in _shapes(one, labels, name, size, file)
        ]
        flags = _flags(image, name, file)
        yield Sheet(name, size, tuple(shapes), flags, file)


def _shapes(
    one: Mapping[str, Any], labels: Mapping[int, str], image: str, size: Size, file: Path
) -> Iterator[Shape]:
    """Read an annotation: a line, one or more polygons, or run lengths."""
    category = one.get("category_id")
    if type(category) is not int or category not in labels:
        reason = f"annotation {_id(one)}: category_id is {str(category)[:40]}, which is none's"
        raise LabelError(file, 1, reason)
    label = labels[category]
    where = f"{image}: {label!r} (annotation {_id(one)})"
    attributes = one.get(ATTRIBUTES)
    attributes = attributes if isinstance(attributes, Mapping) else {}
    group = attributes.get(INSTANCE, 0)
    if type(group) is not int or group < 0:
        raise LabelError(file, 1, f"{where}: {INSTANCE} is {group!r}, expected a number from 0 on")
    try:
        sure = number(attributes.get(CONFIDENCE), where)
    except ValueError as error:
        raise LabelError(file, 1, str(error)) from None
    if POLYLINE in one:
        points = _points(one[POLYLINE], where, file)
        yield Shape(label, "line", points, NO_MASK, sure, group, where=where)
        return
    area = one.get("segmentation")
    if isinstance(area, Mapping):
        mask = _mask(area, size, where, file)
        box = np.array(((0, 0), size[::-1]), np.float64)
        yield Shape(label, "mask", box, mask, sure, group, where=where)
        return
    if not isinstance(area, list) or not area:
        reason = (
            f"{where} has neither {POLYLINE!r} nor a segmentation: the tool has dropped it; export "
            "by --tasks what it keeps"
        )
        raise LabelError(file, 1, reason)
    for polygon in area:
        points = _points(polygon, where, file)
        yield Shape(label, "polygon", points, NO_MASK, sure, group, where=where)


def _mask(area: Mapping[str, Any], size: Size, where: str, file: Path) -> NDArray[np.bool_]:
    """Return the pixels (H, W) of run lengths, column by column."""
    counts = area.get("counts")
    if area.get("size") != list(size):
        reason = f"{where}: size is {str(area.get('size'))[:40]}, expected {list(size)}"
        raise LabelError(file, 1, reason)
    try:
        runs = unpacked(counts) if isinstance(counts, str) else counts
        if not isinstance(runs, list):
            raise ValueError("`counts` are neither a list nor a text")
        flat = of_runs(runs, size[0] * size[1])
    except ValueError as error:
        raise LabelError(file, 1, f"{where}: {error}") from None
    return flat.reshape(size[1], size[0]).T


def _points(values: Any, where: str, file: Path) -> NDArray[np.float64]:
    """Return points (N, 2) of ``[x1, y1, x2, y2, ...]``."""
    if not isinstance(values, list):
        raise LabelError(file, 1, f"{where} has no points, expected a list of x, y, x, y, ...")
    return pairs(values, file, 1)


def _flags(image: Mapping[str, Any], name: str, file: Path) -> dict[str, float | None] | None:
    """Return the flags of a picture; ``None`` where the tool has dropped them."""
    found = image.get(FLAGS)
    if found is None:
        return None
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        raise LabelError(file, 1, f"{name}: {FLAGS} are no list of texts")
    attributes = image.get(ATTRIBUTES)
    flags = {}
    for one in found:
        said = attributes.get(one) if isinstance(attributes, Mapping) else None
        value = said.get(CONFIDENCE) if isinstance(said, Mapping) else None
        try:
            flags[one] = number(value, f"{name}: {one!r}")
        except ValueError as error:
            raise LabelError(file, 1, str(error)) from None
    return flags


def _by_id(those: list[Any], what: str, file: Path) -> dict[int, Any]:
    """Return objects by their numbers."""
    found: dict[int, Any] = {}
    for one in those:
        key = one.get("id")
        if type(key) is not int or key in found:
            reason = f"the id of a {what} is {str(key)[:40]}, expected a whole number, each once"
            raise LabelError(file, 1, reason)
        found[key] = one
    return found


def _id(one: Mapping[str, Any]) -> str:
    """Return the number of an annotation, for messages."""
    return str(one.get("id"))[:40]


def _text(one: Mapping[str, Any], key: str, file: Path) -> str:
    """Return a text that must be there."""
    if not isinstance(one.get(key), str):
        raise LabelError(file, 1, f"{key} is {str(one.get(key))[:40]}, expected text")
    return str(one[key])


def _side(one: Mapping[str, Any], key: str, file: Path) -> int:
    """Return a side of a picture."""
    if type(one.get(key)) is not int or one[key] < 1:
        reason = f"{key} is {str(one.get(key))[:40]}, expected the picture's in pixels"
        raise LabelError(file, 1, reason)
    return int(one[key])
