# SPDX-License-Identifier: Apache-2.0
"""Two finished results, of ``evaluate`` or of ``replay``, instead of two models."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final, NamedTuple

from shared_encoder_perception import tasks
from shared_encoder_perception.backends.options import TTA
from shared_encoder_perception.evaluation.diff.evaluations import pair_evaluations
from shared_encoder_perception.evaluation.diff.frames import DRIVE_BLOCK
from shared_encoder_perception.evaluation.diff.pairs import Pairs
from shared_encoder_perception.evaluation.diff.replays import pair_replays
from shared_encoder_perception.files.plain_file import plain
from shared_encoder_perception.files.typed_json import parse_json

SUMMARY, FRAMES, RESULTS = "summary.json", "frames.csv", "results.jsonl"
INPUT: Final = {
    FRAMES: ("data",),
    RESULTS: ("bag", "topic", "labels", "crop", "limit"),
}
"""Conditions that two results must share, by the file that holds their frames."""
CONTENT: Final = {FRAMES: (), RESULTS: ("bag_content",)}
"""Conditions that they must share, too, where both have them: older results do not."""
MODEL: Final = {
    FRAMES: ("model", "model sha256", "engine"),
    RESULTS: ("model", "version", "sha256", "backend", "device", "precision", "tracking"),
}
"""Those by which they may differ."""
TOLD: Final = {FRAMES: (TTA,), RESULTS: ()}
"""Likewise, of results that say so."""
HELD: Final = {FRAMES: ("evaluate", "CELLS"), RESULTS: ("replay", "LINES")}
"""Command that writes such files, and what the rooms' ``recorded.py`` say of their lines."""


class Outcome(NamedTuple):
    """What two folders hold.

    Attributes:
        pairs: Counted.
        conditions: What was compared, for people.
        labelled: Whether there were labels.
        missing: Why a score may not be known.
        notes: What was left out.
    """

    pairs: Pairs
    conditions: dict[str, str]
    labelled: bool
    missing: str
    notes: list[str]


def is_result(path: Path) -> bool:
    """Whether a folder holds a finished result."""
    return any((path / name).is_file() for name in (FRAMES, RESULTS))


def compare_results(a: Path, b: Path, block: int) -> Outcome:
    """Compare two folders.

    Args:
        a: Of the version before.
        b: Of the version after.
        block: Frames that are drawn together; 0 for what suits the kind of result.

    Raises:
        ValueError: They are not results of the same kind on the same input, or are damaged.
    """
    kinds = [FRAMES if (path / FRAMES).is_file() else RESULTS for path in (a, b)]
    if kinds[0] != kinds[1]:
        raise ValueError(f"{a} has {kinds[0]}, {b} has {kinds[1]}: compare results of one command")
    kind = kinds[0]
    told = [_conditions(path, kind) for path in (a, b)]
    for key in (*INPUT[kind], *CONTENT[kind]):
        values = [one.get(key) for one in told]
        if values[0] != values[1] and not (key in CONTENT[kind] and None in values):
            raise ValueError(
                f"{a} and {b} are not of the same input: {key} is {values[0]} and {values[1]}"
            )
    conditions = {
        f"{side} {key}": str(one.get(key))
        for side, one in zip("AB", told, strict=True)
        for key in MODEL[kind]
    }
    for key in TOLD[kind]:
        if any(key in one for one in told):
            conditions |= {
                f"{side} {key}": str(one.get(key) or "none")
                for side, one in zip("AB", told, strict=True)
            }
    conditions |= {key: str(told[0].get(key) or "none") for key in INPUT[kind]}
    files = a / kind, b / kind
    if kind == FRAMES:
        pairs = pair_evaluations(*files, block or 1)
        return Outcome(pairs, conditions, True, _missing(kind, pairs), [])
    pairs, labelled, skipped = pair_replays(*files, block or DRIVE_BLOCK)
    notes = [f"{skipped} frames that A or B has skipped are left out"] if skipped else []
    return Outcome(pairs, conditions, labelled > 0, _missing(kind, pairs), notes)


def _missing(kind: str, pairs: Pairs) -> str:
    """Say what files of a kind do not hold."""
    command, attribute = HELD[kind]
    held = [getattr(room, attribute) for room in tasks.parts("recorded", pairs.answered).values()]
    has = ", ".join(dict.fromkeys(name for one in held for name in one.has))
    lacks = ", nor ".join(dict.fromkeys(name for one in held for name in one.lacks))
    words = [has] if has else []
    words += [f"no {lacks}"] if lacks else []
    return f"the results of {command} hold {', '.join(words) or 'less than answers do'}"


def _conditions(folder: Path, kind: str) -> dict[str, Any]:
    """Read what a result depends on.

    Raises:
        ValueError: The file is damaged.
        OSError: It is missing.
    """
    path = folder / (SUMMARY if kind == FRAMES else RESULTS)
    try:
        with plain(path).open("rb") as file:
            text = file.read() if kind == FRAMES else file.readline()
        return dict(parse_json(text, str(path))["conditions"])
    except (ValueError, KeyError, TypeError):
        raise ValueError(f"{path} holds no conditions: not a result of ours, or damaged") from None
