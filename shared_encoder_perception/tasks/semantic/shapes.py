# SPDX-License-Identifier: Apache-2.0
"""Classes as people draw them: a region for each class, or each object; what is left is unknown."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.structures import Size
from shared_encoder_perception.tasks.semantic.classes import (
    UNLABELLED,
    SemanticClass,
    Table,
    TableError,
    checked,
    from_text,
    read_table,
    translation,
)
from shared_encoder_perception.tasks.semantic.label import Label
from shared_encoder_perception.tasks.shapes import (
    Drawing,
    Name,
    Region,
    ShapeError,
    confidence_bytes,
    kept_confidence,
    mean_confidence,
)

PREFIX: Final = "class/"
PIXELS: Final = "class pixels"
OBJECTS: Final = "object pixels"
COUNTS: Final = (PIXELS, OBJECTS)


def legend(files: Sequence[Path]) -> Any:
    """Return the classes of all tables of a set, as the JSON of one table.

    Raises:
        TableError: A table that is none, or together too many classes.
    """
    found: dict[str, SemanticClass] = {}
    for file in files:
        for one in read_table(file):
            found.setdefault(one.name, replace(one, id=len(found)))
    if not found:
        return None
    return [asdict(one) for one in checked(list(found.values()), "all tables of the set together")]


def names(legend: Any) -> Sequence[Name]:
    """Return the names of the classes; none without a table."""
    return tuple(Name(PREFIX + one.name, "region", one.colour) for one in _table(legend))


def draw(label: Label, size: Size, legend: Any) -> Drawing:
    """Return a region for each class, or for each object where those are told apart.

    Larger regions lie below smaller ones: that is how people find them.
    """
    keys = label.ids.astype(np.int32)
    if label.instances is not None:
        keys |= label.instances.astype(np.int32) << 8
    values, counts = np.unique(keys, return_counts=True)
    known = (values & UNLABELLED) != UNLABELLED
    values = values[known][np.argsort(-counts[known], kind="stable")]
    plane, regions = np.zeros(keys.shape, np.int32), []
    for number, value in enumerate(values.tolist(), start=1):
        here = keys == value
        plane[here] = number
        name = PREFIX + label.classes[value & UNLABELLED].name
        regions.append(Region(name, mean_confidence(label.confidence, here), value >> 8))
    return Drawing((keys.shape[0], keys.shape[1]), (), tuple(regions), plane)


def read(
    drawing: Drawing, legend: Any, had: Label | None, *, reviewed: bool = False
) -> Label | None:
    """Return the classes that were drawn; ``None`` where nothing is."""
    if drawing.plane is None or not drawing.plane.any():
        return None
    table = _table(legend)
    ids = {PREFIX + one.name: one.id for one in table}
    known = [ids[one.name] for one in drawing.regions]
    plane = drawing.spread(np.array(known, np.uint8), UNLABELLED)
    groups = [one.group for one in drawing.regions]
    if max(groups) >= 1 << 16:
        raise ShapeError(f"{max(groups)} is the number of an object, expected at most 65535")
    objects = drawing.spread(np.array(groups, np.uint16), 0)
    if had is None:
        sure = None if reviewed else confidence_bytes(drawing, None)
        return Label(plane, table, sure, objects if any(groups) else None)
    plane, table = _in_own_table(plane, table, had.classes)
    same = plane == _ids_in(had, table)
    kept = kept_confidence(had.confidence, np.zeros_like(same) if reviewed else same)
    if any(groups):
        return Label(plane, table, kept, objects)
    if had.instances is None:
        return Label(plane, table, kept)
    return Label(plane, table, kept, np.where(same, had.instances, np.uint16(0)))


def changes(before: Label | None, after: Label | None) -> Mapping[str, int]:
    """Count the pixels that are of another class, and those of another object of the same one."""
    if before is None or after is None:
        there = after if before is None else before
        count = 0 if there is None else int((there.ids != UNLABELLED).sum())
        return {PIXELS: count} if count else {}
    other = before.ids != _ids_in(after, before.classes, new=True)
    counts = Counter({PIXELS: int(other.sum())})
    objects = [0 if one.instances is None else one.instances for one in (before, after)]
    counts[OBJECTS] = int(((np.asarray(objects[0]) != objects[1]) & ~other).sum())
    return {name: count for name, count in counts.items() if count}


def _table(legend: Any) -> Table:
    """Return the table that a legend is."""
    if legend is None:
        return ()
    try:
        return from_text(json.dumps(legend), "the legend's table of classes")
    except (TypeError, RecursionError):
        raise TableError("the legend's table of classes is no JSON") from None


def _in_own_table(ids: NDArray[np.uint8], table: Table, own: Table) -> tuple[NDArray, Table]:
    """Return ids in the table that the label had, where that has all of their classes."""
    if table == own:
        return ids, own
    moved = np.asarray(cv2.LUT(ids, np.frombuffer(translation(table, own), np.uint8)), np.uint8)
    return (ids, table) if ((moved == UNLABELLED) & (ids != UNLABELLED)).any() else (moved, own)


def _ids_in(label: Label, table: Table, *, new: bool = False) -> NDArray[np.uint8]:
    """Return a label's ids in another table; ``new`` classes are 254, not unlabelled."""
    if label.classes == table:
        return label.ids
    values = np.frombuffer(translation(label.classes, table), np.uint8).copy()
    if new:
        lacking = [one.id for one in label.classes if values[one.id] == UNLABELLED]
        values[lacking] = UNLABELLED - 1
    return np.asarray(cv2.LUT(label.ids, values), np.uint8)
