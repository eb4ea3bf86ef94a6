# SPDX-License-Identifier: Apache-2.0
"""What people get to see of how right the foreground is: terminal, report and card."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from shared_encoder_perception.tasks.contract.reports import (
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
from shared_encoder_perception.tasks.foreground import rivals
from shared_encoder_perception.tasks.foreground.metric import EDGE, SECTION

GROUPS: Final[Groups] = (
    *(("", 2), ("IoU", 3), ("model, by image", 2), ("edge F1", 2), ("model's edge", 2)),
    *(("model, empty pairs", 2),),
)
HEADER: Final = (
    *("source", "images", *THREE, "mean", "median", *TWO, "precision", "recall"),
    *("pairs", "false, %"),
)
TEXT: Final = (
    "IoU of the pixels that are new, inside the crop, pooled over the images of a source. Edge F1: "
    "an edge counts as found within 2 pixels of the image. Empty pairs are those in which nothing "
    "is new: the share of their pixels that is called foreground, in percent."
)
RIVAL_HEADER: Final = ("", "threshold", "IoU", "edge F1", "false on empty pairs, %")
RIVAL_TEXT: Final = (
    "Methods that learn nothing, on the same pairs: the largest difference of any channel of the "
    "two pictures, smoothed over 5 pixels; the same after each channel was brought to the same "
    "median; OpenCV's MOG2 that has seen the background once, its shadows left out. Each at the "
    "threshold that scores best on these very images."
)


def terminal(scores: Sources, baselines: Mapping[str, Sources]) -> list[str]:
    """Return the row of each source with foreground, and those of methods that learn nothing."""
    names = "".join(f"{name:>10}" for name in baselines)
    lines = [
        f"{'source':<16}{'new IoU':>9}{names}{'edge F1':>9}{'false, %':>10}"
        f"{'images':>8}{'empty':>7}"
    ]
    for source, sections in scores.items():
        said = sections[SECTION]
        if not (said["images"] or said["empty_pairs"]):
            continue
        ious = "".join(number(one[source][SECTION]["iou"], 10) for one in baselines.values())
        edge = sections.get(EDGE, {}).get("boundary_f", float("nan"))
        lines.append(
            f"{source:<16}{number(said['iou'], 9)}{ious}{number(edge, 9)}"
            f"{number(said['false_percent'], 10)}{said['images']:>8}{said['empty_pairs']:>7}"
        )
        for name, one in sections.get(rivals.SECTION, {}).items():
            lines.append(
                f"  {name}, {one['threshold']:g}: IoU {number(one['iou'])}, edge F1 "
                f"{number(one['edge_f1'])}, false {number(one['false_percent'])} %"
            )
    return lines


def write(page: Page, summary: Summary) -> None:
    """Add everything about the foreground."""
    rows = source_rows(summary)
    if not rows:
        return
    page.section("Foreground")
    page.table(HEADER, rows, groups=GROUPS, muted=muted(GROUPS))
    page.text(TEXT)
    for source, sections in summary["sources"].items():
        if found := sections.get(rivals.SECTION):
            page.heading(f"Beside it: {source}")
            page.table(RIVAL_HEADER, rival_rows(found))
            page.text(RIVAL_TEXT)


def rival_rows(found: Mapping[str, Mapping[str, float]]) -> list[list[Cell]]:
    """Each method that learns nothing."""
    return [
        [name, one["threshold"], one["iou"], one["edge_f1"], one["false_percent"]]
        for name, one in found.items()
    ]


def source_rows(summary: Summary) -> list[list[Cell]]:
    """Each source with foreground, or with empty pairs."""
    rows: list[list[Cell]] = []
    for source in summary["sources"]:
        scores = scores_of(summary, source)
        model, edge = scores[MODEL][SECTION], scores[MODEL][EDGE]
        if model["images"] or model["empty_pairs"]:
            rows.append(
                [
                    *(source, model["images"]),
                    *(scores[who][SECTION]["iou"] for who in THREE),
                    *(model["mean_iou"], model["median_iou"]),
                    *(scores[who][EDGE]["boundary_f"] for who in TWO),
                    *(edge["boundary_precision"], edge["boundary_recall"]),
                    *(model["empty_pairs"], model["false_percent"]),
                ]
            )
    return rows


def _card(title: str, value: str) -> Column:
    """Return a score as a column of a card."""
    return Column(title, lambda scores: number(scores[SECTION][value]))


REPORT: Final = TaskReport(
    headlines={
        "foreground_iou": "Foreground IoU",
        "foreground_edge_f1": "Foreground's edge F1",
        "foreground_false_percent": "False pixels on empty pairs, %",
    },
    pooling="the foreground's IoU is the mean over sources",
    spreads={"foreground_iou": "foreground IoU"},
    faults="one minus the IoU of the foreground, or the share of false pixels of an empty pair",
    outlined="the edge of the foreground",
    statements=Statements("foreground: labelled pixels", "pixels that are new", "pixels"),
    slice_counts=(Column("with foreground", lambda scores: scores[SECTION]["images"]),),
    slice_scores=(Column("foreground IoU", lambda scores: scores[SECTION]["iou"]),),
    card_columns=(
        _card("foreground IoU", "iou"),
        _card("median", "median_iou"),
        _card("false on empty, %", "false_percent"),
        Column("frames", lambda scores: scores[SECTION]["images"]),
        Column("empty pairs", lambda scores: scores[SECTION]["empty_pairs"]),
    ),
    card_confidence=(
        Column("foreground's ECE", lambda scores: number(scores["calibration"][SECTION]["ece"])),
    ),
    terminal=terminal,
    write=write,
)
