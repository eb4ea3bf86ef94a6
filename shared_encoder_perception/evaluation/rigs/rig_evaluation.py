# SPDX-License-Identifier: Apache-2.0
"""One evaluation of a task for rigs: a model, and what stands beside it, moment by moment.

Three comparisons, each on cells that are the same for all who are compared:

* ``OWN``: cells that the model's answer sees: the model, and baselines that do not look.
* ``EQUAL``: of those, the cells of which masks on the ground tell, too; so with these beside.
* ``TABLES``: as ``OWN``: the model, and the model whose view tables of two cameras are swapped.

What an answer leaves out is not scored, neither as right nor as wrong.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import numpy as np

from shared_encoder_perception import tasks
from shared_encoder_perception.evaluation.rigs.answers import Answers
from shared_encoder_perception.evaluation.rigs.counts import MomentRecord, RigCounts, headline
from shared_encoder_perception.rig.grid import BevGrid
from shared_encoder_perception.rig.ground_map import GroundLabel
from shared_encoder_perception.tasks.contract.reports import CONSTANT, EMPTY, MODEL
from shared_encoder_perception.tasks.contract.scores import Scores

OWN, EQUAL, TABLES = "own_cells", "equal_cells", "tables"
ON_GROUND: Final = "masks on the ground"
SWAPPED: Final = "tables swapped"
BESIDE: Final = {
    (EQUAL, MODEL): "equal_model",
    (EQUAL, ON_GROUND): "equal_masks",
    (TABLES, SWAPPED): "swapped",
}
"""Whose scores of a moment have columns of their own, and how those begin."""

Groups = dict[str, dict[str, RigCounts]]
"""Who was scored -> source -> counts."""


class RigEvaluation:
    """Counts a model's answers beside those of others.

    Attributes:
        task: Name of the task for rigs.
        grid: Cells of all answers.
        records: Of the moments so far.
    """

    def __init__(self, task: str, grid: BevGrid) -> None:
        """Start empty."""
        self.task, self.grid = task, grid
        self.records: list[MomentRecord] = []
        self._target, self._baseline = tasks.part(task, "target"), tasks.part(task, "baseline")
        self._metric = tasks.part(task, "metric")
        self._usual = self._baseline.Constant()
        self._groups: dict[str, Groups] = {OWN: {}, EQUAL: {}, TABLES: {}}
        self._moments = dict.fromkeys(self._groups, 0)
        self._sizes: dict[int, RigCounts] = {}

    @property
    def baselines(self) -> dict[str, str]:
        """What stands beside the model and does not look: name -> what it says."""
        return {CONSTANT: self._baseline.USUAL, EMPTY: self._baseline.NOTHING}

    def learn(self, labels: Iterable[GroundLabel]) -> None:
        """Learn what is usual, before the first moment."""
        everywhere = np.ones(self.grid.shape, np.bool_)
        for label in labels:
            self._usual.update(self._target.truth(label, self.grid, everywhere), self.grid)

    def update(
        self, index: int, name: str, source: str, label: GroundLabel, answers: Answers
    ) -> MomentRecord:
        """Add one moment.

        Args:
            index: Of the moment in its set.
            name: Of the moment.
            source: Name of its group.
            label: What is known of the ground.
            answers: What is said of it.
        """
        answer = answers.model.surround
        answer.check(self.grid)
        beside: dict[str, float] = {}
        alone = self._add(OWN, source, label, answer.seen, {MODEL: answer}, beside)
        if answers.on_ground is not None:
            both = answer.seen & answers.on_ground.seen
            said = {MODEL: answer.within(both), ON_GROUND: answers.on_ground.within(both)}
            self._add(EQUAL, source, label, both, said, beside)
        if answers.swapped is not None:
            both = answer.seen & answers.swapped.seen
            said = {MODEL: answer.within(both), SWAPPED: answers.swapped.within(both)}
            self._add(TABLES, source, label, both, said, beside)
        cameras = len(answers.model.cameras)
        self._sizes.setdefault(cameras, RigCounts(self.task)).merge(alone)
        record = MomentRecord(
            index,
            name,
            source,
            cameras,
            tuple(answers.model.missing),
            float(answer.seen.mean()),
            alone.record(answer),
            beside,
            dict(answers.model.stage_ms),
        )
        self.records.append(record)
        return record

    def _add(
        self,
        comparison: str,
        source: str,
        label: GroundLabel,
        seen: Any,
        answers: Mapping[str, Any],
        beside: dict[str, float],
    ) -> RigCounts:
        """Add the answers of a comparison, and return the model's counts of this moment alone."""
        truth = self._target.truth(label, self.grid, seen)
        said = dict(answers)
        if comparison != TABLES:
            said[CONSTANT] = self._usual.answer(self.grid, seen)
            said[EMPTY] = self._baseline.nothing(self.grid, seen)
        groups = self._groups[comparison]
        self._moments[comparison] += 1
        counted = {who: RigCounts.of(self.task, one, truth) for who, one in said.items()}
        for who, counts in counted.items():
            by_source = groups.setdefault(who, {})
            by_source.setdefault(source, RigCounts(self.task)).merge(counts)
            if (comparison, who) in BESIDE:
                cells = counts.record(said[who]).cells
                names = zip(columns(self.task, comparison, who), self._metric.SCORE, strict=True)
                beside |= {column: float(cells[name]) for column, name in names}
        return counted[MODEL]

    def compared(self, comparison: str) -> dict[str, Scores]:
        """Return the scores of all moments of a comparison, by who was scored; maybe nobody."""
        return {
            who: RigCounts.pooled(self.task, sources.values()).compute()
            for who, sources in self._groups[comparison].items()
        }

    def moments(self, comparison: str) -> int:
        """Return how many moments a comparison has."""
        return self._moments[comparison]

    def kept(self) -> dict[str, float]:
        """Return what share of each main score is left with the tables of two cameras swapped."""
        groups = self._groups[TABLES]
        if not groups:
            return {}
        one, other = (headline(self.task, groups[who]) for who in (MODEL, SWAPPED))
        return {
            name: other[name] / one[name] if one[name] else float("nan")
            for name in self._metric.SCORE
        }

    def summary(self) -> dict[str, Any]:
        """Return everything that was counted; the same for the same answers to the same moments.

        Returns:
            ``{"task", "headline": {who: numbers}, "own_cells": {who: scores}, "equal_cells":
            likewise or empty, "tables": likewise or empty, "kept": {name: share}, "sources":
            {source: {who: scores}}, "cameras": {number: scores of the model}, "seen": mean share of
            the cells}``.
        """
        own = self._groups[OWN]
        sources = sorted({source for by_source in own.values() for source in by_source})
        return {
            "task": self.task,
            "moments": len(self.records),
            "seen": float(np.mean([one.seen for one in self.records])) if self.records else 0.0,
            "headline": {who: headline(self.task, groups) for who, groups in own.items()},
            OWN: self.compared(OWN),
            EQUAL: self.compared(EQUAL),
            TABLES: self.compared(TABLES),
            "kept": self.kept(),
            "sources": {
                source: {who: groups[source].compute() for who, groups in own.items()}
                for source in sources
            },
            "cameras": {str(n): one.compute() for n, one in sorted(self._sizes.items())},
        }


def columns(task: str, comparison: str, who: str) -> list[str]:
    """Return the columns of ``moments.csv`` that somebody beside the model has."""
    names = tasks.part(task, "metric").SCORE
    return [f"{BESIDE[comparison, who]}_{name}" for name in names]
