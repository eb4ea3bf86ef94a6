# SPDX-License-Identifier: Apache-2.0
"""Two results of ``replay``, frame by frame: the lines of their ``results.jsonl``.

They hold less than answers do, such as of a mask its area only; what of it can be compared the
tasks' rooms say (``recorded.py``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import zip_longest
from pathlib import Path
from typing import Any, Final, NamedTuple

from shared_encoder_perception import tasks
from shared_encoder_perception.evaluation.diff.changed import (
    APART,
    BETTER,
    SEPARATOR,
    WORSE,
    no_pictures,
)
from shared_encoder_perception.evaluation.diff.pairs import Pairs
from shared_encoder_perception.files.plain_file import plain
from shared_encoder_perception.files.typed_json import parse_json
from shared_encoder_perception.tasks.contract.comparisons import Seen

DRIVE: Final = "drive"
"""Source name of all frames."""


class PairedReplays(NamedTuple):
    """What two replays hold.

    Attributes:
        pairs: Counted.
        labelled: Frames with labels.
        skipped: Frames that A or B has skipped, which are left out.
    """

    pairs: Pairs
    labelled: int
    skipped: int


def pair_replays(a: Path, b: Path, block: int) -> PairedReplays:
    """Compare two ``results.jsonl``.

    Args:
        a: Of the version before.
        b: Of the version after.
        block: Frames that are drawn together.

    Raises:
        ValueError: They are not of the same frames, or a line is damaged.
    """
    pairs, labelled, skipped = Pairs(block), 0, 0
    rooms = tasks.parts("recorded")
    for one, other in zip_longest(_lines(a), _lines(b)):
        keys = [f"frame {line['frame']}" if line else "nothing" for line in (one, other)]
        if one is None or other is None or keys[0] != keys[1] or _stamp(one) != _stamp(other):
            raise ValueError(f"{a} and {b} are not of the same frames: {' and '.join(keys)}")
        if "skipped" in one or "skipped" in other:
            skipped += 1
            continue
        labelled += "scores" in one and "scores" in other
        try:
            _add(pairs, rooms, one, other)
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{a} or {b}, {keys[0]}: not a line of replay: {error}") from None
    return PairedReplays(pairs, labelled, skipped)


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    """Read all lines but the first, which holds the conditions."""
    with plain(path).open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            try:
                record = parse_json(line, "it")
                if number > 1:
                    yield {"frame": record["frame"], **record}
            except (ValueError, KeyError, TypeError):
                raise ValueError(f"{path}, line {number}: not a line of replay") from None


def _stamp(line: Mapping[str, Any]) -> Any:
    """Return when a frame was taken."""
    return line.get("stamp_ns")


def _add(
    pairs: Pairs, rooms: Mapping[str, Any], one: Mapping[str, Any], other: Mapping[str, Any]
) -> None:
    """Count one frame of two replays."""
    seen = [_seen(rooms, line) for line in (one, other)]
    counts = [{task: side.counts for task, side in of_line.items()} for of_line in seen]
    distance = 0.0
    for task in rooms:
        if task in counts[0] and task in counts[1]:
            apart = rooms[task].lines_apart(one, other)
            counts[1][task] = {**counts[1][task], **apart.counts}
            distance += apart.amount
    pairs.add(DRIVE, *counts)
    name = f"frame {one['frame']}"
    texts = [
        SEPARATOR.join(word for side in of_line.values() for word in side.words) for of_line in seen
    ]
    sides = no_pictures(*texts)
    if "scores" in one and "scores" in other:
        faults = [sum(side.faults for side in of_line.values()) for of_line in seen]
        pairs.changed.update(WORSE, faults[1] - faults[0], DRIVE, name, sides)
        pairs.changed.update(BETTER, faults[0] - faults[1], DRIVE, name, sides)
        return
    pairs.changed.update(APART, distance, DRIVE, name, sides)


def _seen(rooms: Mapping[str, Any], line: Mapping[str, Any]) -> dict[str, Seen]:
    """Return what a line tells, by the tasks that it tells of.

    Raises:
        KeyError: It tells of none.
    """
    found = {task: room.of_line(line) for task, room in rooms.items()}
    known = {task: seen for task, seen in found.items() if seen is not None}
    if not known:
        raise KeyError(f"nothing of {', '.join(rooms)}")
    return known
