# SPDX-License-Identifier: Apache-2.0
"""Draw median inference times as bars, grouped by model, with whiskers to the 95th percentile."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from shared_encoder_perception.evaluation.reliability import COLOURS
from shared_encoder_perception.files.whole_file import replacing


def draw(rows: Sequence[Mapping[str, Any]], title: str, path: Path) -> None:
    """Write the plot as PNG; it appears only when it is complete.

    Args:
        rows: Those that ran, as ``run`` makes them.
        title: What it ran on.
        path: File to write.

    Raises:
        ModuleNotFoundError: matplotlib is not installed.
    """
    from matplotlib.figure import Figure

    models = list(dict.fromkeys(row["name"] for row in rows))
    engines = list(dict.fromkeys(_engine(row) for row in rows))
    figure = Figure(figsize=(10, 1.6 + 0.36 * len(rows) + 0.5 * len(models)), layout="constrained")
    axes = figure.subplots()
    place, ticks = 0.0, []
    for model in models:
        axes.text(0, place, _heading(model, rows), va="center", fontweight="bold", fontsize=9)
        for row in (row for row in rows if row["name"] == model):
            place += 1.0
            points = row["stages"]["inference"]
            whisker = [[0.0], [points["p95"] - points["p50"]]]
            colour = COLOURS[engines.index(_engine(row)) % len(COLOURS)]
            axes.barh(
                place, points["p50"], 0.8, color=colour, xerr=whisker, capsize=3, ecolor="#444444"
            )
            axes.annotate(
                _said(row), (points["p95"], place), (6, 0), textcoords="offset points",
                va="center", fontsize=8,
            )  # fmt: skip
            ticks.append((place, f"{_engine(row)}, {_threads(row)}"))
        place += 1.4
    axes.set_yticks([at for at, _ in ticks], [label for _, label in ticks], fontsize=8)
    axes.set(xlabel="inference, ms: median, whisker to p95", ylim=(place - 0.6, -0.8))
    axes.set_xlim(0, 1.3 * max(row["stages"]["inference"]["p95"] for row in rows))
    axes.set_title(title, fontsize=9)
    axes.grid(axis="x", alpha=0.3)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    with replacing(path) as part:
        figure.savefig(part, format="png", dpi=110)


def _engine(row: Mapping[str, Any]) -> str:
    """Name what a colour stands for."""
    return f"{row['engine']} {row['precision']}"


def _threads(row: Mapping[str, Any]) -> str:
    """Say how many threads, or which other device."""
    if row["device"] != "cpu":
        return str(row["device"])
    return f"{row['threads']} thread{'s' if row['threads'] != 1 else ''}"


def _heading(model: str, rows: Sequence[Mapping[str, Any]]) -> str:
    """Name a group, with its work where that is known."""
    cost = next((row["cost"] for row in rows if row["name"] == model), None)
    if cost is None:
        return f" {model}"
    return f" {model}: {cost['macs'] / 1e9:.2f} GMAC, {cost['parameters'] / 1e6:.2f} M parameters"


def _said(row: Mapping[str, Any]) -> str:
    """Write the numbers beside a bar."""
    share = row["share_of_limit"]
    limit = "" if share is None else f", {share:.0%} of the limit"
    return f"{row['stages']['inference']['p50']:.1f} ms{limit}"
