# SPDX-License-Identifier: Apache-2.0
"""What is read from a matrix R: accuracy, transfer, forgetting, intransigence.

R[i, j] is the score on the own test of task j after task i, both counted from 1; R[0, j] that of
the untrained network; T the number of tasks.

    accuracy            mean over j of R[T, j]
    backward transfer   mean over j < T of R[T, j] - R[j, j]
    forward transfer    mean over j > 1 of R[j - 1, j] - R[0, j]
    forgetting          mean over j < T of (max over 1 <= i < T of R[i, j]) - R[T, j]
    intransigence       mean over j of J[j, j] - R[j, j]

The first three are those of Lopez-Paz and Ranzato (NeurIPS 2017), the others those of Chaudhry et
al. (ECCV 2018). J is the matrix of a ceiling: of ``joint``, whose row j has learned the tasks 1 to
j together, as in that paper, or of networks that learned one task each. Others count forgetting as
R[j, j] - R[T, j], first minus last, which is backward transfer with the other sign: it differs from
the one here where another task helped, and that was forgotten.

A measure of which any part is not known is NaN, and none is 0 for want of tasks.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from shared_encoder_perception.continual.matrix import Matrix

MEASURES: Final = ("accuracy", "backward", "forward", "forgetting", "intransigence")
"""Fields of ``Measures`` that are numbers, in the order in which they are shown."""
TITLES: Final = {
    "accuracy": "accuracy",
    "backward": "backward transfer",
    "forward": "forward transfer",
    "forgetting": "forgetting",
    "intransigence": "intransigence",
}
MORE_IS_BETTER: Final = {
    **dict.fromkeys(("accuracy", "backward", "forward"), True),
    **dict.fromkeys(("forgetting", "intransigence"), False),
}


@dataclass(frozen=True)
class Measures:
    """Measures of one score; in its unit, NaN where not known.

    Attributes:
        accuracy: At the end, mean over tasks.
        backward: Backward transfer: below 0 where later tasks hurt.
        forward: Forward transfer: what earlier tasks taught of a later one.
        forgetting: From the best, mean over all tasks but the last.
        intransigence: What was not learned of what could have been, mean over tasks; below 0 where
            the sequence helped.
        forgetting_of: Of each task; NaN of the last.
        intransigence_of: Of each task.
    """

    accuracy: float
    backward: float
    forward: float
    forgetting: float
    intransigence: float
    forgetting_of: tuple[float, ...]
    intransigence_of: tuple[float, ...]


def square(matrix: Matrix, score: str) -> list[list[float]]:
    """Return R: a row before the first task and one after each learned, a column for each task."""
    tests = [matrix.own_test(task) for task in range(len(matrix.tasks))]
    return [[matrix.score(score, row, test) for test in tests] for row in range(matrix.learned + 1)]


def measure(
    rows: Sequence[Sequence[float]], ceiling: Sequence[Sequence[float]] | None = None
) -> Measures:
    """Compute all measures of a sequence as far as it came.

    Args:
        rows: As of ``square``; tasks without a row are left out.
        ceiling: Likewise, of ``joint`` or of networks that learned one task each: only its
            ``[j][j]`` are looked at.
    """
    count = len(rows) - 1
    last, tasks, earlier = rows[-1], range(1, count + 1), range(1, count)
    # Columns count from 0, rows have the untrained one in front.
    lost = [_greatest([rows[i][j - 1] for i in earlier]) - last[j - 1] for j in earlier]
    missing = [
        ceiling[j][j - 1] - rows[j][j - 1] if ceiling and j < len(ceiling) else math.nan
        for j in tasks
    ]
    return Measures(
        accuracy=_mean(last[j - 1] for j in tasks),
        backward=_mean(last[j - 1] - rows[j][j - 1] for j in earlier),
        forward=_mean(rows[j - 1][j - 1] - rows[0][j - 1] for j in tasks if j > 1),
        forgetting=_mean(lost),
        intransigence=_mean(missing),
        forgetting_of=(*lost, math.nan)[:count],
        intransigence_of=tuple(missing),
    )


def _greatest(values: Iterable[float]) -> float:
    """Return the greatest value; NaN if any is, or there is none."""
    found = list(values)
    return max(found) if found and not any(map(math.isnan, found)) else math.nan


def _mean(values: Iterable[float]) -> float:
    """Return the mean; NaN if any is, or there is none."""
    found = list(values)
    return sum(found) / len(found) if found else math.nan
