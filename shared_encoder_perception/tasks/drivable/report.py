# SPDX-License-Identifier: Apache-2.0
"""What people get to see of how right the drivable surface is: terminal, report and card."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

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
from shared_encoder_perception.tasks.drivable.road_scores import BIRDS_EYE, IMAGE

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


ROAD_GROUPS: Final[Groups] = (("", 3), ("MaxF", 2), ("AP", 2), ("model at its MaxF", 5))
ROAD_HEADER: Final = (
    *("source", "pixels of", "images", *TWO, *TWO),
    *("threshold", "precision", "recall", "FPR", "FNR"),
)
VIEWS: Final = {IMAGE: "the image", BIRDS_EYE: "the bird's-eye view"}
NO_HOMOGRAPHY: Final = "its labels do not say where the road lies (homography)"
ROAD_TEXT: Final = (
    "As KITTI's road benchmark scores (Fritsch et al., 2013): all thresholds of the probability, "
    "pixels pooled over a source; AP is the mean of the precision at the recalls 0, 0.1 ... 1. The "
    "benchmark's numbers are those of the bird's-eye view, 6 to 46 m ahead and 10 m to each side."
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
    return [*lines, *_road_lines(scores)]


def _road_lines(scores: Sources) -> list[str]:
    """Return KITTI road's numbers of each source with masks; none where they were not counted."""
    shown = {source: one["road"] for source, one in scores.items() if _has_road(one)}
    if not shown:
        return []
    names = ("MaxF", "AP", "PRE", "REC", "FPR", "FNR")
    lines = ["", f"{'KITTI road':<16}{'pixels of':<21}" + "".join(f"{n:>7}" for n in names)]
    keys = ("max_f", "ap", "precision", "recall", "fpr", "fnr")
    for source, views in shown.items():
        for view, name in VIEWS.items():
            numbers = "".join(number(views[view][key], 7) for key in keys)
            said = numbers if views[view]["images"] else f"   {NO_HOMOGRAPHY}"
            lines.append(f"{source:<16}{name:<21}{said}")
    return lines


def _has_road(sections: Mapping[str, Any]) -> bool:
    """Whether a source's scores have some by KITTI's rules."""
    return "road" in sections and bool(sections["road"][IMAGE]["images"])


def write(page: Page, summary: Summary) -> None:
    """Add everything about the drivable surface."""
    rows = mask_rows(summary)
    if not rows:
        return
    page.section("Drivable surface")
    page.table(HEADER, rows, groups=GROUPS, muted=muted(GROUPS))
    page.text(TEXT)
    page.table(ROAD_HEADER, road_rows(summary), groups=ROAD_GROUPS, muted=muted(ROAD_GROUPS))
    without = [source for source, one in summary["sources"].items() if _blind(one)]
    beside = f" No bird's-eye view of {', '.join(without)}: {NO_HOMOGRAPHY}." if without else ""
    page.text(f"{ROAD_TEXT}{beside}")


def road_rows(summary: Summary) -> list[list[Cell]]:
    """Each source with masks, in the image and, where one knows the road's place, from above."""
    rows: list[list[Cell]] = []
    for source in summary["sources"]:
        scores = {who: said["road"] for who, said in scores_of(summary, source).items()}
        for view, name in VIEWS.items():
            model = scores[MODEL][view]
            if model["images"]:
                rows.append(
                    [
                        *(source, name, model["images"]),
                        *(scores[who][view][key] for key in ("max_f", "ap") for who in TWO),
                        *(model[key] for key in ("threshold", "precision", "recall")),
                        *(model["fpr"], model["fnr"]),
                    ]
                )
    return rows


def _blind(sections: Mapping[str, Any]) -> bool:
    """Whether a source has masks, and none of them says where the road lies."""
    return _has_road(sections) and not sections["road"][BIRDS_EYE]["images"]


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
