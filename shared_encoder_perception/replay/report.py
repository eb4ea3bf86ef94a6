# SPDX-License-Identifier: Apache-2.0
"""The report of a replay: numbers, charts over the drive, some pictures."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception import tasks
from shared_encoder_perception.evaluation.report import charts
from shared_encoder_perception.evaluation.report.document import Report
from shared_encoder_perception.files.typed_json import parse_json
from shared_encoder_perception.replay.conditions import for_people
from shared_encoder_perception.replay.recorder import RESULTS
from shared_encoder_perception.replay.summary import TOTAL

POINTS: Final = 2000
"""Most points of a line over the drive: the average of the images between is drawn."""


def write_report(
    path: Path,
    folder: Path,
    names: Iterable[str],
    summary: Mapping[str, Any],
    stage_ms: Mapping[str, array[float]],
    pictures: Sequence[NDArray[np.uint8]],
) -> None:
    """Write the page.

    Args:
        path: The .html.
        folder: With ``results.jsonl``.
        names: Of the model's tasks.
        summary: As of ``summary.summarise``.
        stage_ms: As of ``summary.read_timings``.
        pictures: Overlays to show.
    """
    names = tuple(names)
    report = Report(f"Replay of {summary['conditions']['bag']}", for_people(summary["conditions"]))
    _write_overview(report, names, summary)
    if summary["scores"]:
        _write_scores(report, names, summary)
    _write_drive(report, names, folder / RESULTS, summary)
    _write_times(report, summary, stage_ms)
    if pictures:
        report.section("Pictures")
        for picture in pictures:
            report.picture(picture, columns=2)
    report.write(path)


def _write_overview(report: Report, names: Sequence[str], summary: Mapping[str, Any]) -> None:
    """Say how much was replayed and what is wrong."""
    report.section("Overview")
    rates, skipped = summary["throughput"], sum(summary["skipped"].values())
    rooms = tasks.parts("steadiness", names).values()
    report.numbers(
        [
            ("images perceived", summary["perceived"], f"of {summary['frames']} read"),
            ("images skipped", skipped, "; ".join(summary["skipped"]) or "none"),
            ("images a second", rates["replay_hz"], f"{rates['share']:.1%} of the model alone"),
            *(number for room in rooms for number in room.numbers(summary["temporal"])),
        ]
    )
    for problem in summary["problems"] or ["Nothing is wrong with the bag."]:
        report.text(problem)


def _write_scores(report: Report, names: Sequence[str], summary: Mapping[str, Any]) -> None:
    """Show what the labelled images scored."""
    report.section("Scores")
    report.text(f"{summary['labelled']} images have labels.")
    for scores in summary["scores"].values():
        for room in tasks.parts("drive_report", names).values():
            if (table := room.score_table(scores)) is not None:
                report.table(table.header, table.rows, table.title)


def _write_drive(
    report: Report, names: Sequence[str], results: Path, summary: Mapping[str, Any]
) -> None:
    """Show the answers over the drive."""
    steady, rooms = tasks.parts("steadiness", names).values(), tasks.parts("drive_report", names)
    if not steady and not rooms:
        return
    report.section("Drive")
    for room in steady:
        table = room.table(summary["temporal"], summary["detected"])
        report.table(table.header, table.rows, table.title)
    time_s, series = _over_time(results, rooms, summary["frames"])
    for task, room in rooms.items():
        title, unit, lines = room.CHART
        drawn = {name: (time_s, series[task, name]) for name in lines}
        report.picture(charts.lines(drawn, title, "s", unit, y_limits=(0.0, 1.0)))


def _over_time(
    results: Path, rooms: Mapping[str, Any], frames: int
) -> tuple[NDArray[np.float64], dict[tuple[str, str], NDArray]]:
    """Read what is drawn over the drive, averaged to at most ``POINTS``.

    Args:
        results: ``results.jsonl``.
        rooms: ``drive_report`` of the tasks, by their names.
        frames: Number of images.

    Returns:
        (N,) seconds since the first stamp, and (N,) numbers by task and name, as several tasks may
        call theirs the same; NaN where there are none.
    """
    names = [(task, name) for task, room in rooms.items() for name in room.CHART.names]
    bins = min(max(frames, 1), POINTS)
    sums = np.zeros((len(names) + 1, bins))
    counts = np.zeros_like(sums)
    first_ns: int | None = None
    with results.open("rb") as lines:
        next(lines)
        for number, line in enumerate(lines, start=2):
            record = parse_json(line, f"{results}, line {number},")
            if "skipped" in record:
                continue
            first_ns = record["stamp_ns"] if first_ns is None else first_ns
            said = {
                (task, name): value
                for task, room in rooms.items()
                for name, value in room.over_time(record).items()
            }
            values = [
                (record["stamp_ns"] - first_ns) * 1e-9,
                *(said.get(name, np.nan) for name in names),
            ]
            place = min(record["frame"] * bins // max(frames, 1), bins - 1)
            known = np.isfinite(values)
            sums[known, place] += np.array(values)[known]
            counts[known, place] += 1
    with np.errstate(invalid="ignore"):
        means = sums / counts
    return means[0], dict(zip(names, means[1:], strict=True))


def _write_times(
    report: Report, summary: Mapping[str, Any], stage_ms: Mapping[str, array[float]]
) -> None:
    """Show how long images took."""
    report.section("Times")
    latency = summary["latency_ms"]
    if not latency:
        report.text("No image was perceived.")
        return
    header = ["stage", *next(iter(latency.values()))]
    rows = [[stage, *values.values()] for stage, values in latency.items()]
    report.table(header, rows, "Milliseconds")
    totals = {"images": np.asarray(stage_ms[TOTAL])}
    report.picture(charts.histogram(totals, "Conversion to answer", "ms"))
