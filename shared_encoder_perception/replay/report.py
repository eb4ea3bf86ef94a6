"""The report of a replay: numbers, charts over the drive, some pictures."""

from __future__ import annotations

import json
from array import array
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.evaluation.report import charts
from shared_encoder_perception.evaluation.report.document import Report
from shared_encoder_perception.replay.conditions import for_people
from shared_encoder_perception.replay.recorder import RESULTS
from shared_encoder_perception.replay.summary import TOTAL
from shared_encoder_perception.tasks.lanes.answer import LANE_NAMES

POINTS: Final = 2000
"""Most points of a line over the drive: the average of the images between is drawn."""
LANES_SHOWN: Final = (*LANE_NAMES, "all")


def write_report(
    path: Path,
    folder: Path,
    summary: Mapping[str, Any],
    stage_ms: Mapping[str, array[float]],
    pictures: Sequence[NDArray[np.uint8]],
) -> None:
    """Write the page.

    Args:
        path: The .html.
        folder: With ``results.jsonl``.
        summary: As of ``summary.summarise``.
        stage_ms: As of ``summary.read_timings``.
        pictures: Overlays to show.
    """
    report = Report(f"Replay of {summary['conditions']['bag']}", for_people(summary["conditions"]))
    _write_overview(report, summary)
    if summary["scores"]:
        _write_scores(report, summary)
    _write_drive(report, folder / RESULTS, summary)
    _write_times(report, summary, stage_ms)
    if pictures:
        report.section("Pictures")
        for picture in pictures:
            report.picture(picture, columns=2)
    report.write(path)


def _write_overview(report: Report, summary: Mapping[str, Any]) -> None:
    """Say how much was replayed and what is wrong."""
    report.section("Overview")
    rates, skipped = summary["throughput"], sum(summary["skipped"].values())
    report.numbers(
        [
            ("images perceived", summary["perceived"], f"of {summary['frames']} read"),
            ("images skipped", skipped, "; ".join(summary["skipped"]) or "none"),
            ("images a second", rates["replay_hz"], f"{rates['share']:.1%} of the model alone"),
            ("jitter", summary["temporal"]["all/jitter_px"], "px, all lanes"),
            ("flicker", summary["temporal"]["all/flicker_hz"], "changes a second"),
        ]
    )
    for problem in summary["problems"] or ["Nothing is wrong with the bag."]:
        report.text(problem)


def _write_scores(report: Report, summary: Mapping[str, Any]) -> None:
    """Show what the labelled images scored."""
    report.section("Scores")
    report.text(f"{summary['labelled']} images have labels.")
    names = ("valid_row_accuracy", "precision", "recall", "f1", "over_reach")
    for scores in summary["scores"].values():
        rows = [
            [lane, *(score[name] for name in names), score["labelled"], score["false_alarms"]]
            for lane, score in scores["lanes"].items()
        ]
        header = ["lane", "rows right", "precision", "recall", "F1", "over-reach"]
        report.table([*header, "present", "false alarms"], rows, "Lanes")
        mask = scores["mask"]
        if mask["images"]:
            header = ["images", "IoU", "mean", "median", "below 0.4"]
            keys = ("images", "iou", "mean_iou", "median_iou", "below")
            report.table(header, [[mask[key] for key in keys]], "Drivable surface")


def _write_drive(report: Report, results: Path, summary: Mapping[str, Any]) -> None:
    """Show the lanes over the drive."""
    report.section("Drive")
    temporal, detected = summary["temporal"], summary["detected"]
    measures = ("jitter_px", "flicker_hz", "latency_frames", "never_found")
    rows = [
        [lane, detected.get(lane), *(temporal[f"{lane}/{name}"] for name in measures)]
        for lane in LANES_SHOWN
    ]
    header = ["lane", "detected", "jitter px", "flicker Hz", "latency images", "never found"]
    report.table(header, rows, "Steadiness; latency needs labels")
    time_s, series = _over_time(results, summary["frames"])
    lanes = {name: (time_s, series[name]) for name in LANE_NAMES}
    limits = (0.0, 1.0)
    chart = charts.lines(lanes, "Confidence of the lanes", "s", "confidence", y_limits=limits)
    report.picture(chart)
    masks = {name: (time_s, series[name]) for name in ("area", "mean_confidence")}
    report.picture(charts.lines(masks, "Drivable surface", "s", "share", y_limits=limits))


def _over_time(results: Path, frames: int) -> tuple[NDArray[np.float64], dict[str, NDArray]]:
    """Read what is drawn over the drive, averaged to at most ``POINTS``.

    Returns:
        (N,) seconds since the first stamp, and (N,) numbers by name; NaN where there are none.
    """
    names = (*LANE_NAMES, "area", "mean_confidence")
    bins = min(max(frames, 1), POINTS)
    sums = np.zeros((len(names) + 1, bins))
    counts = np.zeros_like(sums)
    first_ns: int | None = None
    with results.open("rb") as lines:
        next(lines)
        for line in lines:
            record = json.loads(line)
            if "skipped" in record:
                continue
            first_ns = record["stamp_ns"] if first_ns is None else first_ns
            mask = record["mask"] or {}
            values = [
                (record["stamp_ns"] - first_ns) * 1e-9,
                *(record["lanes"][name]["confidence"] for name in LANE_NAMES),
                *(mask.get(name, np.nan) for name in names[len(LANE_NAMES) :]),
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
