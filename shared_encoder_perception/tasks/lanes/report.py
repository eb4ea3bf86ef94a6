# SPDX-License-Identifier: Apache-2.0
"""What people get to see of how right lanes are: terminal, report and card."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from shared_encoder_perception.tasks.contract.reports import (
    CONSTANT,
    MODEL,
    THREE,
    TWO,
    Cell,
    Column,
    Groups,
    Page,
    Sources,
    Statements,
    Summary,
    TaskReport,
    muted,
    number,
    scores_of,
)
from shared_encoder_perception.tasks.lanes.answer import LANE_NAMES
from shared_encoder_perception.tasks.lanes.metric import MAIN_LANES, SECTION
from shared_encoder_perception.tasks.lanes.metrics.range_bins import BINS
from shared_encoder_perception.tasks.lanes.metrics.rows import LaneScore

LANE_GROUPS: Final[Groups] = (
    ("", 4),
    ("rows right", 3),
    ("F1", 3),
    ("precision", 2),
    ("recall", 2),
    ("false alarms", 2),
)
LANE_HEADER: Final = ("source", "lane", "present", "absent", *THREE, *THREE, *TWO, *TWO, *TWO)
BENCHMARK_GROUPS: Final[Groups] = (
    ("", 2),
    ("TuSimple accuracy", 3),
    ("TuSimple FP", 2),
    ("TuSimple FN", 2),
    ("CULane F1", 3),
)
BENCHMARK_HEADER: Final = ("source", "images", *THREE, *TWO, *TWO, *THREE)
LATERAL_GROUPS: Final[Groups] = (
    ("", 3),
    ("model", 3),
    (CONSTANT, 3),
    ("model: to the right", 3),
    ("model: over-reach, px", 2),
)
FIFTHS: Final = ("nearest", "2", "3", "4", "farthest")
ALONG_GROUPS: Final[Groups] = (("", 3), ("too short, %", 5), ("beside, %", 5))
ALONG_HEADER: Final = ("source", "lane", "rows", *FIFTHS, *FIFTHS)
LATERAL_HEADER: Final = ("source", "lane", "rows", *BINS, *BINS, *BINS, "near end", "far end")

ROWS_TEXT: Final = (
    "Rows right: labelled rows within TuSimple's 20 px of the label (at 1280 px width, "
    "perpendicular to it); a lane that was not detected has all of them wrong. F1: a line "
    "counts as found with 85 % of its rows right. False alarms: lines where the label says "
    "that there is no such lane."
)
BENCHMARK_TEXT: Final = (
    "Their rules, but on lane centre lines, where they score the boundaries of lanes: compare "
    "among models here, not with published tables. TuSimple counts rows that are empty on both "
    "sides as right, so that a constant line scores high. Images of other widths are scaled to "
    "the benchmark's; the run time rule (200 ms) is left out."
)
ALONG_TEXT: Final = (
    "Of the rows of detected lines, in fifths of each label: those that the line does not reach, "
    "and those that it passes at more than TuSimple's tolerance."
)
LATERAL_TEXT: Final = (
    "Near, middle and far are where the labelled lane is wider than a quarter, wider than a "
    "tenth, and narrower than a tenth of the image: up to about 11.5 m, 29 m and beyond with "
    "64 degrees of view. A row's width is known where a neighbouring lane is labelled. To the "
    "right: with its sign, which shows a line that is always on one side. "
    "Over-reach: pixel rows that the line runs on beyond the near and the far end of its "
    "label, in the mean."
)


def terminal(scores: Sources, baselines: Mapping[str, Sources]) -> list[str]:
    """Return the rows of each lane that is labelled."""
    names = "".join(f"{name:>10}" for name in baselines)
    lines = [
        f"{'source':<16}{'lane':<18}{'rows right':>11}{names}{'precision':>11}{'recall':>8}"
        f"{'F1':>7}{names}{'over-reach':>12}{'present':>9}{'absent':>8}{'false alarms':>14}"
    ]
    for source, name in _labelled_lanes(scores):
        lane = LaneScore(**scores[source][SECTION][name])
        others = [LaneScore(**said[source][SECTION][name]) for said in baselines.values()]
        rows = "".join(number(other.valid_row_accuracy, 10) for other in others)
        found = "".join(number(other.f1, 10) for other in others)
        lines.append(
            f"{source:<16}{name:<18}{number(lane.valid_row_accuracy, 11)}{rows}"
            f"{number(lane.precision, 11)}{number(lane.recall, 8)}{number(lane.f1, 7)}{found}"
            f"{number(lane.over_reach, 12)}{lane.labelled:>9}{lane.absent:>8}"
            f"{lane.false_alarms:>14}"
        )
    return lines


def card(scores: Sources) -> list[str]:
    """Return a Markdown table of each lane that is labelled."""
    lines = [
        "| images | lane | rows right | precision | recall | F1 | seen | absent | false alarms |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for source, name in _labelled_lanes(scores):
        lane = LaneScore(**scores[source][SECTION][name])
        shares = (lane.valid_row_accuracy, lane.precision, lane.recall, lane.f1)
        lines.append(
            f"| {source} | {name} | {' | '.join(map(number, shares))} | {lane.labelled} "
            f"| {lane.absent} | {lane.false_alarms} |"
        )
    return lines


def write(page: Page, summary: Summary) -> None:
    """Add everything about lines."""
    rows = lane_rows(summary)
    if not rows:
        return
    page.section("Lanes")
    page.table(
        LANE_HEADER, rows, "Each head on its own", groups=LANE_GROUPS, muted=muted(LANE_GROUPS)
    )
    page.text(ROWS_TEXT)
    page.table(
        BENCHMARK_HEADER,
        benchmark_rows(summary),
        "By the rules of the public benchmarks",
        groups=BENCHMARK_GROUPS,
        muted=muted(BENCHMARK_GROUPS),
    )
    page.text(BENCHMARK_TEXT)
    page.table(
        LATERAL_HEADER,
        lateral_rows(summary),
        "Distance from the label, in lane widths, of the rows that the line reaches; and its ends",
        groups=LATERAL_GROUPS,
        muted=muted(LATERAL_GROUPS),
        decimals=dict.fromkeys(range(len(LATERAL_HEADER))[-2:], 1),
    )
    page.text(LATERAL_TEXT)
    page.table(
        ALONG_HEADER,
        along_rows(summary),
        "Where along the line its wrong rows are",
        groups=ALONG_GROUPS,
        muted=muted(ALONG_GROUPS),
        decimals=dict.fromkeys(range(len(ALONG_HEADER))[3:], 1),
    )
    page.text(ALONG_TEXT)


def lane_rows(summary: Summary) -> list[list[Cell]]:
    """Each lane of each source that is labelled."""
    rows: list[list[Cell]] = []
    for source, name in _labelled_lanes(summary["sources"]):
        scores = {who: said[SECTION][name] for who, said in scores_of(summary, source).items()}
        model = scores[MODEL]
        rows.append(
            [
                *(source, name, model["labelled"], model["absent"]),
                *(scores[who]["valid_row_accuracy"] for who in THREE),
                *(scores[who]["f1"] for who in THREE),
                *(scores[who]["precision"] for who in TWO),
                *(scores[who]["recall"] for who in TWO),
                *(scores[who]["false_alarms"] for who in TWO),
            ]
        )
    return rows


def benchmark_rows(summary: Summary) -> list[list[Cell]]:
    """Each source with lines, as the benchmarks score it."""
    rows: list[list[Cell]] = []
    for source in summary["sources"]:
        scores = scores_of(summary, source)
        images = int(scores[MODEL]["tusimple"]["images"])
        if images:
            rows.append(
                [
                    *(source, images),
                    *(scores[who]["tusimple"]["accuracy"] for who in THREE),
                    *(scores[who]["tusimple"]["fp"] for who in TWO),
                    *(scores[who]["tusimple"]["fn"] for who in TWO),
                    *(scores[who]["culane"]["f1"] for who in THREE),
                ]
            )
    return rows


def lateral_rows(summary: Summary) -> list[list[Cell]]:
    """Each lane of each source that is labelled present: how far off, by range."""
    rows: list[list[Cell]] = []
    for source, name in _labelled_lanes(summary["sources"]):
        scores = scores_of(summary, source)
        ranges = {who: scores[who]["ranges"] for who in TWO}
        ends = scores[MODEL]["lateral"]
        count = sum(ranges[MODEL][f"{name}/{place}/rows"] for place in BINS)
        if scores[MODEL][SECTION][name]["labelled"]:
            rows.append(
                [
                    *(source, name, int(count)),
                    *(ranges[MODEL][f"{name}/{place}/error_widths"] for place in BINS),
                    *(ranges[CONSTANT][f"{name}/{place}/error_widths"] for place in BINS),
                    *(ranges[MODEL][f"{name}/{place}/bias_widths"] for place in BINS),
                    *(ends[f"{name}/over_reach_{end}_px"] for end in ("near", "far")),
                ]
            )
    return rows


def along_rows(summary: Summary) -> list[list[Cell]]:
    """Each lane of each source that is labelled present: wrong rows by fifths of the label."""
    rows: list[list[Cell]] = []
    for source, name in _labelled_lanes(summary["sources"]):
        found = scores_of(summary, source)[MODEL]["along"][name]
        if count := int(sum(found["rows"])):
            shares = [*found["short"], *found["beside"]]
            percent = (None if share is None else 100 * share for share in shares)
            rows.append([source, name, count, *percent])
    return rows


def _labelled_lanes(scores: Sources) -> list[tuple[str, str]]:
    """Return source and lane wherever something is labelled, present or absent."""
    return [
        (source, name)
        for source, sections in scores.items()
        for name in LANE_NAMES
        if sections[SECTION][name]["labelled"] or sections[SECTION][name]["absent"]
    ]


def _column(title: str, lane: str, key: str) -> Column:
    """Return one score of a lane as a column."""
    return Column(title, lambda scores: scores[SECTION][lane][key])


def _card_error(scores: Mapping[str, Any]) -> str:
    """Write the calibration error, and of how many lines it is."""
    error = scores["calibration"][SECTION]
    return f"{number(error['ece'])} ({error['count']} lines)"


REPORT: Final = TaskReport(
    headlines={
        "lane_accuracy": "Lane rows right",
        "lane_f1": "Lane F1",
        "tusimple_accuracy": "TuSimple accuracy",
        "culane_f1": "CULane F1",
    },
    pooling="lane scores pool all sources and are means over the ego lane and its neighbours",
    spreads={"lane_accuracy": "share of labelled rows that are right"},
    faults="over its labelled lanes the share of rows that are wrong (1 for a false alarm)",
    outlined="lines",
    statements=Statements("lanes: detected lines", "right lines", "lines"),
    slice_counts=(_column("with ego line", MAIN_LANES[0], "labelled"),),
    slice_scores=(
        *(
            _column(f"{name.replace('_', ' ')}: rows right", name, "valid_row_accuracy")
            for name in MAIN_LANES
        ),
        _column("ego: F1", MAIN_LANES[0], "f1"),
    ),
    card_confidence=(Column("lanes' ECE", _card_error),),
    terminal=terminal,
    write=write,
    card=card,
)
