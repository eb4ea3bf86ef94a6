# SPDX-License-Identifier: Apache-2.0
"""Charts of a report as PNG: histograms, lines over time, reliability diagrams.

matplotlib is imported when a chart is drawn; ``libraries.can_write`` checks first.
"""

from __future__ import annotations

from collections.abc import Mapping
from io import BytesIO
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import ArrayLike

from shared_encoder_perception.evaluation.reliability import COLOURS, plot

DPI: Final = 130
BINS: Final = 40
SIZE_INCHES: Final = (5.6, 3.1)
WIDE_INCHES: Final = (11.6, 3.1)


def histogram(
    values: Mapping[str, ArrayLike],
    title: str,
    label: str,
    *,
    limits: tuple[float, float] | None = None,
    marks: Mapping[str, float] | None = None,
) -> bytes:
    """Draw how often a number came up, stacked by group.

    Args:
        values: Group -> (N,) numbers. A group keeps the colour of its place, though it be empty.
        title: Of the chart.
        label: Of the numbers, with their unit.
        limits: Of the axis; by default from 0 to just above the 99th percentile, what is beyond is
            counted in the last bin.
        marks: Name -> number to mark by a vertical line.

    Returns:
        A PNG.
    """
    groups = {name: np.asarray(group, np.float64) for name, group in values.items()}
    every = np.concatenate([np.zeros(0), *groups.values()])
    beyond = ""
    if limits is None:
        limits = (0.0, max(float(np.percentile(every, 99)) * 1.1, 1e-9) if len(every) else 1.0)
        above = int((every > limits[1]).sum())
        beyond = f" ({above} beyond, in the last bar)" if above else ""
    figure = new_figure(SIZE_INCHES)
    axes = figure.subplots()
    edges = np.linspace(*limits, BINS + 1)
    colours = {name: COLOURS[place % len(COLOURS)] for place, name in enumerate(groups)}
    shown = {name: group for name, group in groups.items() if len(group)}
    if shown:
        axes.hist(
            [np.clip(group, *limits) for group in shown.values()],
            edges,
            stacked=True,
            label=[f"{name} ({len(group)})" for name, group in shown.items()],
            color=[colours[name] for name in shown],
        )
    for place, (name, mark) in enumerate((marks or {}).items()):
        style = ("-", "--", ":")[place % 3]
        axes.axvline(mark, color="#222222", linestyle=style, linewidth=1.2, label=name)
    axes.set(title=title, xlabel=label + beyond, ylabel="images", xlim=limits)
    finish(axes)
    return to_png(figure)


def lines(
    series: Mapping[str, tuple[ArrayLike, ArrayLike]],
    title: str,
    x_label: str,
    y_label: str,
    *,
    y_limits: tuple[float, float] | None = None,
) -> bytes:
    """Draw numbers over time, or over anything else that goes on.

    Args:
        series: Name -> ``(x, y)``, (N,) each; NaN leaves a gap.
        title: Of the chart.
        x_label: With its unit.
        y_label: With its unit.
        y_limits: Of the vertical axis; by default what the numbers need.

    Returns:
        A PNG.
    """
    figure = new_figure(WIDE_INCHES)
    axes = figure.subplots()
    for place, (name, (x, y)) in enumerate(series.items()):
        colour = COLOURS[place % len(COLOURS)]
        axes.plot(np.asarray(x), np.asarray(y), color=colour, linewidth=1.1, label=name)
    axes.set(title=title, xlabel=x_label, ylabel=y_label)
    if y_limits:
        axes.set_ylim(*y_limits)
    finish(axes)
    return to_png(figure)


def reliability(scores: Mapping[str, Mapping[str, Any]]) -> bytes:
    """Draw stated against true confidence; see ``evaluation.reliability.plot``."""
    _, data = cv2.imencode(".png", plot(scores))
    return bytes(data.tobytes())


def new_figure(inches: tuple[float, float]) -> Any:
    """Start a figure that no window system is needed for."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=inches, dpi=DPI, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def finish(axes: Any) -> None:
    """Give all charts one face."""
    axes.title.set(fontsize=10, fontweight="bold")
    axes.xaxis.label.set_size(9)
    axes.yaxis.label.set_size(9)
    axes.tick_params(labelsize=8)
    axes.grid(alpha=0.3)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(fontsize=7.5, frameon=False)


def to_png(figure: Any) -> bytes:
    """Encode a figure; without metadata, so that its bytes depend on what it shows alone."""
    stream = BytesIO()
    figure.savefig(stream, format="png", metadata={"Software": None})
    return stream.getvalue()
