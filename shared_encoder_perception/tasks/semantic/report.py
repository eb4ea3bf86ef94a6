# SPDX-License-Identifier: Apache-2.0
"""What people get to see of how right classes are: terminal, report and card."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, Final

import numpy as np

from shared_encoder_perception.tasks.contract.reports import (
    MODEL,
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
from shared_encoder_perception.tasks.semantic import confusion_picture
from shared_encoder_perception.tasks.semantic.confusion_picture import NOTHING_SAID
from shared_encoder_perception.tasks.semantic.metric import SECTION

GROUPS: Final[Groups] = (("", 2), ("mean IoU", 2), ("pixels right", 2), ("model", 1))
HEADER: Final = ("source", "images", *TWO, *TWO, "categories' IoU")
PER_CLASS: Final = ("class", "IoU", "precision", "recall", "pixels", "images", "taken for")
TEXT: Final = (
    "One confusion matrix of all pixels of a source that are labelled with a class that the model "
    "has, inside the crop. A class of which there is neither a label nor an answer has no score. "
    "Taken for: what most of the pixels that were missed are said to be. The picture shows the "
    "matrix: of each class's labelled pixels, what they are said to be. iIoU, where labels tell "
    "objects apart, weighs an object's pixels by the average size of its class in Cityscapes."
)


def terminal(scores: Sources, baselines: Mapping[str, Sources]) -> list[str]:
    """Return the row of each source with class maps, and its classes."""
    names = "".join(f"{name:>10}" for name in baselines)
    lines = [f"{'source':<16}{'mean IoU':>9}{names}{'pixels':>8}{'images':>8}"]
    for source, sections in scores.items():
        said = sections[SECTION]
        if not said["images"]:
            continue
        others = "".join(number(one[source][SECTION]["miou"], 10) for one in baselines.values())
        lines.append(
            f"{source:<16}{number(said['miou'], 9)}{others}"
            f"{number(said['pixel_accuracy'], 8)}{said['images']:>8}"
        )
        lines += [
            f"  {name:<14}{number(one['iou'], 9)}"
            for name, one in said["classes"].items()
            if one["pixels"] or one["iou"] == one["iou"]
        ]
        lines += [f"  {text}" for text in objects_text(sections)]
    return lines


def write(page: Page, summary: Summary) -> None:
    """Add everything about classes."""
    rows = source_rows(summary)
    if not rows:
        return
    page.section("Classes")
    page.table(HEADER, rows, groups=GROUPS, muted=muted(GROUPS))
    for row in rows:
        source = str(row[0])
        sections = summary["sources"][source]
        page.heading(source)
        page.table(class_header(sections), class_rows(sections))
        for text in objects_text(sections):
            page.text(text)
        _confusion(page, sections["confusion"])
    page.text(TEXT)


def _confusion(page: Page, confusion: Mapping[str, Any]) -> None:
    """Add the picture of the matrix."""
    counts = np.array(confusion["counts"], np.int64)
    kept = confusion_picture.shown(counts)
    draw = partial(confusion_picture.draw, names=confusion["names"], counts=counts, kept=kept)
    left_out = len(confusion_picture.shown(counts, len(counts))) - len(kept)
    more = f"; {left_out} classes with fewer pixels are left out" if left_out else ""
    caption = f"What each class is said to be, in percent of its labelled pixels{more}"
    page.chart(draw, confusion_picture.inches(kept), caption)


def objects_text(sections: Mapping[str, Any]) -> list[str]:
    """Say in a line what iIoU is; nothing where no label tells objects apart."""
    objects = sections.get("instances", {"images": 0})
    if not objects["images"]:
        return []
    each = {"all": objects["category_iiou"], **objects["categories"]}
    categories = ", ".join(f"{name} {number(iiou)}" for name, iiou in each.items())
    return [
        f"iIoU {number(objects['iiou'])}, of categories: {categories}; from the "
        f"{objects['images']} images whose labels tell objects apart"
    ]


def class_header(sections: Mapping[str, Any]) -> list[str]:
    """Return the columns of ``class_rows``; iIoU is one where labels tell objects apart."""
    iiou = ["iIoU"] if sections["instances"]["images"] else []
    return [*PER_CLASS[:2], *iiou, *PER_CLASS[2:]]


def source_rows(summary: Summary) -> list[list[Cell]]:
    """Each source with class maps."""
    rows: list[list[Cell]] = []
    for source in summary["sources"]:
        scores = {who: said[SECTION] for who, said in scores_of(summary, source).items()}
        model = scores[MODEL]
        if model["images"]:
            rows.append(
                [
                    *(source, model["images"]),
                    *(scores[who]["miou"] for who in TWO),
                    *(scores[who]["pixel_accuracy"] for who in TWO),
                    model["category_iou"],
                ]
            )
    return rows


def class_rows(sections: Mapping[str, Any]) -> list[list[Cell]]:
    """Each class that is labelled or said, and what it is taken for."""
    names = [*sections["confusion"]["names"], NOTHING_SAID]
    objects, rows = sections["instances"], list[list[Cell]]()
    for index, (name, one) in enumerate(sections[SECTION]["classes"].items()):
        if one["iou"] != one["iou"]:
            continue
        missed = list(sections["confusion"]["counts"][index])
        missed[index] = 0
        total, most = sum(missed), max(missed)
        taken = f"{names[missed.index(most)]} ({most / total:.0%})" if total else ""
        iiou = [objects["classes"].get(name)] if objects["images"] else []
        rows.append(
            [
                *(name, one["iou"], *iiou, one["precision"], one["recall"]),
                *(one["pixels"], one["images"], taken),
            ]
        )
    return rows


REPORT: Final = TaskReport(
    headlines={"semantic_miou": "Classes' mean IoU", "pixel_accuracy": "Pixels right"},
    pooling="the classes' mean IoU is the mean over sources, as their conventions differ",
    spreads={"semantic_miou": "classes' mean IoU"},
    faults="the share of pixels of another class",
    outlined="the borders between classes",
    statements=Statements("classes: labelled pixels", "right pixels", "pixels"),
    slice_counts=(Column("with classes", lambda scores: scores[SECTION]["images"]),),
    slice_scores=(Column("mean IoU", lambda scores: scores[SECTION]["miou"]),),
    card_columns=(
        Column("mean IoU", lambda scores: number(scores[SECTION]["miou"])),
        Column("pixels right", lambda scores: number(scores[SECTION]["pixel_accuracy"])),
        Column("frames", lambda scores: scores[SECTION]["images"]),
    ),
    card_confidence=(
        Column("classes' ECE", lambda scores: number(scores["calibration"][SECTION]["ece"])),
    ),
    terminal=terminal,
    write=write,
)
