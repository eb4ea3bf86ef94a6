"""What people get to see of how right the drivable surface is: terminal, report and card."""

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
from shared_encoder_perception.tasks.drivable.metric import SECTION

GROUPS: Final[Groups] = (
    ("", 2),
    ("IoU", 3),
    ("model, by image", 2),
    ("IoU < 0.4", 2),
    ("boundary F", 3),
    ("model's boundary", 2),
)
HEADER: Final = (
    *("source", "images", *THREE, "mean", "median", *TWO, *THREE),
    *("precision", "recall"),
)
TEXT: Final = (
    "IoU of the drivable pixels inside the crop, pooled over the images of a source. Boundary "
    "F (Csurka et al., 2013): the edge of the surface counts as found within 0.75 % of the "
    "crop's diagonal; it shows what IoU, which counts areas, hardly sees."
)


def terminal(scores: Sources, baselines: Mapping[str, Sources]) -> list[str]:
    """Return the row of each source with masks."""
    names = "".join(f"{name:>10}" for name in baselines)
    lines = [
        f"{'source':<16}{'mask IoU':>9}{names}{'mean':>8}{'median':>8}{'< 0.4':>7}{'images':>8}"
    ]
    for source, sections in scores.items():
        mask = sections[SECTION]
        if mask["images"]:
            ious = "".join(number(said[source][SECTION]["iou"], 10) for said in baselines.values())
            lines.append(
                f"{source:<16}{number(mask['iou'], 9)}{ious}{number(mask['mean_iou'], 8)}"
                f"{number(mask['median_iou'], 8)}{mask['below']:>7}{mask['images']:>8}"
            )
    return lines


def write(page: Page, summary: Summary) -> None:
    """Add everything about the drivable surface."""
    rows = mask_rows(summary)
    if not rows:
        return
    page.section("Drivable surface")
    page.table(HEADER, rows, groups=GROUPS, muted=muted(GROUPS))
    page.text(TEXT)


def mask_rows(summary: Summary) -> list[list[Cell]]:
    """Each source with masks."""
    rows: list[list[Cell]] = []
    for source in summary["sources"]:
        scores = {who: said["boundary"] for who, said in scores_of(summary, source).items()}
        model = scores[MODEL]
        if model["images"]:
            rows.append(
                [
                    *(source, int(model["images"])),
                    *(scores[who]["iou"] for who in THREE),
                    *(model["mean_iou"], model["median_iou"]),
                    *(int(scores[who]["below"]) for who in TWO),
                    *(scores[who]["boundary_f"] for who in THREE),
                    *(model["boundary_precision"], model["boundary_recall"]),
                ]
            )
    return rows


def _share(title: str, key: str) -> Column:
    """Return a score as a column of a card."""
    return Column(title, lambda scores: number(scores[SECTION][key]))


def _count(title: str, key: str) -> Column:
    """Return a number of images as a column."""
    return Column(title, lambda scores: scores[SECTION][key])


REPORT: Final = TaskReport(
    headlines={"mask_iou": "Mask IoU", "boundary_f": "Mask's boundary F"},
    pooling="the mask's IoU is the mean over sources, as their conventions differ",
    spreads={"mask_iou": "mask IoU"},
    faults="one minus the IoU of the mask",
    outlined="the edge of the drivable surface",
    statements=Statements("mask: labelled pixels", "drivable pixels", "pixels"),
    slice_counts=(_count("with mask", "images"),),
    slice_scores=(Column("mask IoU", lambda scores: scores[SECTION]["iou"]),),
    card_columns=(
        _share("mask IoU", "iou"),
        _share("mean", "mean_iou"),
        _share("median", "median_iou"),
        _count("below 0.4", "below"),
        _count("frames", "images"),
    ),
    card_confidence=(
        Column("mask's ECE", lambda scores: number(scores["calibration"][SECTION]["ece"])),
    ),
    terminal=terminal,
    write=write,
)
