# SPDX-License-Identifier: Apache-2.0
"""What is shown of scores, put together from what each task's room has to say (``report.py``)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from shared_encoder_perception import tasks
from shared_encoder_perception.evaluation.slices import in_order
from shared_encoder_perception.files.safe_text import printable
from shared_encoder_perception.tasks.contract.reports import (
    MODEL,
    TWO,
    Cell,
    Groups,
    Sources,
    Statements,
    TaskReport,
    number,
)
from shared_encoder_perception.tasks.contract.scores import CALIBRATION

Table = tuple[list[str], list[list[Cell]], Groups]
"""Header, rows, and names over columns."""


def shown_tasks(scores: Sources) -> dict[str, TaskReport]:
    """Return the report of each task that was scored, by the section of its scores.

    Args:
        scores: Of each source, or of each slice.
    """
    found = {}
    for name, room in tasks.parts("report").items():
        section = tasks.part(name, "metric").SECTION
        if any(section in sections for sections in scores.values()):
            found[section] = room.REPORT
    return found


def statements(scores: Sources) -> dict[str, Statements]:
    """Return what each scored task states with confidence, by the section of its scores."""
    return {
        section: report.statements
        for section, report in shown_tasks(scores).items()
        if report.statements is not None
    }


def terminal_table(scores: Sources, baselines: Mapping[str, Sources] | None = None) -> str:
    """Render scores for a terminal; rows without labels are left out.

    Args:
        scores: As ``Scorer.compute`` returns them.
        baselines: Name -> likewise, to stand beside what they are to be compared with.
    """
    scores = {printable(source): sections for source, sections in scores.items()}
    others = {
        name: {printable(source): sections for source, sections in one.items()}
        for name, one in (baselines or {}).items()
    }
    blocks = [
        "\n".join(report.terminal(scores, others))
        for report in shown_tasks(scores).values()
        if report.terminal is not None
    ]
    if stated := list(statements(scores)):
        lines = [f"{'source':<16}calibration error, {' / '.join(stated)}"]
        for source, sections in scores.items():
            errors = (number(sections[CALIBRATION][section]["ece"]) for section in stated)
            lines.append(f"{source:<16}{' / '.join(errors)}")
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks)


def confidence_table(scores: Sources) -> tuple[list[str], list[list[Cell]]]:
    """Return header and rows: how far stated confidence is from what came true, by source."""
    header, rows = ["source"], [[source] for source in scores]
    for section, stated in statements(scores).items():
        header += [f"{section}: ECE", stated.unit]
        for row, sections in zip(rows, scores.values(), strict=True):
            error = sections[CALIBRATION][section]
            row += [error["ece"], error["count"]]
    return header, [list(row) for row in rows]


def slice_table(way: str, slices: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> Table:
    """Return the scores of each slice of one way to slice.

    Args:
        way: Its name.
        slices: Slice -> ``MODEL`` and ``CONSTANT`` -> scores.
    """
    reports = shown_tasks({value: said[MODEL] for value, said in slices.items()})
    counts = [column for report in reports.values() for column in report.slice_counts]
    scores = [(key, one) for key, report in reports.items() for one in report.slice_scores]
    rows: list[list[Cell]] = []
    for value in in_order(slices):
        said = slices[value]
        row: list[Cell] = [value, *(column.value(said[MODEL]) for column in counts)]
        for section, column in scores:
            row += [column.value(said[who]) if section in said[who] else None for who in TWO]
        rows.append(row)
    header = [way, *(column.name for column in counts), *(TWO * len(scores))]
    groups = [("", 1 + len(counts)), *((column.name, len(TWO)) for _, column in scores)]
    return header, rows, groups


def card_tables(scores: Sources) -> str:
    """Render scores as Markdown: each task's own table, and one with a row per source."""
    reports = shown_tasks(scores).values()
    blocks = ["\n".join(report.card(scores)) for report in reports if report.card is not None]
    columns = [column for report in reports for column in report.card_columns]
    columns += [column for report in reports for column in report.card_confidence]
    if columns:
        lines = [_row("images", [column.name for column in columns])]
        lines.append("|---" * (len(columns) + 1) + "|")
        for source, sections in scores.items():
            lines.append(_row(source, [column.value(sections) for column in columns]))
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks)


def _row(first: str, cells: Sequence[Cell]) -> str:
    """Return a row of a Markdown table; floats have three decimals."""
    texts = [number(cell) if isinstance(cell, float) else str(cell) for cell in cells]
    return f"| {' | '.join([first, *texts])} |"


def sentence(parts: Sequence[str], joint: str) -> str:
    """Join parts of a sentence, empty ones left out, and begin it with a capital letter."""
    text = joint.join(part for part in parts if part)
    return text[:1].upper() + text[1:]
