"""What results of ``evaluate`` and ``replay`` tell of a mask: scores of an image, its area."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shared_encoder_perception.tasks.contract.comparisons import Apart, Seen
from shared_encoder_perception.tasks.sums import image_counts


def cell_scores(cells: Mapping[str, str], shares: tuple[str, ...], name: str) -> Seen:
    """Take the scores of an image; without, the cells are empty.

    Args:
        cells: A line of ``frames.csv``.
        shares: Columns of scores, the IoU first.
        name: What people call the mask.
    """
    found = {share: float(cells[share]) for share in shares if cells[share]}
    words = (f"{name} IoU {found[shares[0]]:.3f}",) if shares[0] in found else ()
    return Seen(image_counts(found), words)


def line_counts(line: Mapping[str, Any], key: str, iou_name: str) -> Seen | None:
    """Take the area, and the score if there is one.

    Args:
        line: Of ``results.jsonl``.
        key: Of the mask in it.
        iou_name: Of its score.
    """
    if not line.get(key):
        return None
    area, iou = line[key]["area"], line.get("scores", {}).get(iou_name)
    counts = {} if area is None else {"area": float(area), "areas": 1.0}
    if iou is None:
        return Seen(counts)
    return Seen(counts | image_counts({iou_name: iou}), faults=1.0 - iou)


def areas_apart(one: Mapping[str, Any], other: Mapping[str, Any], key: str) -> Apart:
    """Return the difference of the areas; nothing where one of them is not known."""
    areas = (one[key]["area"], other[key]["area"])
    return Apart({}) if None in areas else Apart({}, abs(areas[0] - areas[1]))
