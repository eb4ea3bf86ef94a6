# SPDX-License-Identifier: Apache-2.0
"""Charts of sequences as PNG: the matrix, scores over tasks, strategies with their intervals.

matplotlib is imported when a chart is drawn, as in ``evaluation.report.charts``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from shared_encoder_perception.continual.intervals import Interval
from shared_encoder_perception.continual.matrix import Matrix
from shared_encoder_perception.evaluation.reliability import COLOURS
from shared_encoder_perception.evaluation.report.charts import (
    SIZE_INCHES,
    WIDE_INCHES,
    finish,
    new_figure,
    to_png,
)

STYLES: Final = ("-", "--", ":", "-.")
"""Of lines, once the colours are used up."""
SHADES: Final = "Blues"
DARK: Final = 0.55
"""From which part of the shades on text is white."""

MOST_IN_A_COLUMN: Final = 13
"""Characters of a name that fit over a column of the matrix without being turned."""
MOST_IN_A_ROW: Final = 48
"""Characters of all names that fit below a small chart."""
BELOW_NAMES: Final = -0.25
"""Where a legend below begins, in heights of the chart."""
MOST_BESIDE: Final = 20
"""Characters of a name that fit beside it."""


@dataclass(frozen=True)
class Course:
    """A score while tasks are learned.

    Attributes:
        mean: (N,) after each of N - 1 tasks, the untrained network first; NaN leaves a gap.
        half: Half of the interval, likewise; NaN for none.
    """

    mean: ArrayLike
    half: ArrayLike


def row_names(matrix: Matrix) -> list[str]:
    """Return what rows of a matrix are called, as far as it has come."""
    return ["untrained", *(f"after {name}" for name in matrix.tasks[: matrix.learned])]


def heat_map(matrix: Matrix, score: str) -> bytes:
    """Draw R: a row for each task learned, a column for each test.

    Frames mark the test of the task that had just been learned; what is not known is white.

    Args:
        matrix: Of the run.
        score: Which.

    Returns:
        A PNG.
    """
    rows, tests = row_names(matrix), matrix.tests
    values = np.array(
        [[matrix.score(score, row, test.name) for test in tests] for row in range(len(rows))]
    )
    figure = new_figure((2.6 + 0.95 * len(tests), 1.1 + 0.42 * len(rows)))
    axes = figure.subplots()
    shown = np.ma.masked_invalid(values)
    image = axes.imshow(shown, cmap=SHADES, aspect="auto")
    for (row, column), value in np.ndenumerate(values):
        part = float(image.norm(value)) if np.isfinite(value) else 0.0
        text = f"{value:.3f}" if np.isfinite(value) else "\N{EN DASH}"
        colour = "white" if part > DARK else "#1c2430"
        axes.text(column, row, text, ha="center", va="center", fontsize=8, color=colour)
    from matplotlib.patches import Rectangle

    for column, test in enumerate(tests):
        if test.task < matrix.learned:
            corner = (column - 0.5, test.task + 0.5)
            axes.add_patch(
                Rectangle(
                    corner, 1, 1, fill=False, edgecolor=COLOURS[1], linewidth=1.6, zorder=3,
                    clip_on=False,
                )
            )  # fmt: skip
        if column and test.task != tests[column - 1].task:
            axes.axvline(column - 0.5, color="#5d6875", linewidth=0.8)
    names = [test.name for test in tests]
    _name_columns(axes, range(len(tests)), names, MOST_IN_A_COLUMN, above=True)
    axes.set_yticks(range(len(rows)), [plain_text(name) for name in rows])
    axes.xaxis.tick_top()
    axes.tick_params(labelsize=8, length=0)
    axes.spines[:].set_visible(False)
    axes.set_title(plain_text(score), fontsize=10, fontweight="bold")
    return to_png(figure)


def curves(matrix: Matrix, score: str) -> bytes:
    """Draw each test's score over the steps of the sequence; a task is between two verticals.

    Args:
        matrix: Of the run.
        score: Which.

    Returns:
        A PNG.
    """
    steps = np.concatenate([[0], np.cumsum(matrix.steps)])
    figure = new_figure(WIDE_INCHES)
    axes = figure.subplots()
    for place, test in enumerate(matrix.tests):
        values = [matrix.score(score, row, test.name) for row in range(len(steps))]
        axes.plot(steps, values, marker="o", **_line(place), label=plain_text(test.name))
    _mark_tasks(axes, matrix.tasks[: matrix.learned], steps)
    axes.set(xlabel="step", ylabel=plain_text(score))
    finish(axes)
    _legend_beside(axes)
    return to_png(figure)


def courses(
    lines: Mapping[str, Course], title: str, tasks: Sequence[str], score: str, learned: int
) -> bytes:
    """Draw one test's score while tasks are learned, by strategy.

    Args:
        lines: Label of the strategy -> its course. One keeps the colour of its place.
        title: Of the chart.
        tasks: Names.
        score: Name of what is drawn.
        learned: In which task, counted from 0, this test's own is learned; it is shaded.

    Returns:
        A PNG.
    """
    below = max(map(len, lines)) > MOST_BESIDE
    height = SIZE_INCHES[1] + (0.3 + 0.17 * len(lines) if below else 0)
    figure = new_figure((SIZE_INCHES[0], height))
    axes = figure.subplots()
    x = np.arange(len(tasks) + 1)
    axes.axvspan(learned, learned + 1, color="#000000", alpha=0.06, linewidth=0)
    for place, (label, course) in enumerate(lines.items()):
        mean, half = np.asarray(course.mean, float), np.asarray(course.half, float)
        style = _line(place)
        axes.plot(x, mean, marker="o", **style, label=plain_text(label))
        axes.fill_between(
            x, mean - half, mean + half, color=style["color"], alpha=0.12, linewidth=0
        )
    _name_columns(axes, x, ["untrained", *tasks], MOST_IN_A_ROW // len(x))
    axes.set(title=plain_text(title), ylabel=plain_text(score))
    finish(axes)
    if below:
        axes.legend(
            fontsize=7.5, frameon=False, loc="upper left", bbox_to_anchor=(0.0, BELOW_NAMES)
        )
    else:
        _legend_beside(axes)
    return to_png(figure)


def points(values: Mapping[str, tuple[Sequence[float], Interval]], title: str, label: str) -> bytes:
    """Draw a number of several strategies: each seed as a dot, the mean with its interval.

    Args:
        values: Label of the strategy -> number of each seed, and their interval.
        title: Of the chart.
        label: Of the numbers.

    Returns:
        A PNG.
    """
    figure = new_figure((SIZE_INCHES[0], 1.1 + 0.32 * len(values)))
    axes = figure.subplots()
    for place, (each, found) in enumerate(values.values()):
        colour = COLOURS[place % len(COLOURS)]
        axes.plot(each, [place] * len(each), "o", color=colour, alpha=0.35, markersize=4)
        half = [found.half] if np.isfinite(found.half) else None
        axes.errorbar(
            [found.mean], [place], xerr=half, fmt="D", color=colour, markersize=5, capsize=4
        )
    axes.axvline(0, color="#5d6875", linewidth=0.8)
    axes.set_yticks(range(len(values)), [plain_text(name) for name in values])
    axes.set_ylim(len(values) - 0.5, -0.5)
    axes.set(title=plain_text(title), xlabel=plain_text(label))
    finish(axes)
    return to_png(figure)


def plain_text(text: str) -> str:
    """Return a name so that matplotlib takes no part of it for a formula."""
    return text.replace("$", r"\$")


def _line(place: int) -> dict[str, Any]:
    """Return colour and style of a line by its place."""
    return {
        "color": COLOURS[place % len(COLOURS)],
        "linestyle": STYLES[place // len(COLOURS) % len(STYLES)],
        "linewidth": 1.4,
        "markersize": 4,
    }


def _name_columns(
    axes: Any, places: Iterable[int], names: Sequence[str], most: int, *, above: bool = False
) -> None:
    """Write names along the horizontal axis, turned where one is longer than ``most``."""
    style: dict[str, Any] = {}
    if max(map(len, names)) > most:
        side = "left" if above else "right"
        style = {"rotation": 20, "rotation_mode": "anchor", "ha": side}
    axes.set_xticks(list(places), [plain_text(name) for name in names], **style)


def _mark_tasks(axes: Any, tasks: Sequence[str], steps: NDArray[np.int64]) -> None:
    """Draw where tasks begin and end, and their names above."""
    for end in steps:
        axes.axvline(end, color="#5d6875", linewidth=0.8, linestyle="--")
    for name, start, end in zip(tasks, steps, steps[1:], strict=False):
        axes.text(
            (start + end) / 2, 1.02, plain_text(name), transform=axes.get_xaxis_transform(),
            ha="center", fontsize=8.5, color="#5d6875",
        )  # fmt: skip


def _legend_beside(axes: Any) -> None:
    """Put the legend right of the chart, where it hides no line."""
    axes.legend(fontsize=7.5, frameon=False, loc="upper left", bbox_to_anchor=(1.0, 1.0))
