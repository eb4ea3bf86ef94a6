# SPDX-License-Identifier: Apache-2.0
"""Two results of ``evaluate``, frame by frame: the lines of their ``frames.csv``.

They hold less than answers do, such as shares of each image; what of it can be compared the tasks'
rooms say (``recorded.py``).
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping
from itertools import zip_longest
from pathlib import Path
from typing import Any, NamedTuple

from shared_encoder_perception import tasks
from shared_encoder_perception.drawing.overlay import by_layer
from shared_encoder_perception.evaluation.diff.changed import BETTER, SEPARATOR, WORSE, no_pictures
from shared_encoder_perception.evaluation.diff.pairs import Pairs
from shared_encoder_perception.files.plain_file import plain
from shared_encoder_perception.files.safe_text import from_csv_cell
from shared_encoder_perception.tasks.contract.comparisons import Seen


class _Frame(NamedTuple):
    """One line."""

    source: str
    name: str
    seen: dict[str, Seen]
    faults: float
    text: str


def pair_evaluations(a: Path, b: Path, block: int) -> Pairs:
    """Compare two ``frames.csv``.

    Args:
        a: Of the version before.
        b: Of the version after.
        block: Frames that are drawn together.

    Raises:
        ValueError: They are not of the same images, or a line is damaged.
    """
    pairs, rooms = Pairs(block), tasks.parts("recorded")
    for one, other in zip_longest(_csv_frames(a), _csv_frames(b)):
        if one is None or other is None or one[:2] != other[:2]:
            names = [f"{line.source}/{line.name}" if line else "nothing" for line in (one, other)]
            raise ValueError(f"{a} and {b} are not of the same images: {' and '.join(names)}")
        counts = [{name: seen.counts for name, seen in line.seen.items()} for line in (one, other)]
        for name in counts[0].keys() & counts[1].keys():
            agreed = rooms[name].cells_apart(one.seen[name], other.seen[name])
            counts[1][name] = {**counts[1][name], **agreed.counts}
        pairs.add(one.source, *counts)
        worse, sides = other.faults - one.faults, no_pictures(one.text, other.text)
        for kind, amount in ((WORSE, worse), (BETTER, -worse)):
            pairs.changed.update(kind, amount, one.source, one.name, sides)
    return pairs


def _csv_frames(path: Path) -> Iterator[_Frame]:
    """Read the lines of ``frames.csv``."""
    with plain(path).open(encoding="utf-8", newline="") as lines:
        table = csv.DictReader(lines)
        try:
            rooms = _answered(table.fieldnames or ())
        except (csv.Error, UnicodeDecodeError) as error:
            raise ValueError(f"{path} is no table of evaluate: {error}") from None
        if not rooms:
            raise ValueError(f"{path} has the columns of no task that can be compared")
        number = 1
        try:
            for number, row in enumerate(table, start=2):  # noqa: B007
                yield _csv_frame(row, rooms)
        except (KeyError, TypeError, ValueError, csv.Error) as error:
            raise ValueError(f"{path}, line {number}: not a line of evaluate: {error}") from None


def _answered(header: Iterable[str]) -> dict[str, Any]:
    """Return the rooms of the tasks whose columns are there."""
    known = set(header)
    return {
        name: room
        for name, room in tasks.parts("recorded").items()
        if known.issuperset(tasks.part(name, "metric").COLUMNS)
    }


def _csv_frame(row: Mapping[str, str], rooms: Mapping[str, Any]) -> _Frame:
    """Count one line."""
    seen = {name: room.of_cells(row) for name, room in rooms.items()}
    text = SEPARATOR.join(word for name, _ in by_layer(seen) for word in seen[name].words)
    source, image = (from_csv_cell(row[name]) for name in ("source", "image"))
    return _Frame(source, image, seen, float(row["faults"]), text)
