# SPDX-License-Identifier: Apache-2.0
"""Changes and their confidence intervals, drawn: what stands left of zero got worse."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from shared_encoder_perception.evaluation.diff.metrics import Change
from shared_encoder_perception.evaluation.report.charts import finish, new_figure, to_png

WIDTH_INCHES: Final = 11.6
ROW_INCHES: Final = 0.27
MARGIN_INCHES: Final = 0.9
COLOURS: Final = {"worse": "#b3261e", "better": "#1b7f4b", "": "#6b7280"}


def draw_changes(found: Sequence[Change]) -> bytes:
    """Draw each change as a point with its interval, positive for the better.

    Args:
        found: Of scores of which one direction is better; those without a change are left out.

    Returns:
        A PNG.
    """
    shown = [one for one in found if one.change == one.change]
    figure = new_figure((WIDTH_INCHES, ROW_INCHES * len(shown) + MARGIN_INCHES))
    axes = figure.subplots()
    for place, one in enumerate(shown):
        ends = [one.better * value for value in one.interval] if one.interval.known else []
        kind = "" if not one.significant else "worse" if one.loss > 0 else "better"
        colour = COLOURS[kind]
        axes.plot(ends, [place] * len(ends), color=colour, linewidth=2.2)
        axes.plot([-one.loss], [place], "o", color=colour, markersize=5.5)
    axes.axvline(0, color="#222222", linewidth=1)
    axes.set_yticks(range(len(shown)), [one.metric for one in shown])
    axes.invert_yaxis()
    axes.set(title="Change from A to B with its 95 % interval; right of zero is better")
    finish(axes)
    return to_png(figure)
