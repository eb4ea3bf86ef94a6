# SPDX-License-Identifier: Apache-2.0
"""The scores that two models are compared by, each a function of summed counts.

Those with labels have the names, and the values, of ``evaluate``'s headline; ``image/...`` are
means over images. Those that begin with ``agreement/`` need no label: they hold model B against
model A. All but the first are the tasks' own (``drift.py`` of their rooms).
"""

from __future__ import annotations

import math
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from shared_encoder_perception import tasks
from shared_encoder_perception.evaluation.diff.bootstrap import (
    FEWEST,
    NO_INTERVAL,
    RESAMPLES,
    SEED,
    Groups,
    Interval,
    interval,
    resampled_sums,
)
from shared_encoder_perception.evaluation.diff.counts import Columns, TaskSums
from shared_encoder_perception.tasks.contract.comparisons import HIGHER, SummedScore, Values
from shared_encoder_perception.tasks.sums import mean

AllSums = Mapping[str, TaskSums]
"""Sums by task."""


@dataclass(frozen=True)
class Change:
    """What became of a score from A to B.

    Attributes:
        metric: Its name.
        better: As of ``SummedScore``.
        a: Score of A.
        b: Score of B.
        change: ``b - a``.
        interval: 95 % confidence interval of the change.
        part: As of ``SummedScore``.
        glance: As of ``SummedScore``.
    """

    metric: str
    better: int
    a: float
    b: float
    change: float
    interval: Interval
    part: bool = False
    glance: bool = False

    @property
    def loss(self) -> float:
        """How much worse B is, negative if it is better; NaN where one of them has no score."""
        return -self.better * self.change if self.better else abs(self.change)

    @property
    def significant(self) -> bool:
        """Whether chance alone hardly makes such a change."""
        return self.interval.excludes_zero


def scores_of(names: Iterable[str], meant: Container[str] | None = None) -> list[SummedScore]:
    """Return the scores of tasks, of ``AllSums``, in the order in which they are shown.

    The first is the mean of those that ``metric.SCORE`` of each task names.

    Args:
        names: Of tasks.
        meant: Scores that may be part of the mean; ``None`` for all.
    """
    found: list[SummedScore] = []
    headline: list[SummedScore] = []
    for name, room in tasks.parts("drift", names).items():
        own = [_of_all(name, score) for score in room.SCORES]
        wanted = tasks.part(name, "metric").SCORE
        headline += [score for key in wanted for score in own if score.name == key]
        found += own
    if meant is not None:
        headline = [score for score in headline if score.name in meant]
    found.sort(key=lambda score: score.place)
    if headline:
        found.insert(0, _mean_of(headline))
    return found


def _of_all(name: str, score: SummedScore) -> SummedScore:
    """Return a task's score as one of the sums of all tasks."""
    return replace(score, value=lambda sums: score.value(sums[name]))


def _mean_of(headline: Sequence[SummedScore]) -> SummedScore:
    """Return the score that is the mean of others."""

    def value(sums: AllSums) -> Values:
        return mean([score.value(sums) for score in headline])

    return SummedScore("score", HIGHER, value, glance=True)


def changes(
    columns: Columns, a: Groups, b: Groups, resamples: int = RESAMPLES, seed: int = SEED
) -> dict[str, Change]:
    """Compute every score of both models, and how sure its change is.

    Args:
        columns: Of the rows.
        a: Rows of frames or blocks of A by source, (n, columns) each.
        b: Those of B, of the same frames.
        resamples: Of the bootstrap.
        seed: Of the bootstrap.

    Returns:
        By name, without those that neither model has.
    """
    whole = [columns.sums([group.sum(axis=0)[np.newaxis] for group in side]) for side in (a, b)]
    enough = sum(map(len, a)) >= FEWEST
    drawn = (
        [columns.sums(resampled_sums(side, resamples, seed)) for side in (a, b)] if enough else []
    )
    found = {}
    # A mean over what one of them is not asked for would compare different things.
    shared = {
        score.name
        for score in scores_of(columns.places)
        if not any(math.isnan(float(_value(score, sums)[0])) for sums in whole)
    }
    for score in scores_of(columns.places, shared):
        values = [_value(score, sums) for sums in whole]
        if score.perfect is not None:
            values[0] = np.where(np.isnan(values[1]), np.nan, score.perfect)
        before, after = (float(value[0]) for value in values)
        if math.isnan(before) and math.isnan(after):
            continue
        spread = NO_INTERVAL
        if drawn and not math.isnan(after - before):
            start = _value(score, drawn[0]) if score.perfect is None else score.perfect
            spread = interval(_value(score, drawn[1]) - start)
        found[score.name] = Change(
            score.name,
            score.better,
            before,
            after,
            after - before,
            spread,
            score.part,
            score.glance,
        )
    return found


def _value(score: SummedScore, sums: AllSums) -> Values:
    """Compute a score; nothing of nothing is NaN, without a warning."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return score.value(sums)
