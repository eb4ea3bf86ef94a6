# SPDX-License-Identifier: Apache-2.0
"""What labels mean must be the same in all tasks: a class is no other one in the next place."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from shared_encoder_perception import tasks as table
from shared_encoder_perception.continual.config import ContinualConfig
from shared_encoder_perception.labels import native
from shared_encoder_perception.labels.composites.index import is_index
from shared_encoder_perception.training.data_config import SYNTHETIC, SetConfig


def check_meanings(config: ContinualConfig) -> None:
    """Compare the files that say what labels mean; rendered worlds follow the network's own.

    Raises:
        ValueError: Those of two sets differ; the text says in what.
    """
    for task, room in table.parts("labels", config.train.network.tasks).items():
        key = getattr(room, "MEANING", "")
        first: tuple[str, Any] | None = None
        for where, one in _sets(config) if key else ():
            for meaning in _meanings(one, key):
                first = first or (where, meaning)
                if meaning != first[1]:
                    raise ValueError(
                        f"{task}: {key} of {where} is not that of {first[0]} "
                        f"({_difference(meaning, first[1])}): bring all sets of a sequence to one "
                        "table, `dataset convert` does that"
                    )


def _sets(config: ContinualConfig) -> Iterator[tuple[str, SetConfig]]:
    """Yield all native sets, and what to call them."""
    for task in config.tasks:
        tested = [one for test in task.tests for one in test.sets]
        for kind, sets in (("trained", task.train), ("tested", tested)):
            for one in sets:
                if one.path != SYNTHETIC and not is_index(Path(one.path)):
                    yield f"{one.path}, on which {task.name} is {kind},", one


def _meanings(one: SetConfig, key: str) -> Iterator[Any]:
    """Yield each meaning that lines of a set name, once."""
    path, seen = native.labels_file(Path(one.path)), set()
    with path.open("rb") as lines:
        for line in lines:
            name = json.loads(line).get(key)
            if name and name not in seen:
                seen.add(name)
                yield json.loads((path.parent / name).read_bytes())


def _difference(one: Any, other: Any) -> str:
    """Say in what two differ, where they are lists of what has names."""
    try:
        names, others = ([entry["name"] for entry in said] for said in (one, other))
    except (TypeError, KeyError):
        return "their contents differ"
    more = [f"has {name!r} more" for name in names if name not in others]
    less = [f"lacks {name!r}" for name in others if name not in names]
    return ", ".join([*more, *less][:4]) or "the same names, in another order or of other colours"
