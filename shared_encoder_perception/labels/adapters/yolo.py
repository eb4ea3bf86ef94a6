"""YOLO polygons as Roboflow exports them: ``data.yaml``, ``images/``, ``labels/*.txt``."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
import yaml
from numpy.typing import NDArray

from shared_encoder_perception.labels.frame import LabelledFrame
from shared_encoder_perception.labels.label_io import (
    PICTURES,
    fill_polygons,
    image_size,
    pairs,
    read_label,
)
from shared_encoder_perception.labels.said import Said
from shared_encoder_perception.tasks.label_files import LabelError

DRIVABLE_NAMES: Final = (
    "road",
    "roads",
    "drivable",
    "drivable area",
    "drivable surface",
    "road segmentation",
    "street",
)
"""Class names that mean a drivable surface; case, hyphens and underscores do not matter."""
SPLITS: Final = ("train", "valid", "val", "test")


def read(path: Path) -> Iterator[LabelledFrame]:
    """Read all splits of an export.

    Args:
        path: Folder with ``data.yaml`` and ``{train,valid,test}/{images,labels}`` (or ``images/``
            and ``labels/`` directly).

    Raises:
        LabelError: No drivable class, no pictures, or a faulty line of a label.
    """
    names = _class_names(path / "data.yaml")
    folders = [path / split for split in SPLITS if (path / split / "images").is_dir()]
    if (path / "images").is_dir():
        folders.append(path)
    if not folders:
        raise LabelError(path, None, f"there is no images/ in it, nor in any of {list(SPLITS)}")
    for folder in folders:
        for picture in sorted((folder / "images").iterdir()):
            if picture.suffix.lower() in PICTURES:
                label = folder / "labels" / f"{picture.stem}.txt"
                yield _frame(path, picture, label, names)


def _class_names(path: Path) -> dict[int, bool]:
    """Numbers of the classes, and whether each is drivable."""
    if not path.exists():
        raise LabelError(path, None, "there is no such file; it names the classes")
    try:
        content = yaml.safe_load(read_label(path))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark else None
        raise LabelError(path, line, "not YAML") from None
    names = content.get("names") if isinstance(content, dict) else None
    if isinstance(names, list):
        names = dict(enumerate(names))
    if not isinstance(names, dict) or not names or not all(isinstance(n, int) for n in names):
        raise LabelError(
            path, None, "expected `names`: a list, or an object from numbers to class names"
        )
    drivable = {
        number: str(name).lower().replace("-", " ").replace("_", " ").strip() in DRIVABLE_NAMES
        for number, name in names.items()
    }
    if not any(drivable.values()):
        raise LabelError(
            path,
            None,
            f"none of the classes {list(names.values())} is known as drivable: "
            f"rename one of them to {DRIVABLE_NAMES[0]!r}",
        )
    return drivable


def _frame(root: Path, picture: Path, label: Path, drivable: dict[int, bool]) -> LabelledFrame:
    """Read one picture's polygons. A label that is empty or missing says: nothing is drivable."""
    height, width = size = image_size(picture)
    polygons: list[NDArray[np.float64]] = []
    lines = read_label(label).splitlines() if label.exists() else []
    for number, line in enumerate(lines, start=1):
        words = line.split()
        if not words:
            continue
        if len(words) == 5:
            reason = "a box, expected a polygon: export as segmentation, not as detection"
            raise LabelError(label, number, reason)
        if not words[0].isdecimal() or int(words[0]) not in drivable:
            reason = f"class is {words[0]!r}, expected one of data.yaml's: {sorted(drivable)}"
            raise LabelError(label, number, reason)
        points = pairs(words[1:], label, number)
        if len(points) < 3 or (points < 0).any() or (points > 1).any():
            raise LabelError(label, number, "expected at least three x y from 0 to 1")
        if drivable[int(words[0])]:
            polygons.append(points * (width, height) - 0.5)
    return Said(size, drivable=partial(fill_polygons, polygons, size)).frame(
        name=picture.relative_to(root).as_posix(),
        image_path=picture,
        source="yolo",
        where=str(label),
    )
