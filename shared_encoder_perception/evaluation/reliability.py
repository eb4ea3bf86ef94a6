# SPDX-License-Identifier: Apache-2.0
"""Draw the reliability diagram: stated confidence against the share that came true."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception import tasks
from shared_encoder_perception.evaluation.report_tables import statements
from shared_encoder_perception.tasks.contract.reports import Statements
from shared_encoder_perception.tasks.contract.scores import CALIBRATION
from shared_encoder_perception.tasks.reliability import BINS

COLOURS: Final = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
"""One for each source in turn, after the colour-blind-safe palette of Okabe and Ito."""


def require_statements(names: Collection[str]) -> None:
    """Check that some of the tasks ``names`` state something with confidence.

    Raises:
        ValueError: None does.
    """
    reports = tasks.parts("report", names).values()
    if not any(room.REPORT.statements for room in reports):
        raise ValueError(
            f"there is no reliability diagram of {' and '.join(names)}: nothing is stated with "
            "confidence"
        )


def plot(scores: Mapping[str, Mapping[str, Any]]) -> NDArray[np.uint8]:
    """Draw tasks side by side, one curve for each source, and their counts below.

    Args:
        scores: As ``Scorer.compute`` returns them, of tasks that ``require_statements`` accepts.

    Returns:
        (H, W, 3) uint8 BGR.

    Raises:
        ModuleNotFoundError: matplotlib is not installed.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    panels = statements(scores)
    figure = Figure(figsize=(6 * len(panels), 7), dpi=100, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    axes = figure.subplots(2, len(panels), sharex=True, squeeze=False, height_ratios=(4, 1))
    for column, (section, stated) in enumerate(panels.items()):
        curves = {source: values[CALIBRATION][section] for source, values in scores.items()}
        _plot_task(axes[0, column], axes[1, column], stated, curves)
    canvas.draw()
    return np.ascontiguousarray(np.asarray(canvas.buffer_rgba())[:, :, 2::-1])


def _plot_task(
    above: Any, below: Any, stated: Statements, curves: Mapping[str, Mapping[str, Any]]
) -> None:
    """One panel: the curves ``above``, how many statements each point stands for ``below``."""
    above.plot((0, 1), (0, 1), color="#999999", linestyle="--", label="as stated")
    colours = {source: COLOURS[place % len(COLOURS)] for place, source in enumerate(curves)}
    named = [(source, curve) for source, curve in curves.items() if curve["count"]]
    width = 0.9 / BINS / max(len(named), 1)
    for place, (source, curve) in enumerate(named):
        count, said, came_true = np.array(curve["bins"]).T
        colour = colours[source]  # the same for all tasks
        label = f"{source}: ECE {curve['ece']:.3f}, {curve['count']:,} in all"
        above.plot(said, came_true, "o-", markersize=4, color=colour, label=label, clip_on=False)
        middle = (np.minimum(np.floor(said * BINS), BINS - 1) + 0.5) / BINS
        below.bar(middle + (place - (len(named) - 1) / 2) * width, count, width, color=colour)
    above.set(title=stated.title, ylabel=f"share of {stated.right}", xlim=(0, 1), ylim=(0, 1))
    above.legend(fontsize=8, loc="best")
    above.grid(alpha=0.3)
    below.set(xlabel="stated confidence", ylabel="count")
    if named:
        below.set_yscale("log")
