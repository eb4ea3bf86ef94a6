# SPDX-License-Identifier: Apache-2.0
"""The questions that images are asked ("tasks"): two literal tables, and a room for each question.

What each image is asked stands in ``ROOMS``; what a rig of several cameras is asked as a whole, in
``RIG_ROOMS``. A model may answer both: its tasks are checked, named and ordered together. Whoever
goes over all tasks without naming any means those of single images.

A room is a package with a file for each thing that only its task knows; ``contract`` says which,
and what each holds. Its files are imported when somebody asks for them, so that the runtime never
pays for training's libraries. A room may also be one module, whose attributes take the files'
places.

Whoever puts things together (predictor, network, trainer, scorer, node, replay, ...) asks these
tables, and names no task.
"""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Final

from shared_encoder_perception.files.typed_json import suggestion

ROOMS: Final = {
    "lanes": "shared_encoder_perception.tasks.lanes",
    "drivable_surface": "shared_encoder_perception.tasks.drivable",
    "semantic": "shared_encoder_perception.tasks.semantic",
    "depth": "shared_encoder_perception.tasks.depth",
    "foreground": "shared_encoder_perception.tasks.foreground",
}
"""Name of a task -> its room. Names stand in artifacts, configs and messages; they never change."""

RIG_ROOMS: Final = {
    "surround": "shared_encoder_perception.tasks.surround",
}
"""Likewise, of tasks that are asked of all cameras of a rig together; see ``contract.rigs``."""

DEFAULT: Final = ("lanes", "drivable_surface")
"""What a network answers unless its config says otherwise."""


class UnknownTaskError(ValueError):
    """A name that is no task's; the message suggests one that is."""


def rooms() -> dict[str, str]:
    """Return the rooms of both tables, by the names of their tasks; those of images first."""
    return {**ROOMS, **RIG_ROOMS}


def is_rig(name: str) -> bool:
    """Whether a task is asked of a whole rig, not of each image."""
    return name in RIG_ROOMS


def check(names: Iterable[str], where: str = "tasks") -> tuple[str, ...]:
    """Return the names of tasks of either table, in the order given.

    Raises:
        UnknownTaskError: One of them is in no table, or stands there twice, or there is none.
    """
    found, known = tuple(names), rooms()
    for name in found:
        if name not in known:
            hint = suggestion(name, known)
            raise UnknownTaskError(f"{where}: there is no task {name!r}{hint}")
    if not found or len(set(found)) < len(found):
        raise UnknownTaskError(f"{where} is {list(found)}, expected different names, at least one")
    return found


def part(name: str, file: str) -> Any:
    """Return a file of a task's room, such as ``part("lanes", "decode")``; see ``contract``.

    Raises:
        UnknownTaskError: There is no such task.
        LookupError: Its room lacks the file.
    """
    found = find_part(name, file)
    if found is None:
        raise LookupError(f"the room of the task {name!r} has no {file}: see tasks/contract")
    return found


def find_part(name: str, file: str) -> Any | None:
    """Return a file of a task's room; ``None`` where the task does without it."""
    (name,) = check([name])
    place = rooms()[name]
    room = import_module(place)
    if not hasattr(room, "__path__"):
        return getattr(room, file, None)
    module = f"{place}.{file}"
    return None if find_spec(module) is None else import_module(module)


def parts(file: str, names: Iterable[str] | None = None) -> dict[str, Any]:
    """Return that file of each task's room that has it, by the task's name.

    Args:
        file: Its name.
        names: Tasks, in this order; by default all of ``ROOMS``, which are those of single images.
    """
    found = {name: find_part(name, file) for name in (ROOMS if names is None else names)}
    return {name: module for name, module in found.items() if module is not None}
