# SPDX-License-Identifier: Apache-2.0
"""The scores of a task for rigs as tables: for a terminal, and for the report.

A task's sections say what there is. What people call its numbers, its room may say (``report.py``);
else they are called as in the files.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

from shared_encoder_perception import tasks
from shared_encoder_perception.evaluation.rigs.rig_evaluation import (
    EQUAL,
    ON_GROUND,
    OWN,
    SWAPPED,
    TABLES,
    RigEvaluation,
)
from shared_encoder_perception.tasks.contract.reports import MODEL, Cell, TaskReport, number
from shared_encoder_perception.tasks.contract.scores import CALIBRATION, Scores

ANSWERED: Final = "_answered"
"""How the name of a share ends that says how much of what is known was answered at all."""
COMPARISONS: Final = {
    OWN: "On the cells that the model sees",
    EQUAL: f"On the cells that model and {ON_GROUND} see",
    TABLES: "With the calibrations of two cameras swapped",
}

Table = tuple[list[str], list[list[Cell]]]
"""Header and rows."""


def report_of(task: str) -> TaskReport:
    """Return what the task's room says for people; nothing where it says nothing."""
    room = tasks.find_part(task, "report")
    found: TaskReport = TaskReport() if room is None else room.REPORT
    return found


def words(name: str) -> str:
    """Return a score's name for people: ``vehicle_iou_near`` is ``vehicle IoU near``."""
    return " ".join({"iou": "IoU", "m": "(m)"}.get(one, one) for one in name.split("_"))


def moments_words(count: int) -> str:
    """Say how many moments there are."""
    return f"{count} moment{'' if count == 1 else 's'}"


def section_of(task: str) -> str:
    """Return the section of the task's main scores."""
    return str(tasks.part(task, "metric").SECTION)


def numbers_table(task: str, compared: Mapping[str, Scores]) -> Table:
    """Return the main scores: a row for each, a column for each who was scored."""
    section = section_of(task)
    first = next(iter(compared.values()))[section]
    names = [name for name, value in first.items() if not isinstance(value, int)]
    rows: list[list[Cell]] = [
        [words(name), *(scores[section][name] for scores in compared.values())] for name in names
    ]
    return ["", *compared], rows


def unanswered(task: str, scores: Scores) -> list[str]:
    """Name what was known and never answered: that is no zero, there is no score."""
    return [
        words(name.removesuffix(ANSWERED))
        for name, value in scores[section_of(task)].items()
        if name.endswith(ANSWERED) and value == 0
    ]


def binned(scores: Scores) -> dict[str, Mapping[str, Mapping[str, Any]]]:
    """Return the sections that have the same numbers for each of several bins, by their name."""
    return {
        name: section
        for name, section in scores.items()
        if name != CALIBRATION
        and section
        and all(isinstance(one, Mapping) for one in section.values())
    }


def bins_table(section: Mapping[str, Mapping[str, Any]]) -> Table:
    """Return such a section: a row for each bin."""
    names = list(next(iter(section.values())))
    rows: list[list[Cell]] = [[name, *(one[key] for key in names)] for name, one in section.items()]
    return ["", *map(words, names)], rows


def calibration_table(compared: Mapping[str, Scores]) -> Table:
    """Return how far stated confidence is from what came true: a row for each statement."""
    header = ["expected calibration error", *compared, "cells"]
    stated = next(iter(compared.values())).get(CALIBRATION, {})
    rows: list[list[Cell]] = [
        [
            words(name),
            *(scores[CALIBRATION][name]["ece"] for scores in compared.values()),
            one["count"],
        ]
        for name, one in stated.items()
    ]
    return header, rows


def groups_table(task: str, title: str, groups: Mapping[str, Scores]) -> Table:
    """Return the main scores of the model in several groups of moments: a row for each group."""
    section = section_of(task)
    names = list(next(iter(groups.values()))[section])
    rows: list[list[Cell]] = [
        [group, *(scores[section][name] for name in names)] for group, scores in groups.items()
    ]
    return [title, *map(words, names)], rows


def swap_words(evaluation: RigEvaluation) -> list[str]:
    """Say what is left of each main score with the tables of two cameras swapped."""
    kept = evaluation.kept()
    said = [
        f"{words(name)} keeps {share:.0%}" for name, share in kept.items() if not math.isnan(share)
    ]
    moments = moments_words(evaluation.moments(TABLES))
    return [f"{SWAPPED}, in {moments}: {', '.join(said)}"] if said else []


def terminal_text(evaluation: RigEvaluation) -> str:
    """Return all comparisons for a terminal."""
    task, blocks = evaluation.task, []
    for comparison, title in COMPARISONS.items():
        compared = evaluation.compared(comparison)
        if not compared:
            continue
        header, rows = numbers_table(task, compared)
        width = max(len(str(row[0])) for row in rows) + 2
        widths = [max(len(name), 9) + 2 for name in header[1:]]
        lines = [f"{title} ({moments_words(evaluation.moments(comparison))})"]
        cells = [f"{name:>{wide}}" for name, wide in zip(header[1:], widths, strict=True)]
        lines.append(" " * width + "".join(cells))
        for name, *values in rows:
            texts = [_cell(value, wide) for value, wide in zip(values, widths, strict=True)]
            lines.append(f"{name:<{width}}" + "".join(texts))
        if comparison == OWN:
            left = unanswered(task, compared[MODEL])
            lines += [f"the model does not answer: {', '.join(left)}"] if left else []
        blocks.append("\n".join(lines))
    return "\n\n".join([*blocks, *swap_words(evaluation)])


def _cell(value: Cell, width: int) -> str:
    """Write a number of a terminal's table."""
    if isinstance(value, int) or value is None or isinstance(value, str):
        return f"{value if value is not None else '-':>{width}}"
    return number(value, width)
