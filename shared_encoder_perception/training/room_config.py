# SPDX-License-Identifier: Apache-2.0
"""Configs whose keys belong to several rooms: made of all of them, and taken apart again."""

from __future__ import annotations

from dataclasses import MISSING, Field, field, fields, make_dataclass
from functools import lru_cache
from typing import Any, get_type_hints

from shared_encoder_perception import tasks


def joined(base: type, file: str) -> type:
    """Return a dataclass with the keys of ``base`` and of every room's ``Config``.

    Args:
        base: A frozen dataclass.
        file: The file of a room whose ``Config`` adds keys, all of which have defaults.

    Raises:
        ValueError: Two of them have the same key.
    """
    return _joined(base, file, tuple(tasks.rooms()))


@lru_cache
def _joined(base: type, file: str, names: tuple[str, ...]) -> type:
    """Make it once: instances of two classes are never equal."""
    kinds = [base, *(kind for room in tasks.parts(file, names).values() if (kind := _config(room)))]
    keys: dict[str, tuple[str, Any, Field[Any]]] = {}
    for kind in kinds:
        hints = get_type_hints(kind)
        for item in fields(kind):
            if item.name in keys:
                raise ValueError(f"two rooms have a key {item.name!r} in Config of their {file}.py")
            keys[item.name] = (item.name, hints[item.name], _copy(item))
    # To travel between processes: nobody could import this class by its name.
    reduce = {"__reduce__": lambda one: (_again, (base, file, vars(one)))}
    return make_dataclass(base.__name__, keys.values(), frozen=True, namespace=reduce)


def _again(base: type, file: str, values: dict[str, Any]) -> Any:
    """Return a joined config that came from another process."""
    return joined(base, file)(**values)


def own(config: Any, room: Any) -> Any:
    """Return a room's ``Config`` of a joined one; ``None`` where it has none.

    Args:
        config: Of a class that ``joined`` made.
        room: A file of the room, such as ``tasks.part(name, "loss")``.

    Raises:
        ValueError: A value that the room refuses.
    """
    kind = _config(room)
    if kind is None:
        return None
    return kind(**{item.name: getattr(config, item.name) for item in fields(kind)})


def _config(room: Any) -> Any | None:
    """Return a room's ``Config``, where it has one."""
    return getattr(room, "Config", None)


def _copy(item: Field[Any]) -> Field[Any]:
    """Return a key's default as a field of another dataclass."""
    if item.default_factory is not MISSING:
        return field(default_factory=item.default_factory)
    return field(default=item.default)
