# SPDX-License-Identifier: Apache-2.0
"""What the shapes of an export are called, and what they mean: ``legend.json`` beside its files."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from shared_encoder_perception import tasks as table
from shared_encoder_perception.files.data_paths import write_new
from shared_encoder_perception.files.typed_json import suggestion
from shared_encoder_perception.labels import native
from shared_encoder_perception.labels.label_io import load_json, read_label
from shared_encoder_perception.labels.record_faults import load_record
from shared_encoder_perception.tasks.label_files import LabelError, named_file
from shared_encoder_perception.tasks.shapes import Name

FILE: Final = "legend.json"
TASKS: Final = "tasks"
BY_MODEL: Final = "by_model/"
"""Begins the flag of a task whose label on a picture a model made."""
FLAG_COLOUR: Final = (90, 90, 90)


@dataclass(frozen=True, eq=False)
class Legend:
    """The tasks of an export.

    Attributes:
        tasks: Those whose labels are drawn, with what their rooms call a legend.
        path: Where it was found, for messages.
    """

    tasks: Mapping[str, Any]
    path: Path

    @cached_property
    def rooms(self) -> dict[str, Any]:
        """The ``shapes`` of each task's room."""
        return table.parts("shapes", self.tasks)

    @cached_property
    def names(self) -> dict[str, tuple[str, Name]]:
        """Each name -> its task, and what it is; in the order of the tasks."""
        found: dict[str, tuple[str, Name]] = {}
        for task, room in self.rooms.items():
            try:
                names = room.names(self.tasks[task])
            except ValueError as error:
                raise LabelError(self.path, None, str(error)) from None
            flag = Name(by_model(task), "flag", FLAG_COLOUR)
            found |= {name.text: (task, name) for name in (*names, flag)}
        return found

    def known(self, name: str, kind: str, where: str) -> str:
        """Return the task of a shape's name.

        Args:
            name: As it stands in a file.
            kind: ``"line"``, ``"region"`` or ``"flag"``.
            where: File and shape, for messages.

        Raises:
            ValueError: No shape has this name, or one of another kind.
        """
        if name not in self.names:
            hint = suggestion(name, self.names)
            raise ValueError(f"{where} has the unknown label {name!r}{hint}")
        task, known = self.names[name]
        if known.kind != kind:
            raise ValueError(f"{where} is a {kind}, expected a {known.kind} for {name!r}")
        return task

    def of_labels(self, labels: Collection[str]) -> Legend:
        """Return the legend of the tasks of some labels: of those a file can say something."""
        named = {self.names[label][0] for label in labels if label in self.names}
        return Legend({t: one for t, one in self.tasks.items() if t in named}, self.path)

    def write(self, folder: Path) -> None:
        """Write the file."""
        text = json.dumps({TASKS: dict(self.tasks)}, indent=1)
        write_new(folder, FILE, f"{text}\n".encode())


def by_model(task: str) -> str:
    """Return the flag of a task's labels that a model made."""
    return BY_MODEL + str(table.part(task, "labels").KEYS[0])


def legend_of_set(path: Path, asked: Sequence[str] = ()) -> Legend:
    """Look through the lines of a native set.

    Args:
        path: The set's folder or file.
        asked: Tasks; without, those that the set has labels of.

    Raises:
        ValueError: A task that is not drawn, or no labels of any that is.
        LabelError: A faulty line.
    """
    path = native.labels_file(path)
    drawn = table.parts("shapes")
    if strange := [task for task in table.check(asked) if task not in drawn] if asked else []:
        raise ValueError(f"labels of {strange[0]!r} are not drawn, expected some of {list(drawn)}")
    rooms = {task: table.part(task, "labels") for task in asked or drawn}
    there: set[str] = set()
    files: dict[str, dict[Path, None]] = {task: {} for task in rooms}
    for number, record in _records(path):
        for task, room in rooms.items():
            if not any(record.get(key) for key in room.KEYS):
                continue
            there.add(task)
            key = getattr(room, "MEANING", None)
            if key and record.get(key):
                files[task][named_file(path.parent, record[key], key, path, number)] = None
    if not there and not asked:
        raise ValueError(f"{path} has no labels that are drawn, expected some of {list(drawn)}")
    return Legend(
        {
            task: drawn[task].legend(list(files[task])) if hasattr(drawn[task], "legend") else None
            for task in rooms
            if task in there or asked
        },
        path,
    )


def _records(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield number and content of each line."""
    with path.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            record, faults = load_record(line)
            if faults:
                raise LabelError(path, number, faults[0])
            yield number, record


def read_legend(path: Path) -> Legend:
    """Read the file of an export.

    Raises:
        LabelError: It is none.
    """
    content = load_json(read_label(path), path)
    found = content.get(TASKS) if isinstance(content, dict) else None
    known = table.parts("shapes")
    if not isinstance(found, dict) or not found or set(found) - set(known):
        reason = f"is no legend of an export, expected {TASKS!r} with some of {list(known)}"
        raise LabelError(path, None, reason)
    legend = Legend(found, path)
    _ = legend.names  # says now what is wrong with it
    return legend
