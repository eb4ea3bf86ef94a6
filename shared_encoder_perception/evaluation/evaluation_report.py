"""The HTML report of an evaluation: what a person looks at before trusting a model."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from shared_encoder_perception.evaluation import report_tables as tables
from shared_encoder_perception.evaluation.baseline_answers import BASELINES, CONSTANT
from shared_encoder_perception.evaluation.evaluation import MODEL, Evaluation
from shared_encoder_perception.evaluation.picked_frames import Picked
from shared_encoder_perception.evaluation.report import charts
from shared_encoder_perception.evaluation.report.document import Cell, Report
from shared_encoder_perception.evaluation.slices import RULES, UNKNOWN

HEADLINES: Final = (
    ("lane_accuracy", "Lane rows right"),
    ("lane_f1", "Lane F1"),
    ("tusimple_accuracy", "TuSimple accuracy"),
    ("culane_f1", "CULane F1"),
    ("mask_iou", "Mask IoU"),
    ("boundary_f", "Mask's boundary F"),
)
"""Key of the headline -> what people call it."""


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
    page = Report(title, conditions)
    _glance(page, summary, evaluation.spreads)
    _lanes(page, summary)
    _masks(page, summary)
    _confidence(page, summary)
    _slices(page, summary)
    _latency(page, evaluation.spreads["latency_ms"])
    faults = (
        "Faults of a frame: over its labelled lanes the share of rows that are wrong (1 for a "
        "false alarm), plus one minus the IoU of the mask. Colours are the model's answer, white "
        "is the label: lines, and the edge of the drivable surface."
    )
    _frames(page, "Worst frames", faults, evaluation.picked.worst())
    best = "The frames with the fewest faults, drawn likewise."
    _frames(page, "Best frames", best, evaluation.picked.best())
    page.write(path)


def _glance(page: Report, summary: Mapping[str, Any], spreads: Mapping[str, Any]) -> None:
    """The few numbers that come first, each with what a baseline makes of it."""
    page.section("At a glance")
    headline = summary["headline"]
    numbers: list[tuple[str, Cell, str]] = [
        (label, headline[MODEL][key], f"constant {headline[CONSTANT][key]:.3f}")
        for key, label in HEADLINES
        if not math.isnan(headline[MODEL][key])
    ]
    times = np.concatenate([np.asarray(values) for values in spreads["latency_ms"].values()])
    numbers.append(
        (
            "Latency, median",
            f"{np.median(times):.1f} ms",
            f"95 % in {np.percentile(times, 95):.1f} ms",
        )
    )
    page.numbers(numbers)
    page.text(
        "Lane scores pool all sources and are means over the ego lane and its neighbours; the "
        "mask's IoU is the mean over sources, as their conventions differ. Beside the model stand "
        "two baselines that do not look at the image, scored on the same frames: "
        + "; ".join(f"{name} ({what})" for name, what in BASELINES.items())
        + ". A score means something only above theirs."
    )
    shown = (("lane_accuracy", "share of labelled rows that are right"), ("mask_iou", "mask IoU"))
    for name, label in shown:
        if any(map(len, spreads[name].values())):
            title = f"{label[0].upper()}{label[1:]}, by image"
            chart = charts.histogram(spreads[name], title, label, limits=(0.0, 1.0))
            page.picture(chart, columns=2)


def _lanes(page: Report, summary: Mapping[str, Any]) -> None:
    """Everything about lines."""
    rows = tables.lane_rows(summary)
    if not rows:
        return
    page.section("Lanes")
    page.table(
        tables.LANE_HEADER,
        rows,
        "Each head on its own",
        groups=tables.LANE_GROUPS,
        muted=tables.muted(tables.LANE_GROUPS),
    )
    page.text(
        "Rows right: labelled rows within TuSimple's 20 px of the label (at 1280 px width, "
        "perpendicular to it); a lane that was not detected has all of them wrong. F1: a line "
        "counts as found with 85 % of its rows right. False alarms: lines where the label says "
        "that there is no such lane."
    )
    page.table(
        tables.BENCHMARK_HEADER,
        tables.benchmark_rows(summary),
        "By the rules of the public benchmarks",
        groups=tables.BENCHMARK_GROUPS,
        muted=tables.muted(tables.BENCHMARK_GROUPS),
    )
    page.text(
        "Their rules, but on lane centre lines, where they score the boundaries of lanes: compare "
        "among models here, not with published tables. TuSimple counts rows that are empty on both "
        "sides as right, so that a constant line scores high. Images of other widths are scaled to "
        "the benchmark's; the run time rule (200 ms) is left out."
    )
    page.table(
        tables.LATERAL_HEADER,
        tables.lateral_rows(summary),
        "Distance from the label, in lane widths, of the rows that the line reaches; and its ends",
        groups=tables.LATERAL_GROUPS,
        muted=tables.muted(tables.LATERAL_GROUPS),
        decimals=dict.fromkeys(range(len(tables.LATERAL_HEADER))[-2:], 1),
    )
    page.text(
        "Near, middle and far are where the labelled lane is wider than a quarter, wider than a "
        "tenth, and narrower than a tenth of the image: up to about 11.5 m, 29 m and beyond with "
        "64 degrees of view. A row's width is known where a neighbouring lane is labelled. To the "
        "right: with its sign, which shows a line that is always on one side. "
        "Over-reach: pixel rows that the line runs on beyond the near and the far end of its "
        "label, in the mean."
    )


def _masks(page: Report, summary: Mapping[str, Any]) -> None:
    """Everything about the drivable surface."""
    rows = tables.mask_rows(summary)
    if not rows:
        return
    page.section("Drivable surface")
    page.table(
        tables.MASK_HEADER,
        rows,
        groups=tables.MASK_GROUPS,
        muted=tables.muted(tables.MASK_GROUPS),
    )
    page.text(
        "IoU of the drivable pixels inside the crop, pooled over the images of a source. Boundary "
        "F (Csurka et al., 2013): the edge of the surface counts as found within 0.75 % of the "
        "crop's diagonal; it shows what IoU, which counts areas, hardly sees."
    )


def _confidence(page: Report, summary: Mapping[str, Any]) -> None:
    """Whether stated confidence comes true."""
    page.section("Confidence")
    page.picture(charts.reliability(summary["sources"]), "Stated against true confidence")
    header = ("source", "lanes: ECE", "lines", "mask: ECE", "pixels")
    rows: list[list[Cell]] = [
        [source, *(scores["calibration"][task][key] for task, key in tables.ECE)]
        for source, scores in summary["sources"].items()
    ]
    page.table(header, rows, "Expected calibration error")
    page.text("Points below the dashed line: the model is surer than it should be.")


def _slices(page: Report, summary: Mapping[str, Any]) -> None:
    """The same scores by kind of image."""
    page.section("Slices")
    page.text(
        "Where a model is weak, pooled scores hide it. Mind the number of images: a slice of ten "
        "says little."
    )
    for way, rule in RULES.items():
        if set(summary["slices"][way]) == {UNKNOWN}:
            page.text(f"By {way}: not known of any image ({rule}).")
            continue
        page.table(
            (way, *tables.SLICE_HEADER),
            tables.slice_rows(summary["slices"][way]),
            f"By {way}",
            groups=tables.SLICE_GROUPS,
            muted=tables.muted(tables.SLICE_GROUPS),
        )
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
