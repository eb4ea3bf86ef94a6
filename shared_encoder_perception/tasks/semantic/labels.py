# SPDX-License-Identifier: Apache-2.0
"""What a label of semantic is: in files, in worlds, in pictures that are cropped or turned.

In a native set it is a PNG of ids beside the line, the table that they are of, and perhaps a PNG
for their confidence and one that tells objects of a class apart.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.files.data_paths import write_new
from shared_encoder_perception.images.planes import plane_inside, plane_to_input, warp_plane
from shared_encoder_perception.images.preprocess import Crop, ImageTransform
from shared_encoder_perception.structures import Size
from shared_encoder_perception.tasks.label_files import (
    LabelError,
    path_faults,
    read_plane,
    write_plane,
)
from shared_encoder_perception.tasks.semantic.classes import (
    UNLABELLED,
    Table,
    TableError,
    from_text,
    to_json,
)
from shared_encoder_perception.tasks.semantic.label import (
    CONFIDENCE,
    IDS,
    INSTANCES,
    Label,
    strange_ids,
)
from shared_encoder_perception.tasks.semantic.of_others import label_of
from shared_encoder_perception.tasks.semantic.tables import WORLD

TABLE: Final = "class_table"
KEYS: Final = (IDS, CONFIDENCE, INSTANCES, TABLE)
FOLDERS: Final = {
    IDS: "classes",
    CONFIDENCE: "classes_confidence",
    INSTANCES: "instances",
    TABLE: "class_tables",
}
"""Key -> folder of its files."""
MEANING: Final = TABLE
IN_FILES: Final = True
OF_WORLD: Final = ("classes",)


def faults(record: Mapping[str, Any], size: Size) -> Iterator[str]:
    """Say what is wrong with the keys of a line, the files not looked at."""
    for key in KEYS:
        if record.get(key) is not None:
            yield from path_faults(record, key)
    if record.get(IDS) and not record.get(TABLE):
        yield f"{TABLE} is missing, expected the file that says what the ids of {IDS} are"
    if record.get(INSTANCES) and not record.get(IDS):
        yield f"{IDS} is missing, expected the class map whose objects {INSTANCES} tells apart"


def read(record: Mapping[str, Any], folder: Path, size: Size) -> Callable[[], Label] | None:
    """Return what reads the label of a line; ``None`` where there is none."""
    if not record.get(IDS):
        return None
    beside = (folder / record[key] if record.get(key) else None for key in (CONFIDENCE, INSTANCES))
    return partial(_read, folder / record[IDS], folder / record[TABLE], size, *beside)


def _read(
    path: Path, table: Path, size: Size, confidence: Path | None, instances: Path | None
) -> Label:
    """Read ids, their table, their confidence and instances, and check them.

    Raises:
        LabelError: Unreadable, of another size, or with ids that the table lacks.
    """
    classes = _table_at(table, table.stat().st_mtime_ns if table.is_file() else 0)
    ids = read_plane(path, size, "class map")
    if fault := strange_ids(ids, classes):
        raise LabelError(path, None, f"the class map {fault}")
    sure = None if confidence is None else read_plane(confidence, size, CONFIDENCE)
    if instances is None:
        return Label(ids, classes, sure)
    return Label(ids, classes, sure, read_plane(instances, size, "map of instances", np.uint16))


@lru_cache(maxsize=64)
def _table_at(path: Path, _written_ns: int) -> Table:
    """Read a table; once, unless it was written again.

    Raises:
        LabelError: There is none, or it is no table.
    """
    try:
        return from_text(path.read_text(encoding="utf-8"), "the table of classes")
    except (OSError, UnicodeDecodeError) as error:
        raise LabelError(path, None, f"cannot read the table of classes: {error}") from None
    except TableError as error:
        raise LabelError(path, None, str(error)) from None


def write(label: Label, folder: Path, picture: Path) -> dict[str, Any]:
    """Write the planes and, once for the set, the table; return the keys of the line."""
    keys = {}
    planes = {IDS: label.ids, CONFIDENCE: label.confidence, INSTANCES: label.instances}
    for key, plane in planes.items():
        if plane is not None:
            path = Path(FOLDERS[key]) / picture.with_suffix(".png")
            write_plane(folder, path, plane)
            keys[key] = path.as_posix()
    text = to_json(label.classes).encode()
    # Named by what it holds: sets with other tables can be merged into one.
    name = Path(FOLDERS[TABLE]) / f"{hashlib.sha256(text).hexdigest()[:12]}.json"
    if not (folder / name).is_file():
        write_new(folder, name, text)
    keys[TABLE] = name.as_posix()
    return keys


def complete(record: Mapping[str, Any]) -> bool:
    """Whether a line has classes."""
    return bool(record.get(IDS))


def of_world(rendered: Any) -> Label | None:
    """Return the exact classes of a world, where it was asked for them."""
    return None if rendered.classes is None else Label(rendered.classes, WORLD)


def of_set(said: Any) -> tuple[Callable[[], Label] | None, Sequence[str]]:
    """Return what reads the classes that a public set labels, and which are left out."""
    if said.class_map is None:
        return None, ()
    return label_of(said)


def merge(first: Label, second: Label) -> tuple[Label, Sequence[tuple[str, Any]]]:
    """Keep the first; a second that says otherwise is a conflict, one with instances adds them."""
    if first.classes != second.classes or not np.array_equal(first.ids, second.ids):
        return first, ((IDS, None),)
    if second.instances is None or first.instances is second.instances:
        return first, ()
    if first.instances is None:
        return replace(first, instances=second.instances), ()
    same = np.array_equal(first.instances, second.instances)
    return first, (() if same else ((INSTANCES, None),))


def view(label: Label, transform: ImageTransform) -> Label:
    """Crop and resize without mixing values."""
    return _moved(label, lambda plane, outside: plane_to_input(plane, transform, outside))


def mirror(label: Label, width: int) -> Label:
    """Return the classes of the mirrored picture."""
    return _moved(label, lambda plane, _: np.ascontiguousarray(plane[:, ::-1]))


def warp(label: Label, matrix: NDArray[np.float64], size: Size) -> Label:
    """Move the ids; what comes in from outside is not labelled."""
    return _moved(label, lambda plane, outside: warp_plane(plane, matrix, size, outside))


def inside(label: Label, crop: Crop) -> Label:
    """Forget what lies outside of the crop."""
    return _moved(label, lambda plane, outside: plane_inside(plane, crop, outside))


def still_true(label: Label, size: Size) -> bool:
    """A class says the same wherever it is moved."""
    return True


def _moved(label: Label, move: Callable[[NDArray, int], NDArray]) -> Label:
    """Apply ``move(plane, value outside)`` to ids, confidence and instances."""
    confidence = None if label.confidence is None else move(label.confidence, 0)
    instances = None if label.instances is None else move(label.instances, 0)
    ids = move(label.ids, UNLABELLED)
    return replace(label, ids=ids, confidence=confidence, instances=instances)
