"""The questions that images are asked ("tasks"): one literal table, and a room for each.

A room is a package with a file for each thing that only its task knows; ``contract`` says which,
and what each holds. Its files are imported when somebody asks for them, so that the runtime never
pays for training's libraries. A room may also be one module, whose attributes take the files'
places.

Whoever puts things together (predictor, network, trainer, scorer, node, replay, ...) asks this
table, and names no task.
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

DEFAULT: Final = ("lanes", "drivable_surface")
"""What a network answers unless its config says otherwise."""


class UnknownTaskError(ValueError):
    """A name that is no task's; the message suggests one that is."""


def check(names: Iterable[str], where: str = "tasks") -> tuple[str, ...]:
    """Return the names of tasks, in the order given.

    Raises:
        UnknownTaskError: One of them is not in the table, or stands there twice, or there is none.
    """
    found = tuple(names)
    for name in found:
        if name not in ROOMS:
            hint = suggestion(name, ROOMS)
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
    room = import_module(ROOMS[name])
    if not hasattr(room, "__path__"):
        return getattr(room, file, None)
    module = f"{ROOMS[name]}.{file}"
    return None if find_spec(module) is None else import_module(module)


def parts(file: str, names: Iterable[str] | None = None) -> dict[str, Any]:
    """Return that file of each task's room that has it, by the task's name.

    Args:
        file: Its name.
        names: Tasks, in this order; by default all of the table.
    """
    found = {name: find_part(name, file) for name in (ROOMS if names is None else names)}
    return {name: module for name, module in found.items() if module is not None}
