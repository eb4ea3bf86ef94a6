# SPDX-License-Identifier: Apache-2.0
"""``matrix.json``: what a sequence scored on each test after each task, and what that cost.

    {"strategy": "replay", "seed": 0, "digest": "…", "commit": "…", "machine": "…",
     "tasks": ["day", "dusk"],
     "tests": [{"name": "day", "task": 0}, {"name": "rain", "task": 0},
               {"name": "dusk", "task": 1}],
     "headline": ["score", "semantic_miou"],
     "scores": {"semantic_miou": [{"day": 0.1, …}, {"day": 0.7, …}, {"day": 0.5, …}], …},
     "steps": [500, 500], "batch_size": 8, "seconds": [60.1, 61.2],
     "images_per_second": [66.0, 65.1],
     "memory_samples": [25, 50], "memory_bytes": [1200, 2400], "state_bytes": [0, 0],
     "peak_mb": [900.1, 905.2], "parameters": 1100000}

Row 0 of ``scores`` is the network before the first task, row k after task number k, counted from 1.
While a sequence runs its file holds what there is: one row more than numbers of ``seconds``. A
number that is not known is not there: a test without labels has no key in its row.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from shared_encoder_perception.files.plain_file import plain
from shared_encoder_perception.files.typed_json import (
    JsonError,
    from_json,
    parse_json,
    shown,
    suggestion,
)
from shared_encoder_perception.files.whole_file import write_json

MATRIX: Final = "matrix.json"
PER_TASK: Final = (
    *("steps", "seconds", "images_per_second"),
    *("memory_samples", "memory_bytes", "state_bytes", "peak_mb"),
)
"""What has a number for each task that was learned."""


_NAME: Final = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*")
"""Of tasks and tests: folders are named by it."""


class MatrixError(ValueError):
    """A matrix that contradicts itself; the message says how."""


@dataclass(frozen=True)
class ScoredTest:
    """A test, and whose it is.

    Attributes:
        name: Each once.
        task: Number of its task, from 0. The first test of a task is the one that forgetting is
            measured on.
    """

    name: str
    task: int


@dataclass(frozen=True)
class Matrix:
    """What a sequence scored and cost so far.

    Attributes:
        strategy: Names of the strategies, joined by ``+``.
        seed: Of everything random.
        digest: SHA-256 of what was asked for, without folders of the machine, strategy and seed:
            runs with one digest may be compared.
        commit: Of this package's source; empty where that is not known.
        machine: Where it ran, in words.
        tasks: Names in the order in which they are learned.
        tests: All tests, those of a task one after another.
        headline: Names of ``scores`` of which greater is better; the first is shown first.
        scores: Name -> rows -> name of the test -> score.
        steps: Of each task learned.
        batch_size: Images of a step, those from memory included.
        seconds: Of training, without tests.
        images_per_second: Of training, those from memory included.
        memory_samples: Kept when the task had been learned.
        memory_bytes: Likewise; of latents, or of what finds the samples again.
        state_bytes: What the strategies remember beside the memory.
        peak_mb: Most resident memory of the process, MB (10^6 bytes).
        parameters: Of the network.
    """

    strategy: str
    seed: int
    digest: str
    commit: str
    machine: str
    tasks: tuple[str, ...]
    tests: tuple[ScoredTest, ...]
    headline: tuple[str, ...]
    scores: dict[str, tuple[dict[str, float], ...]]
    steps: tuple[int, ...]
    batch_size: int
    seconds: tuple[float, ...]
    images_per_second: tuple[float, ...]
    memory_samples: tuple[int, ...]
    memory_bytes: tuple[int, ...]
    state_bytes: tuple[int, ...]
    peak_mb: tuple[float, ...]
    parameters: int

    def __post_init__(self) -> None:
        """Refuse what contradicts itself.

        Raises:
            MatrixError: Names that come twice, a task without a test or a test without a task, or
                another number of rows than tasks learned.
        """
        names = [test.name for test in self.tests]
        for what, found in (("task", list(self.tasks)), ("test", names)):
            if strange := [name for name in found if not _NAME.fullmatch(name)]:
                raise MatrixError(
                    f"a {what} has the name {shown(strange[0])}, expected letters, digits, '_', "
                    "'-' and '.', which is not the first"
                )
            if twice := sorted({name for name in found if found.count(name) > 1}):
                raise MatrixError(f"two {what}s have the name {twice[0]!r}, expected each once")
        tested = sorted({test.task for test in self.tests})
        if tested != list(range(len(self.tasks))):
            raise MatrixError(
                f"tests are of the tasks {tested}, expected at least one of each of "
                f"{len(self.tasks)} tasks, from 0"
            )
        learned = len(self.seconds)
        if learned > len(self.tasks):
            raise MatrixError(f"{learned} tasks were learned, expected at most {len(self.tasks)}")
        for name in PER_TASK:
            if (count := len(getattr(self, name))) != learned:
                raise MatrixError(f"{name} has {count} numbers, expected {learned} as of seconds")
        for score, rows in self.scores.items():
            if len(rows) != learned + 1:
                raise MatrixError(
                    f"{score} has {len(rows)} rows, expected {learned + 1}: one before the first "
                    "task and one after each"
                )
            if strange := sorted({name for row in rows for name in row} - set(names)):
                raise MatrixError(
                    f"{score} has the unknown test {strange[0]!r}{suggestion(strange[0], names)}"
                )
        if not self.headline or (strange := sorted(set(self.headline) - set(self.scores))):
            lacks = f", of which scores lacks {strange[0]!r}" if self.headline else ""
            raise MatrixError(
                f"headline is {list(self.headline)}{lacks}: name scores that there are"
            )

    @property
    def learned(self) -> int:
        """How many tasks were learned."""
        return len(self.seconds)

    @property
    def source(self) -> str:
        """The commit for people: short, and whether the source was changed since."""
        number, plus, changes = self.commit.partition("+")
        return f"{number[:12]}{plus}{changes}" or "not known"

    def own_test(self, task: int) -> str:
        """Return the name of a task's own test; ``task`` counts from 0."""
        return next(test.name for test in self.tests if test.task == task)

    def score(self, name: str, row: int, test: str) -> float:
        """Return a score, NaN where it is not known.

        Args:
            name: Of the score.
            row: 0 before the first task, k after task number k.
            test: Its name.
        """
        rows = self.scores.get(name, ())
        return rows[row].get(test, math.nan) if 0 <= row < len(rows) else math.nan


def known(scores: Mapping[str, float]) -> dict[str, float]:
    """Return those scores that are numbers: a row of ``Matrix.scores``."""
    return {name: float(value) for name, value in scores.items() if math.isfinite(value)}


def rows_by_score(
    summaries: Iterable[Mapping[str, Mapping[str, float]]],
) -> dict[str, tuple[dict[str, float], ...]]:
    """Turn what was scored after each task into ``Matrix.scores``.

    Args:
        summaries: For each row, name of the test -> ``Scorer.summary()``.
    """
    rows = list(summaries)
    names = dict.fromkeys(name for row in rows for summary in row.values() for name in summary)
    return {
        name: tuple(
            known({test: summary[name] for test, summary in row.items() if name in summary})
            for row in rows
        )
        for name in names
    }


def write_matrix(matrix: Matrix, folder: Path) -> None:
    """Write ``matrix.json`` into the folder of a run; it appears only when it is complete.

    Raises:
        OSError: It cannot be written.
    """
    write_json(folder / MATRIX, asdict(matrix))


def read_matrix(folder: Path) -> Matrix:
    """Read ``matrix.json`` of the folder of a run.

    Raises:
        MatrixError: There is none, it is no JSON of this kind, or it contradicts itself.
    """
    path = folder / MATRIX
    try:
        text = plain(path).read_bytes()
    except OSError as error:
        raise MatrixError(
            f"cannot read {path} ({error.strerror}): expected the folder of a run of `continual`"
        ) from None
    try:
        return from_json(Matrix, parse_json(text, str(path)), str(path))
    except JsonError as error:
        raise MatrixError(str(error)) from None
    except MatrixError as error:
        raise MatrixError(f"{path}: {error}") from None
