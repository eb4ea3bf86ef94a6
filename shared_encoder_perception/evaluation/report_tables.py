"""The tables of an evaluation's report, as rows of cells: the model, and baselines beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from shared_encoder_perception.evaluation.baseline_answers import CONSTANT, EMPTY
from shared_encoder_perception.evaluation.evaluation import MODEL
from shared_encoder_perception.evaluation.report.document import Cell
from shared_encoder_perception.evaluation.scorer import MAIN_LANES
from shared_encoder_perception.evaluation.slices import in_order
from shared_encoder_perception.tasks.lanes.answer import LANE_NAMES
from shared_encoder_perception.tasks.lanes.metrics.range_bins import BINS

Groups = Sequence[tuple[str, int]]
Summary = Mapping[str, Any]
"""As ``Evaluation.summary``."""

THREE: Final = (MODEL, CONSTANT, EMPTY)
TWO: Final = (MODEL, CONSTANT)
ECE: Final = (("lanes", "ece"), ("lanes", "count"), ("mask", "ece"), ("mask", "count"))

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
LATERAL_HEADER: Final = ("source", "lane", "rows", *BINS, *BINS, *BINS, "near end", "far end")
MASK_GROUPS: Final[Groups] = (
    ("", 2),
    ("IoU", 3),
    ("model, by image", 2),
    ("IoU < 0.4", 2),
    ("boundary F", 3),
    ("model's boundary", 2),
)
MASK_HEADER: Final = (
    *("source", "images", *THREE, "mean", "median", *TWO, *THREE),
    *("precision", "recall"),
)
SLICE_GROUPS: Final[Groups] = (
    ("", 3),
    *((f"{name.replace('_', ' ')}: rows right", 2) for name in MAIN_LANES),
    ("ego: F1", 2),
    ("mask IoU", 2),
)
SLICE_HEADER: Final = ("with ego line", "with mask", *TWO, *TWO, *TWO, *TWO, *TWO)


def muted(groups: Groups) -> set[int]:
    """Return the columns of baselines: in a group of ``TWO`` or ``THREE`` all but the first.

    Groups of the model alone say so in their name.
    """
    columns: set[int] = set()
    start = 0
    for name, span in groups:
        if name == CONSTANT:
            columns.update(range(start, start + span))
        elif name and not name.startswith(MODEL):
            columns.update(range(start + 1, start + span))
        start += span
    return columns


def lane_rows(summary: Summary) -> list[list[Cell]]:
    """Each lane of each source that is labelled."""
    rows: list[list[Cell]] = []
    for source, name in _labelled_lanes(summary):
        scores = {who: said["lanes"][name] for who, said in _all(summary, source).items()}
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
        scores = _all(summary, source)
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
    for source, name in _labelled_lanes(summary):
        scores = _all(summary, source)
        ranges = {who: scores[who]["ranges"] for who in TWO}
        ends = scores[MODEL]["lateral"]
        count = sum(ranges[MODEL][f"{name}/{place}/rows"] for place in BINS)
        if scores[MODEL]["lanes"][name]["labelled"]:
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


def mask_rows(summary: Summary) -> list[list[Cell]]:
    """Each source with masks."""
    rows: list[list[Cell]] = []
    for source in summary["sources"]:
        scores = {who: said["boundary"] for who, said in _all(summary, source).items()}
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


def slice_rows(slices: Mapping[str, Mapping[str, Any]]) -> list[list[Cell]]:
    """Each slice of one way to slice."""
    rows: list[list[Cell]] = []
    ego = MAIN_LANES[0]
    for value in in_order(slices):
        scores = slices[value]
        rows.append(
            [
                *(value, scores[MODEL]["lanes"][ego]["labelled"], scores[MODEL]["mask"]["images"]),
                *(
                    scores[who]["lanes"][name]["valid_row_accuracy"]
                    for name in MAIN_LANES
                    for who in TWO
                ),
                *(scores[who]["lanes"][ego]["f1"] for who in TWO),
                *(scores[who]["mask"]["iou"] for who in TWO),
            ]
        )
    return rows


def _all(summary: Summary, source: str) -> dict[str, Mapping[str, Any]]:
    """Return what the model and the baselines score on a source."""
    baselines = {name: scores[source] for name, scores in summary["baselines"].items()}
    return {MODEL: summary["sources"][source], **baselines}


def _labelled_lanes(summary: Summary) -> list[tuple[str, str]]:
    """Return source and lane wherever something is labelled, present or absent."""
    return [
        (source, name)
        for source, scores in summary["sources"].items()
        for name in LANE_NAMES
        if scores["lanes"][name]["labelled"] or scores["lanes"][name]["absent"]
    ]
