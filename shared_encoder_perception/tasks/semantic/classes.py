# SPDX-License-Identifier: Apache-2.0
"""What a class is, and tables of classes: of a model, of a data set."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from shared_encoder_perception.files.typed_json import JsonError, from_json

UNLABELLED: Final = 255
"""Id of a pixel of which nothing is said; in labels it is ignored."""
MOST_CLASSES: Final = 254


@dataclass(frozen=True)
class SemanticClass:
    """One class of a table.

    Attributes:
        id: Value of its pixels: the ids of a table are 0 to N - 1.
        name: A word that no other class of the table has; classes of two tables are the same where
            their names are.
        category: What it is a kind of, such as ``flat``; may be empty.
        colour: RGB, 0 to 255, in pictures for people.
        drivable: Whether a vehicle may drive there.
    """

    id: int
    name: str
    category: str
    colour: tuple[int, int, int]
    drivable: bool


Table = tuple[SemanticClass, ...]
"""Classes in the order of their ids."""


class TableError(ValueError):
    """A table of classes that cannot be used; the message says what is wrong and what is not."""


def checked(classes: Sequence[SemanticClass], where: str = "classes") -> Table:
    """Return a table in the order of its ids.

    Raises:
        TableError: No class or too many, an id or a name twice, ids that are not 0 to N - 1, a
            class without a name, or a colour that is none.
    """
    if not 1 <= len(classes) <= MOST_CLASSES:
        raise TableError(f"{where}: {len(classes)} classes, expected 1 to {MOST_CLASSES}")
    for what, values in (
        ("id", [one.id for one in classes]),
        ("name", [one.name for one in classes]),
    ):
        twice = [value for value, count in Counter(values).items() if count > 1]
        if twice:
            raise TableError(f"{where}: the {what} {twice[0]!r} is there twice, expected once")
    for one in classes:
        if not one.name.strip():
            raise TableError(f"{where}: the class {one.id} has no name: give it one")
        if not all(0 <= value <= 255 for value in one.colour):
            raise TableError(
                f"{where}: the colour of {one.name!r} is {list(one.colour)}, expected three "
                "numbers from 0 to 255 (RGB)"
            )
    ordered = tuple(sorted(classes, key=lambda one: one.id))
    if [one.id for one in ordered] != list(range(len(ordered))):
        ids = [one.id for one in ordered]
        wrong = next(i for n, i in enumerate(ids) if i != n)
        raise TableError(
            f"{where}: the id {wrong}, expected 0 to {len(ordered) - 1}, each once: map other ids "
            "by a mapping file (docs/dataset_format.md)"
        )
    return ordered


def to_json(classes: Table) -> str:
    """Return a table as JSON, a class on each line."""
    lines = ",\n".join(f"  {json.dumps(asdict(one))}" for one in classes)
    return f"[\n{lines}\n]\n"


def from_text(text: str, where: str) -> Table:
    """Read a table.

    Args:
        text: JSON: a list of objects with the keys of ``SemanticClass``; ``category`` and
            ``drivable`` may be left out.
        where: What to call it in messages.

    Raises:
        TableError: It is none.
    """
    try:
        raw: Any = json.loads(text)
    except (ValueError, RecursionError):
        raise TableError(f"{where} is no JSON, expected a list of classes") from None
    if not isinstance(raw, list):
        raise TableError(f"{where} is {type(raw).__name__}, expected a list of classes")
    defaults = {"category": "", "drivable": False}
    try:
        found = [
            from_json(
                SemanticClass,
                defaults | one if isinstance(one, dict) else one,
                f"{where}, class {index}",
            )
            for index, one in enumerate(raw)
        ]
    except JsonError as error:
        raise TableError(str(error)) from None
    return checked(found, where)


def read_table(path: Path) -> Table:
    """Read a table's file.

    Raises:
        TableError: There is none, or it is no table.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise TableError(f"cannot read the table of classes {path}: {error}") from None
    return from_text(text, str(path))


def translation(source: Table, target: Table) -> bytes:
    """Return what ids of one table are in another, by name: 256 values, most ``UNLABELLED``."""
    ids = {one.name: one.id for one in target}
    values = bytearray([UNLABELLED] * 256)
    for one in source:
        values[one.id] = ids.get(one.name, UNLABELLED)
    return bytes(values)
