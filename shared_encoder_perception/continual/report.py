# SPDX-License-Identifier: Apache-2.0
"""The page of a sequence, ``report.html`` in its folder: what was learned, forgotten, and paid.

It shows what stands in ``matrix.json``, and ``pictures/TEST/K_….jpg``: the same frames of a test
before the first task (K = 0) and after task number K.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.continual.matrix import PER_TASK, Matrix, read_matrix
from shared_encoder_perception.continual.measures import (
    MEASURES,
    TITLES,
    Measures,
    measure,
    square,
)
from shared_encoder_perception.continual.report_charts import curves, heat_map, row_names
from shared_encoder_perception.evaluation.report.document import Report
from shared_encoder_perception.files.data_paths import refuse_links_out
from shared_encoder_perception.images.picture_bytes import PictureError
from shared_encoder_perception.images.picture_file import read_picture
from shared_encoder_perception.tasks.contract.reports import Cell

REPORT: Final = "report.html"
PICTURES: Final = "pictures"
WIDEST: Final = 960
"""Pixels that a picture in the page is wide, at most."""
COLUMNS: Final = 2
"""Pictures beside one another."""
COSTS: Final = {
    "steps": "steps",
    "seconds": "seconds",
    "images_per_second": "images a second",
    "memory_samples": "samples in memory",
    "memory_bytes": "bytes of memory",
    "state_bytes": "bytes of strategies",
    "peak_mb": "peak resident MB",
}
NOTES: Final = {
    "accuracy": "mean over tasks, at the end",
    "backward": "below 0: later tasks hurt",
    "forward": "what earlier tasks taught",
    "forgetting": "from the best, mean over tasks",
    "intransigence": "behind the ceiling when learned",
}


def write_report(folder: Path, ceiling: Path | None = None) -> Path:
    """Write the page of a run, also of one that has not learned all its tasks yet.

    Args:
        folder: Of the run.
        ceiling: Folder of a run of ``joint``, for intransigence; ``None`` leaves that open.

    Returns:
        The page.

    Raises:
        MatrixError: There is no matrix, or a broken one.
        ValueError: The ceiling is of another sequence, or pictures lie outside of the folder.
        ModuleNotFoundError: jinja2 or matplotlib is not installed.
        OSError: The folder cannot be written.
    """
    matrix = read_matrix(folder)
    above = None if ceiling is None else read_matrix(ceiling)
    if above is not None and above.digest != matrix.digest:
        raise ValueError(
            f"{ceiling} is a run of another sequence than {folder}: expected the same tasks, sets, "
            "steps and network, with the strategy joint"
        )
    refuse_links_out(folder)
    report = Report(f"Sequence: {', then '.join(matrix.tasks)}", _conditions(matrix))
    _write_overview(report, matrix, above)
    _write_scores(report, matrix)
    _write_curves(report, matrix)
    _write_pictures(report, matrix, folder / PICTURES)
    _write_cost(report, matrix)
    path = folder / REPORT
    report.write(path)
    return path


def measures_of(matrix: Matrix, score: str, ceiling: Matrix | None = None) -> Measures:
    """Return the measures of a score of a run."""
    return measure(square(matrix, score), square(ceiling, score) if ceiling else None)


def _conditions(matrix: Matrix) -> Mapping[str, str]:
    """Say what the results depend on."""
    return {
        "strategy": matrix.strategy,
        "seed": str(matrix.seed),
        "tasks": f"{matrix.learned} of {len(matrix.tasks)} learned",
        "batch": f"{matrix.batch_size} images a step",
        "network": f"{matrix.parameters:,} parameters",
        "machine": matrix.machine or "not known",
        "commit": matrix.source,
        "sequence": matrix.digest[:12],
    }


def _write_overview(report: Report, matrix: Matrix, ceiling: Matrix | None) -> None:
    """Show the measures of all scores that count."""
    report.section("Overview")
    if matrix.learned < len(matrix.tasks):
        report.text(
            f"The sequence has not come to its end: {matrix.learned} of {len(matrix.tasks)} tasks "
            "are learned. Measures are of these."
        )
    first = measures_of(matrix, matrix.headline[0], ceiling)
    report.numbers([(TITLES[name], getattr(first, name), NOTES[name]) for name in MEASURES])
    header = ["score", *(TITLES[name] for name in MEASURES)]
    rows: list[list[Cell]] = []
    for score in matrix.headline:
        found = measures_of(matrix, score, ceiling)
        rows.append([score, *(getattr(found, name) for name in MEASURES)])
    report.table(header, rows, "Measures, on each task's own test")
    each: list[list[Cell]] = [
        [task, first.forgetting_of[number], first.intransigence_of[number]]
        for number, task in enumerate(matrix.tasks[: matrix.learned])
    ]
    if each:
        report.table(
            ["task", TITLES["forgetting"], TITLES["intransigence"]],
            each,
            f"Of each task, by {matrix.headline[0]}",
        )
    report.text(
        "Accuracy and transfer as Lopez-Paz and Ranzato (2017), forgetting and intransigence as "
        "Chaudhry et al. (2018). One seed: how far other seeds would differ is not known here; "
        "compare several runs for that. Intransigence needs a run of joint beside."
    )


def _write_scores(report: Report, matrix: Matrix) -> None:
    """Show R of each score: those that count as charts, others as tables."""
    report.section("Scores")
    report.text(
        "Rows: after which task. Columns: tests, those of a task between two lines. Framed: tests "
        "of the task that had just been learned."
    )
    for score in matrix.headline:
        report.picture(heat_map(matrix, score), f"{score} on each test after each task")
    for score, rows in matrix.scores.items():
        if score not in matrix.headline and any(rows):
            body: list[list[Cell]] = [
                [name, *(row.get(test.name) for test in matrix.tests)]
                for name, row in zip(row_names(matrix), rows, strict=True)
            ]
            report.table(["", *(test.name for test in matrix.tests)], body, score)


def _write_curves(report: Report, matrix: Matrix) -> None:
    """Show how tests came and went."""
    if not matrix.learned:
        return
    report.section("Curves")
    for score in matrix.headline:
        report.picture(curves(matrix, score), f"{score} of each test while tasks are learned")


def _write_pictures(report: Report, matrix: Matrix, folder: Path) -> None:
    """Show the same frames after each task."""
    rows = row_names(matrix)
    found = {
        test.name: {
            name: path
            for row, name in enumerate(rows)
            for path in sorted((folder / test.name).glob(f"{row}_*.jpg"))[:1]
        }
        for test in matrix.tests
    }
    if not any(found.values()):
        return
    report.section("Pictures")
    for test, paths in found.items():
        report.heading(test)
        for name, path in paths.items():
            try:
                report.picture(_small(read_picture(path)), f"{test}, {name}", columns=COLUMNS)
            except PictureError as error:
                report.text(f"{path.name} of {test} cannot be shown: it {error}")
        if missing := [name for name in rows if name not in paths]:
            report.text(f"There is no picture of {test} {', '.join(missing)}.")


def _write_cost(report: Report, matrix: Matrix) -> None:
    """Show what it cost."""
    report.section("Cost")
    rows: list[list[Cell]] = [
        [task, *(getattr(matrix, name)[number] for name in PER_TASK)]
        for number, task in enumerate(matrix.tasks[: matrix.learned])
    ]
    if not rows:
        report.text("Nothing is learned yet.")
        return
    places = {PER_TASK.index(name) + 1: 1 for name in ("seconds", "images_per_second", "peak_mb")}
    report.table(
        ["task", *(COSTS[name] for name in PER_TASK)],
        rows,
        "Of each task; images a second are of training, those from memory included",
        decimals=places,
    )
    report.text(
        f"Training took {sum(matrix.seconds):,.0f} seconds in all. Peak memory is that of the "
        "process so far, tests included."
    )


def _small(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return a picture that is no wider than a page needs."""
    height, width = picture.shape[:2]
    if width <= WIDEST:
        return picture
    size = (WIDEST, round(height * WIDEST / width))
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)
