# SPDX-License-Identifier: Apache-2.0
"""The scores of a group of moments, and of one moment."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from shared_encoder_perception import tasks
from shared_encoder_perception.tasks.contract.scores import FrameScores, Scores


class RigCounts:
    """The metrics of a task for rigs, of one group of moments. They are pooled: merged = together.

    Attributes:
        task: Its name.
        basic: ``Metric`` of its room.
        full: ``FullMetric`` of it.
    """

    def __init__(self, task: str) -> None:
        """Start empty."""
        room = tasks.part(task, "metric")
        self.task, self.basic, self.full = task, room.Metric(), room.FullMetric()

    @classmethod
    def of(cls, task: str, answer: Any, truth: Any) -> RigCounts:
        """Count one moment alone."""
        counts = cls(task)
        counts.basic.update(answer, truth)
        counts.full.update(answer, truth)
        return counts

    @classmethod
    def pooled(cls, task: str, groups: Iterable[RigCounts]) -> RigCounts:
        """Count several groups together."""
        counts = cls(task)
        for group in groups:
            counts.merge(group)
        return counts

    def merge(self, other: RigCounts) -> None:
        """Add everything another one has counted."""
        self.basic.merge(other.basic)
        self.full.merge(other.full)

    def compute(self) -> Scores:
        """Return the scores: the sections of both metrics."""
        basic = self.basic.compute()
        beside = self.full.compute()
        return {**basic, **{key: value for key, value in beside.items() if key not in basic}}

    def record(self, answer: Any) -> FrameScores:
        """Return what a moment scored that was counted alone."""
        found: FrameScores = tasks.part(self.task, "metric").record(answer, self.full)
        return found


def headline(task: str, groups: Mapping[str, RigCounts]) -> dict[str, float]:
    """Return the few numbers that stand for all, of the counts of each source."""
    room = tasks.part(task, "metric")
    basic: dict[str, float] = room.headline({name: one.basic for name, one in groups.items()})
    return basic | room.full_headline({name: one.full for name, one in groups.items()})


@dataclass(frozen=True)
class MomentRecord:
    """One moment.

    Attributes:
        index: In its set.
        name: Unique there.
        source: Name of its group.
        cameras: How many gave a picture.
        missing: Names of the others.
        seen: Share of the cells that the model's answer sees.
        scores: Of the model.
        beside: Of others and on other cells: column -> number.
        stage_ms: Of each stage.
    """

    index: int
    name: str
    source: str
    cameras: int
    missing: tuple[str, ...]
    seen: float
    scores: FrameScores
    beside: Mapping[str, float] = field(default_factory=dict)
    stage_ms: Mapping[str, float] = field(default_factory=dict)

    @property
    def latency_ms(self) -> float:
        """From the pictures to the map."""
        return sum(self.stage_ms.values())
