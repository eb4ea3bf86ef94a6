# SPDX-License-Identifier: Apache-2.0
"""Lines in files, scores, comparisons.

What reports show of a task is in ``contract.reports``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from shared_encoder_perception.structures import Size

Scores = dict[str, Any]
"""JSON's types; NaN where nothing was counted."""


# ---- scores -------------------------------------------------------------------------------------


CALIBRATION: Final = "calibration"
"""Section of a source's scores that tasks share: ``SECTION`` -> a ``tasks.reliability.Reliability``
of what the task states with confidence."""
UNKNOWN: Final = "unknown"
"""Slice of an image of which nothing is known."""


class Metric(Protocol):
    """``metric.py``: how right answers are; counts are pooled, and merged = pooled.

    ``Metric()`` counts what training validates by; ``FullMetric()`` what ``evaluate`` shows beside.
    Both have ``update(answer, label, image_size, crop)``, ``merge(other)`` and ``compute() ->
    Scores``, the sections of a source's scores, always the same ones. Sections are the task's own
    but for ``CALIBRATION``. ``label`` is whole, ``crop`` what the network saw; an answer or a label
    that is missing is never handed over.
    """

    Metric: Any
    FullMetric: Any
    SECTION: str
    """The section of ``Metric.compute`` that tells whose scores they are."""
    SCORE: Sequence[str]
    """Keys of the headline whose mean, over all tasks, is ``score``."""
    COLUMNS: Sequence[str]
    """Columns of ``frames.csv``, in order."""

    def headline(self, by_source: Mapping[str, Any]) -> dict[str, float]:
        """Return the few numbers that stand for all, of the ``Metric`` of each source."""

    def shipped_scores(self, scores: Scores) -> dict[str, float]:
        """Return the few of a source's sections that go into ``ModelSpec.scores``; may hold NaN."""

    def full_headline(self, by_source: Mapping[str, Any]) -> dict[str, float]:
        """Return what ``evaluate`` adds to it, of each source's ``FullMetric``."""

    def informed(self, answer: Any, label: Any) -> Any:
        """(optional) Return an answer with what its label tells of the camera."""

    def record(self, answer: Any, counted: Any) -> FrameScores:
        """Return what one image scored.

        Args:
            answer: Of the image.
            counted: A ``FullMetric`` that saw it alone; or nothing, where it is not labelled.
        """


@dataclass(frozen=True)
class FrameScores:
    """What one image scored on one task.

    Attributes:
        cells: ``COLUMNS`` -> text or number; NaN is an empty cell.
        faults: How much was wrong, 0 for a faultless answer.
        scored: Whether there was anything to be scored.
        words: For people, e.g. ``("mask IoU 0.912",)``; nothing where nothing was to be scored.
        shares: Name -> number from 0 to 1, the higher the better, NaN where unknown: the scores of
            an image that may be averaged over images.
    """

    cells: Mapping[str, str | float]
    faults: float
    scored: bool
    words: Sequence[str] = ()
    shares: Mapping[str, float] = field(default_factory=dict)


class Baseline(Protocol):
    """``baseline.py`` (optional): what is said without looking at the image.

    ``Constant()`` learns what is usual: ``update(label, image_size)``, ``merge(other)``,
    ``answer(image_size)``, which is ``nothing`` where nothing was learned.
    """

    USUAL: str
    """What ``Constant`` says, for people: ``"each head's mean line"``."""
    NOTHING: str
    """What ``nothing`` says: ``"no lane"``."""
    Constant: Any

    def nothing(self, image_size: Size) -> Any:
        """Return the answer that there is nothing, for an image of ``(height, width)``."""


class Rivals(Protocol):
    """``rivals.py`` (optional): what is said by methods that look at the image and learn nothing.

    ``Metric()`` has ``update(image, label, image_size, crop)``, ``merge(other)`` and ``compute()``
    -> ``{SECTION: ...}``, a section of a source's scores beside those of ``metric.py``.
    """

    SECTION: str
    Metric: Any


class Slices(Protocol):
    """``slices.py`` (optional): kinds of image that a label tells apart, such as how roads bend."""

    RULES: Mapping[str, str]
    """Name of a way to slice -> its rule, for people."""
    ORDER: Sequence[str]
    """Slices in the order in which people expect them."""

    def slices_of(self, label: Any, image_size: Size) -> dict[str, str]:
        """Return the slice that an image is in, for each of ``RULES``; or ``UNKNOWN``."""
