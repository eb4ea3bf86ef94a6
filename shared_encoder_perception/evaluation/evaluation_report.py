# SPDX-License-Identifier: Apache-2.0
"""The HTML report of an evaluation: what a person looks at before trusting a model."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from shared_encoder_perception.evaluation import report_tables as tables
from shared_encoder_perception.evaluation.evaluation import LATENCY, Evaluation
from shared_encoder_perception.evaluation.picked_frames import Picked
from shared_encoder_perception.evaluation.report import charts
from shared_encoder_perception.evaluation.report.document import Cell, Report
from shared_encoder_perception.evaluation.slices import rules
from shared_encoder_perception.tasks.contract.reports import CONSTANT, MODEL, TaskReport, muted
from shared_encoder_perception.tasks.contract.scores import UNKNOWN


def write_report(
    path: Path, title: str, conditions: Mapping[str, str], evaluation: Evaluation
) -> None:
    """Write the report of an evaluation.

    Args:
        path: Of the HTML file.
        title: Of the page.
        conditions: What the scores depend on, by name.
        evaluation: With all of its images.

    Raises:
        RuntimeError: What draws it is not installed.
        OSError: The folder cannot be written.
    """
    summary = evaluation.summary()
    reports = list(tables.shown_tasks(summary["sources"]).values())
    page = Report(title, conditions)
    _glance(page, summary, evaluation, reports)
    for report in reports:
        if report.write is not None:
            report.write(page, summary)
    _confidence(page, summary)
    _slices(page, summary)
    _latency(page, evaluation.spreads[LATENCY])
    _frames(page, "Worst frames", _faults(reports), evaluation.picked.worst())
    middle = "Frames in the middle: about half of a source's frames have fewer faults."
    _frames(page, "Median frames", middle, evaluation.picked.middle())
    best = "The frames with the fewest faults, drawn likewise."
    _frames(page, "Best frames", best, evaluation.picked.best())
    page.write(path)


def _glance(
    page: Report,
    summary: Mapping[str, Any],
    evaluation: Evaluation,
    reports: Sequence[TaskReport],
) -> None:
    """The few numbers that come first, each with what a baseline makes of it."""
    page.section("At a glance")
    headline, spreads = summary["headline"], evaluation.spreads
    numbers: list[tuple[str, Cell, str]] = [
        (label, headline[MODEL][key], _beside(headline[CONSTANT].get(key)))
        for report in reports
        for key, label in report.headlines.items()
        if not math.isnan(headline[MODEL][key])
    ]
    times = np.concatenate([np.asarray(values) for values in spreads[LATENCY].values()])
    numbers.append(
        (
            "Latency, median",
            f"{np.median(times):.1f} ms",
            f"95 % in {np.percentile(times, 95):.1f} ms",
        )
    )
    page.numbers(numbers)
    page.text(_what_numbers_mean(evaluation, reports))
    for name, label in ((n, text) for report in reports for n, text in report.spreads.items()):
        if any(map(len, spreads[name].values())):
            title = f"{label[0].upper()}{label[1:]}, by image"
            chart = charts.histogram(spreads[name], title, label, limits=(0.0, 1.0))
            page.picture(chart, columns=2)


def _beside(score: float | None) -> str:
    """Say what the constant baseline scores, where there is one."""
    return "" if score is None else f"constant {score:.3f}"


def _what_numbers_mean(evaluation: Evaluation, reports: Sequence[TaskReport]) -> str:
    """Say how numbers are pooled, and what stands beside them."""
    pooled = tables.sentence([report.pooling for report in reports], "; ")
    baselines = evaluation.baselines.texts()
    beside = (
        "Beside the model stand two baselines that do not look at the image, scored on the same "
        "frames: "
        + "; ".join(f"{name} ({what})" for name, what in baselines.items())
        + ". A score means something only above theirs."
    )
    return " ".join([*([f"{pooled}."] if pooled else []), *([beside] if baselines else [])])


def _faults(reports: Sequence[TaskReport]) -> str:
    """Say by what the worst frames were chosen, and what is drawn on them."""
    faults = ", plus ".join(report.faults for report in reports if report.faults)
    outlined = ", and ".join(report.outlined for report in reports if report.outlined)
    label = f", white is the label: {outlined}" if outlined else ""
    return f"Faults of a frame: {faults}. Colours are the model's answer{label}."


def _confidence(page: Report, summary: Mapping[str, Any]) -> None:
    """Whether stated confidence comes true."""
    sources = summary["sources"]
    if not tables.statements(sources):
        return
    page.section("Confidence")
    page.picture(charts.reliability(sources), "Stated against true confidence")
    header, rows = tables.confidence_table(sources)
    page.table(header, rows, "Expected calibration error")
    page.text("Points below the dashed line: the model is surer than it should be.")


def _slices(page: Report, summary: Mapping[str, Any]) -> None:
    """The same scores by kind of image."""
    page.section("Slices")
    page.text(
        "Where a model is weak, pooled scores hide it. Mind the number of images: a slice of ten "
        "says little."
    )
    for way, rule in rules().items():
        if set(summary["slices"][way]) == {UNKNOWN}:
            page.text(f"By {way}: not known of any image ({rule}).")
            continue
        header, rows, groups = tables.slice_table(way, summary["slices"][way])
        page.table(header, rows, f"By {way}", groups=groups, muted=muted(groups))
        page.text(f"{way.capitalize()}: {rule}.")


def _latency(page: Report, times: Mapping[str, Any]) -> None:
    """How long an image takes, on the machine that scored."""
    page.section("Latency")
    page.picture(charts.histogram(times, "Image to answer", "ms"), columns=2)
    header = ("source", "images", "mean, ms", "median, ms", "95 %, ms", "99 %, ms", "longest, ms")
    rows: list[Sequence[Cell]] = []
    for source, values in sorted(times.items()):
        array = np.asarray(values)
        points = np.percentile(array, (50, 95, 99, 100))
        rows.append([source, len(array), float(array.mean()), *map(float, points)])
    page.table(header, rows, decimals=dict.fromkeys(range(2, len(header)), 1))
    page.text(
        "Cropping, inference and decoding on the machine that scored, one image at a time, without "
        "reading the picture; other load on it shows. These numbers differ from run to run, all "
        "others do not. The benchmark command measures speed."
    )


def _frames(page: Report, title: str, text: str, frames: Mapping[str, Sequence[Picked]]) -> None:
    """Pictures, source by source."""
    if not any(frames.values()):
        return
    page.section(title)
    page.text(text)
    for source, pictures in frames.items():
        if pictures:
            page.heading(source)
        for frame in pictures:
            page.picture(frame.jpeg, frame.caption, columns=2)
