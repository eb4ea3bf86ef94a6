# SPDX-License-Identifier: Apache-2.0
"""YOLO polygons as Roboflow and Ultralytics lay them out: ``data.yaml``, ``images``, ``labels``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
import yaml
from numpy.typing import NDArray

from shared_encoder_perception.files.safe_text import printable
from shared_encoder_perception.images.listing import files_matching, pictures_in
from shared_encoder_perception.labels.frame import LabelledFrame
from shared_encoder_perception.labels.label_io import (
    UnusablePictureError,
    fill_polygons,
    image_size,
    or_fault,
    pairs,
    read_label,
)
from shared_encoder_perception.labels.said import Said
from shared_encoder_perception.tasks.label_files import LabelError

DRIVABLE_NAMES: Final = (
    *("road", "roads", "roadway", "carriageway", "street", "road surface", "road segmentation"),
    *("drivable", "drivable area", "drivable surface", "drivable region", "drivable road"),
    *("driveable", "driveable area", "driveable surface", "driveable region", "driveable road"),
)
"""Class names that mean a drivable surface; case, hyphens and underscores do not matter."""
OTHER_NAMES: Final = frozenset(
    (
        *("car", "cars", "truck", "bus", "van", "vehicle", "vehicles", "train", "tram", "trailer"),
        *("motorcycle", "motorbike", "bike", "bicycle", "cyclist", "rider", "scooter", "auto"),
        *("person", "people", "pedestrian", "pedestrians", "animal", "dog", "cat", "cow"),
        *("sidewalk", "sidewalks", "pavement", "footpath", "curb", "kerb", "grass", "terrain"),
        *("building", "buildings", "house", "wall", "fence", "guard rail", "barrier", "pole"),
        *("tree", "trees", "vegetation", "sky", "water", "mountain", "rock", "obstacle"),
        *("traffic light", "traffic sign", "sign", "stop sign", "cone", "traffic cone"),
        *("non drivable", "not drivable", "non drivable area", "undrivable"),
    )
)
"""Class names that mean something where nobody drives; what is neither of both is not known."""
NO_LABEL: Final = "classes.txt"
"""Some tools put the names of the classes beside the labels."""
TOLERANCE: Final = 0.01
"""By how much a coordinate may leave 0 to 1: exports round, and enlarge what touches the border."""


def read(path: Path) -> Iterator[LabelledFrame | UnusablePictureError]:
    """Read all splits of an export.

    Args:
        path: Folder with ``data.yaml``, and pictures in ``SPLIT/images``, ``images/SPLIT`` or
            ``images``; the label of each is found at the same place below ``labels``.

    Yields:
        Each frame, or what is wrong with its picture.

    Raises:
        LabelError: No drivable class, no pictures, or a faulty line of a label.
    """
    names = _class_names(_yaml_of(path))
    places = files_matching(path, "images", "*/images")
    # images/images lies in the first one, and is read with it.
    folders = [p.parent for p in places if p.is_dir() and p.parent != path / "images"]
    count = 0
    for folder in folders:
        found = pictures_in(folder / "images", below=True)
        count += len(found)
        labels = [_label_of(picture, folder) for picture in found]
        for picture, label in zip(found, labels, strict=True):
            yield or_fault(_frame, path, picture, label, names)
        used = {*labels, folder / "labels" / NO_LABEL}
        for label in files_matching(folder / "labels", "**/*.txt") if found else ():
            if label not in used:
                yield UnusablePictureError(label, None, "there is no picture of this label")
    if not count:
        expected = "images, images/SPLIT or SPLIT/images"
        raise LabelError(path, None, f"there are no pictures in it: expected them in {expected}")


def _label_of(picture: Path, folder: Path) -> Path:
    """Where the label of a picture is, or would be."""
    place = picture.relative_to(folder / "images").with_suffix(".txt")
    return folder / "labels" / place


def _yaml_of(path: Path) -> Path:
    """The file that names the classes: ``data.yaml``, or the only YAML file there is."""
    found = files_matching(path, "*.yaml", "*.yml")
    return found[0] if len(found) == 1 else path / "data.yaml"


def _class_names(path: Path) -> dict[int, str]:
    """Numbers and names of the classes, the names as they are looked up."""
    if not path.exists():
        raise LabelError(path, None, "there is no such file; it names the classes")
    try:
        content = yaml.safe_load(read_label(path))
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        if isinstance(error, LabelError):
            raise
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark else None
        raise LabelError(path, line, "not YAML") from None
    names = content.get("names") if isinstance(content, dict) else None
    if isinstance(names, list):
        names = dict(enumerate(names))
    plain = isinstance(names, dict) and all(
        type(number) is int and isinstance(name, (str, int, float))
        for number, name in names.items()
    )
    if not names or not plain:
        raise LabelError(
            path, None, "expected `names`: a list, or an object from numbers to class names"
        )
    found = {
        number: " ".join(str(name).lower().replace("-", " ").replace("_", " ").split())
        for number, name in names.items()
    }
    if not set(found.values()) & set(DRIVABLE_NAMES):
        raise LabelError(
            path,
            None,
            f"none of the classes {list(names.values())} is known as drivable: "
            f"rename one of them to {DRIVABLE_NAMES[0]!r}",
        )
    return found


def _frame(root: Path, picture: Path, label: Path, names: Mapping[int, str]) -> LabelledFrame:
    """Read one picture's polygons. A label that is empty or missing says: nothing is drivable."""
    height, width = size = image_size(picture)
    drivable: list[NDArray[np.float64]] = []
    doubtful: list[NDArray[np.float64]] = []
    notes = [] if label.exists() else ["no label file: nothing is drivable, by the format's rule"]
    lines = read_label(label).splitlines() if label.exists() else []
    for number, line in enumerate(lines, start=1):
        words = line.split()
        if not words:
            continue
        name = _class_of(words[0], names, label, number)
        if name in OTHER_NAMES:
            continue  # nothing is drivable outside of polygons that say so
        known = name in DRIVABLE_NAMES
        points = _polygon(words[1:], label, number, boxes=not known)
        (drivable if known else doubtful).append(points * (width, height) - 0.5)
        if not known:
            notes.append(f"class {printable(name)!r} is not known: ignored where it is")
    return Said(size, drivable=partial(fill_polygons, drivable, size, doubtful)).frame(
        name=picture.relative_to(root).as_posix(),
        image_path=picture,
        source="yolo",
        notes=tuple(notes),
        where=str(label),
    )


def _class_of(word: str, names: Mapping[int, str], label: Path, line: int) -> str:
    """Name of the class that a line begins with; some exports write its number as ``1.0``."""
    whole = word.removesuffix(".0")
    number = int(whole) if whole.isascii() and whole.isdecimal() and len(whole) < 10 else -1
    if number not in names:
        raise LabelError(
            label, line, f"class is {word!r}, expected one of data.yaml's: {sorted(names)}"
        )
    return names[number]


def _polygon(words: Sequence[str], label: Path, line: int, *, boxes: bool) -> NDArray[np.float64]:
    """Read a polygon (N, 2), or a box if ``boxes``, in shares of width and height, 0 to 1."""
    if len(words) == 4 and not boxes:
        reason = "a box, expected a polygon: export as segmentation, not as detection"
        raise LabelError(label, line, reason)
    points = pairs(words, label, line)
    if len(points) == 2:  # middle and extent
        corners = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)]) / 2
        points = points[0] + corners * points[1]
    outside = (points < -TOLERANCE) | (points > 1 + TOLERANCE)
    if len(points) < 3 or (outside.any() and not (boxes and len(words) == 4)):
        raise LabelError(label, line, "expected at least three x y from 0 to 1")
    return np.clip(points, 0, 1)
