# SPDX-License-Identifier: Apache-2.0
"""``report.py``, what people get to see of scores.

In tables the model stands beside baselines that do not look at the image.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, Protocol

MODEL, CONSTANT, EMPTY = "model", "constant", "empty"
"""Who was scored: the model, what is usual said of every image, and that there is nothing."""
TWO: Final = (MODEL, CONSTANT)
THREE: Final = (MODEL, CONSTANT, EMPTY)

Cell = str | int | float | None
"""Of a table: texts stand left, numbers right; ``None`` and NaN are shown as a dash."""
Groups = Sequence[tuple[str, int]]
"""Names over columns that belong together, and how many columns."""
Sources = Mapping[str, Mapping[str, Any]]
"""Source -> its scores: the sections of ``metric.py``, of all tasks."""
Summary = Mapping[str, Any]
"""``{"sources": Sources, "baselines": {CONSTANT or EMPTY: Sources}, ...}``."""


class Page(Protocol):
    """The page of an HTML report, as ``evaluation.report.document.Report`` is one."""

    def section(self, title: str) -> None:
        """Begin a section."""

    def heading(self, text: str) -> None:
        """Begin a part of the section."""

    def text(self, text: str) -> None:
        """Add a paragraph of plain text."""

    def table(
        self,
        header: Sequence[str],
        rows: Sequence[Sequence[Cell]],
        caption: str = "",
        *,
        groups: Groups = (),
        muted: Collection[int] = (),
        decimals: Mapping[int, int] | None = None,
    ) -> None:
        """Add a table; ``muted`` columns step back, ``decimals`` of a column's floats are 3."""

    def chart(
        self, draw: Callable[[Any], None], inches: tuple[float, float], caption: str = ""
    ) -> None:
        """Add a chart.

        Args:
            draw: Draws on a matplotlib ``Axes``.
            inches: Width and height, with everything around the axes.
            caption: Below.
        """


class Column(NamedTuple):
    """A column of a table that tasks share.

    Attributes:
        name: Its header.
        value: Takes its cell from the scores of a source or slice.
    """

    name: str
    value: Callable[[Mapping[str, Any]], Cell]


class Statements(NamedTuple):
    """What a task states with confidence, in words for people.

    Attributes:
        title: Of the diagram: ``"lanes: detected lines"``.
        right: What came true: ``"right lines"``.
        unit: What is counted: ``"lines"``.
    """

    title: str
    right: str
    unit: str


@dataclass(frozen=True)
class TaskReport:
    """``REPORT`` of ``report.py`` (optional): what is shown of a task beside its numbers in files.

    Everything in it may be left out. Texts are parts of sentences, in lower case.

    Attributes:
        headlines: Key of the headline -> what people call it.
        pooling: How its headline pools sources.
        spreads: Name in ``FrameScores.shares`` -> its name for people, for a histogram.
        faults: What counts as a fault of a frame.
        outlined: What of a label is outlined in white.
        statements: What it states with confidence.
        slice_counts: How much is labelled, in the table of slices.
        slice_scores: Scores there, of the model and of the constant baseline; without baseline a
            dash.
        card_columns: Columns of the model card's table with one row per source.
        card_confidence: Those which come last in it, of calibration.
        terminal: Returns the lines of a table for the terminal, of sources and of the baselines by
            name; the header first.
        write: Adds the task's section to a page; nothing where nothing was labelled.
        card: Returns the lines of a Markdown table of its own.
    """

    headlines: Mapping[str, str] = field(default_factory=dict)
    pooling: str = ""
    spreads: Mapping[str, str] = field(default_factory=dict)
    faults: str = ""
    outlined: str = ""
    statements: Statements | None = None
    slice_counts: Sequence[Column] = ()
    slice_scores: Sequence[Column] = ()
    card_columns: Sequence[Column] = ()
    card_confidence: Sequence[Column] = ()
    terminal: Callable[[Sources, Mapping[str, Sources]], Sequence[str]] | None = None
    write: Callable[[Page, Summary], None] | None = None
    card: Callable[[Sources], Sequence[str]] | None = None


def muted(groups: Groups) -> set[int]:
    """Return the columns of baselines: in a group of ``TWO`` or ``THREE`` all but the first.

    Groups of the model alone say so in their name.
    """
    columns: set[int] = set()
    start = 0
    for name, span in groups:
        if name == CONSTANT:
            columns.update(range(start, start + span))
        elif name and not name.startswith(MODEL):
            columns.update(range(start + 1, start + span))
        start += span
    return columns


def scores_of(summary: Summary, source: str) -> dict[str, Mapping[str, Any]]:
    """Return what the model and the baselines score on a source, by name."""
    baselines = {name: scores[source] for name, scores in summary["baselines"].items()}
    return {MODEL: summary["sources"][source], **baselines}


def number(value: float, width: int = 0, nothing: str = "-") -> str:
    """Write three decimals, or a dash for nothing to count, right-aligned."""
    return f"{nothing if value != value else format(value, '.3f'):>{width}}"
