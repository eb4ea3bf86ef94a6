"""What the files of a task's room hold, continued: lines in files, scores, comparisons, reports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

Scores = dict[str, Any]
"""JSON's types; NaN where nothing was counted."""


# ---- scores -------------------------------------------------------------------------------------


class Metric(Protocol):
    """``metric.py``: how right answers are; counts are pooled, and merged = pooled.

    ``Metric()`` counts what training validates by; ``FullMetric()`` what ``evaluate`` shows beside.
    Both have ``update(answer, label, image_size, crop)``, ``merge(other)`` and ``compute() ->
    Scores``, the sections of a source's scores; sections of several tasks are merged key by key.
    ``label`` is whole, ``crop`` what the network saw; an answer or a label that is missing is never
    handed over.
    """

    Metric: Any
    FullMetric: Any
    SCORE: Sequence[str]
    """Keys of the headline whose mean, over all tasks, is ``score``."""
    COLUMNS: Sequence[str]
    """Columns of ``frames.csv``, in order."""

    def headline(self, by_source: Mapping[str, Any]) -> dict[str, float]:
        """Return the few numbers that stand for all, of the ``Metric`` of each source."""

    def full_headline(self, by_source: Mapping[str, Any]) -> dict[str, float]:
        """Return what ``evaluate`` adds to it, of each source's ``FullMetric``."""

    def record(self, answer: Any, counted: Any) -> Any:
        """Return a ``FrameScores`` of one image, of a ``FullMetric`` that saw it alone."""


@dataclass(frozen=True)
class FrameScores:
    """What one image scored on one task.

    Attributes:
        cells: ``COLUMNS`` -> text or number; NaN is an empty cell.
        faults: How much was wrong, 0 for a faultless answer.
        scored: Whether there was anything to be scored.
        words: For people, e.g. ``("mask IoU 0.912",)``.
    """

    cells: Mapping[str, str | float]
    faults: float
    scored: bool
    words: Sequence[str] = ()
