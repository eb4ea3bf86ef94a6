# SPDX-License-Identifier: Apache-2.0
"""The HTML report on a task for rigs: what a person looks at before trusting a model."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from shared_encoder_perception.evaluation.reliability import COLOURS
from shared_encoder_perception.evaluation.report.charts import finish, histogram, new_figure, to_png
from shared_encoder_perception.evaluation.report.document import Cell, Report
from shared_encoder_perception.evaluation.rigs import rig_tables as tables
from shared_encoder_perception.evaluation.rigs.counts import MomentRecord
from shared_encoder_perception.evaluation.rigs.picked_moments import BEST, MIDDLE, WORST, caption
from shared_encoder_perception.evaluation.rigs.rig_evaluation import (
    EQUAL,
    ON_GROUND,
    OWN,
    TABLES,
    RigEvaluation,
)
from shared_encoder_perception.tasks.contract.reports import CONSTANT, MODEL
from shared_encoder_perception.tasks.contract.scores import CALIBRATION, Scores

CHART_INCHES: Final = (5.6, 3.1)
SQUARE_INCHES: Final = (5.6, 4.6)
NOTES: Final = {
    WORST: "By faults: one minus the mean of what a moment scores on each map. Boxes in pictures: "
    "white as labelled, coloured as answered. Below: the map as answered, as it is, where they "
    "differ; hatched is what no camera sees, and there nothing is scored. Label and error are "
    "darker where something stands in front of what is there.",
    MIDDLE: "About half of all moments have fewer faults.",
    BEST: "The moments with the fewest faults, drawn likewise.",
}


def write_report(
    path: Path,
    title: str,
    conditions: Mapping[str, str],
    evaluation: RigEvaluation,
    picked: Mapping[str, Sequence[MomentRecord]],
    picture: Callable[[MomentRecord], bytes],
) -> None:
    """Write the report of an evaluation.

    Args:
        path: Of the HTML file.
        title: Of the page.
        conditions: What the scores depend on, by name.
        evaluation: With all of its moments.
        picked: Moments that are shown, by their kind.
        picture: Draws one of them, as JPEG.

    Raises:
        RuntimeError: What draws it is not installed.
        OSError: The folder cannot be written.
    """
    page, summary = Report(title, conditions), evaluation.summary()
    _glance(page, evaluation, summary)
    _comparison(page, evaluation, OWN)
    if summary[EQUAL]:
        _comparison(page, evaluation, EQUAL)
    _distances(page, summary)
    if summary[TABLES]:
        _comparison(page, evaluation, TABLES)
        for line in tables.swap_words(evaluation):
            page.text(f"{line}. A model that looks at calibration loses; one that does not, keeps.")
    _confidence(page, summary[OWN])
    _groups(page, evaluation, summary)
    _latency(page, evaluation)
    for kind, records in picked.items():
        if records:
            page.section(kind)
            page.text(NOTES[kind])
        for record in records:
            page.picture(picture(record), caption(record))
    page.write(path)


def _glance(page: Report, evaluation: RigEvaluation, summary: Mapping[str, Any]) -> None:
    """The few numbers that come first, each with what the constant map makes of it."""
    report = tables.report_of(evaluation.task)
    page.section("At a glance")
    model, constant = (summary["headline"][who] for who in (MODEL, CONSTANT))
    numbers: list[tuple[str, Cell, str]] = [
        (report.headlines.get(name, tables.words(name)), value, f"constant {_text(constant[name])}")
        for name, value in model.items()
        if not math.isnan(value)
    ]
    times = np.array([one.latency_ms for one in evaluation.records])
    numbers += [
        ("Cells seen, mean", f"{summary['seen']:.0%}", tables.moments_words(summary["moments"])),
        (
            "Latency, median",
            f"{np.median(times):.1f} ms",
            f"95 % in {np.percentile(times, 95):.1f} ms",
        ),
    ]
    page.numbers(numbers)
    told = ", ".join(f"{name} ({what})" for name, what in evaluation.baselines.items())
    text = (
        "Scored are cells that some camera sees and of which the label tells, pooled over all "
        f"moments. Beside the model stand baselines that do not look: {told}. A score means "
        "something only above theirs. A dash is a score that there is not."
    )
    page.text(f"{report.pooling.capitalize()}. {text}" if report.pooling else text)
    if left := tables.unanswered(evaluation.task, summary[OWN][MODEL]):
        page.text(f"The model does not answer: {', '.join(left)}. That is no score of zero.")


def _comparison(page: Report, evaluation: RigEvaluation, comparison: str) -> None:
    """Everybody's scores on the same cells."""
    compared = evaluation.compared(comparison)
    page.section({OWN: "Scores", EQUAL: "Against masks", TABLES: "Swapped tables"}[comparison])
    header, rows = tables.numbers_table(evaluation.task, compared)
    moments = tables.moments_words(evaluation.moments(comparison))
    title = f"{tables.COMPARISONS[comparison]}, {moments}"
    page.table(header, rows, title, muted=range(2, len(header)))
    if comparison == EQUAL:
        page.text(
            f"{ON_GROUND.capitalize()}: each camera's mask, looked up where it sees a cell, as if "
            "all that it sees were flat ground. Cells that only one of the two knows are scored in "
            "neither."
        )


def _distances(page: Report, summary: Mapping[str, Any]) -> None:
    """Scores by distance: the model in numbers, everybody in charts."""
    sections = tables.binned(summary[OWN][MODEL])
    if not sections:
        return
    page.section("By distance")
    for name, section in sections.items():
        header, rows = tables.bins_table(section)
        page.table(header, rows, f"The model, on the cells that it sees ({tables.words(name)})")
        shown = summary[EQUAL] or summary[OWN]
        where = tables.COMPARISONS[EQUAL if summary[EQUAL] else OWN].lower()
        for key, value in next(iter(section.values())).items():
            if not isinstance(value, int) and _is_told(name, key, shown):
                page.picture(_bins_chart(name, key, shown), columns=2)
        page.text(f"Charts: {where}. A gap: nothing to score, or not answered.")


def _is_told(name: str, key: str, compared: Mapping[str, Scores]) -> bool:
    """Whether there is any such number in the bins of a section."""
    bins = (one for scores in compared.values() for one in scores[name].values())
    return any(not math.isnan(one[key]) for one in bins)


def _bins_chart(name: str, key: str, compared: Mapping[str, Scores]) -> bytes:
    """Draw one number over the bins of a section, a line for each who was scored."""
    figure = new_figure(CHART_INCHES)
    axes = figure.subplots()
    bins = list(compared[MODEL][name])
    places = np.arange(len(bins))
    for place, (who, scores) in enumerate(compared.items()):
        values = np.array([scores[name][one][key] for one in bins], np.float64)
        if np.isfinite(values).any():
            colour, dashes = COLOURS[place % len(COLOURS)], "-" if who == MODEL else "--"
            axes.plot(places, values, dashes, marker="o", markersize=4, color=colour, label=who)
    axes.set(title=tables.words(key), ylim=(0.0, 1.02), xlim=(-0.3, len(bins) - 0.7))
    axes.set_xticks(places, bins)
    finish(axes)
    return to_png(figure)


def _confidence(page: Report, compared: Mapping[str, Scores]) -> None:
    """Whether stated probabilities come true."""
    stated = compared[MODEL].get(CALIBRATION, {})
    if not any(one["count"] for one in stated.values()):
        return
    page.section("Confidence")
    figure = new_figure(SQUARE_INCHES)
    axes = figure.subplots()
    axes.plot((0, 1), (0, 1), color="#999999", linestyle="--", label="as stated")
    for place, (name, one) in enumerate(stated.items()):
        if one["count"]:
            _, said, came_true = np.array(one["bins"]).T
            label = f"{tables.words(name)}: ECE {one['ece']:.3f}"
            axes.plot(said, came_true, "o-", markersize=4, color=COLOURS[place], label=label)
    axes.set(
        title="Stated against true confidence of cells",
        xlabel="stated probability",
        ylabel="share of cells where it is so",
        xlim=(0, 1),
        ylim=(0, 1),
    )
    finish(axes)
    page.picture(to_png(figure), columns=2)
    header, rows = tables.calibration_table(compared)
    page.table(header, rows)
    page.text("Points below the dashed line: the model is surer than it should be.")


def _groups(page: Report, evaluation: RigEvaluation, summary: Mapping[str, Any]) -> None:
    """The model's scores by data set and by number of cameras."""
    sources = {source: scores[MODEL] for source, scores in summary["sources"].items()}
    groups = {"source": sources, "cameras": summary["cameras"]}
    page.section("Slices")
    for title, scores in groups.items():
        header, rows = tables.groups_table(evaluation.task, title, scores)
        page.table(header, rows, f"By {title}")


def _latency(page: Report, evaluation: RigEvaluation) -> None:
    """How long a moment takes, on the machine that scored."""
    times: dict[str, list[float]] = {}
    for record in sorted(evaluation.records, key=lambda one: one.cameras):
        plural = "" if record.cameras == 1 else "s"
        times.setdefault(f"{record.cameras} camera{plural}", []).append(record.latency_ms)
    page.section("Latency")
    page.picture(histogram(times, "Pictures to map, by moment", "ms"), columns=2)
    page.text(
        "Cropping, inference and decoding of all cameras on the machine that scored, without "
        "reading pictures; other load on it shows, and so does what follows a new calibration. "
        "These numbers differ from run to run, all others do not."
    )


def _text(value: float) -> str:
    """Write a score, or a dash."""
    return "-" if math.isnan(value) else f"{value:.3f}"
