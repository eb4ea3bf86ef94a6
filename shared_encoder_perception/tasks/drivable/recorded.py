"""What results of ``evaluate`` and ``replay`` tell of the mask: scores of an image, its area."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from shared_encoder_perception.tasks.contract.comparisons import Apart, Held, Seen
from shared_encoder_perception.tasks.drivable.drift import SHARES
from shared_encoder_perception.tasks.drivable.record import KEY
from shared_encoder_perception.tasks.sums import image_counts

CELLS: Final = Held(has=("shares of each image",), lacks=())
LINES: Final = Held(has=(), lacks=("masks",))


def of_cells(cells: Mapping[str, str]) -> Seen:
    """Take the scores of an image; without, the cells are empty."""
    shares = {name: float(cells[name]) for name in SHARES if cells[name]}
    words = (f"mask IoU {shares['mask_iou']:.3f}",) if "mask_iou" in shares else ()
    return Seen(image_counts(shares), words)


def cells_apart(one: Seen, other: Seen) -> Apart:
    """Return nothing: pixels are not there."""
    return Apart({})


def of_line(line: Mapping[str, Any]) -> Seen | None:
    """Take the area, and the score if there is one."""
    if not line.get(KEY):
        return None
    counts = {"area": float(line[KEY]["area"]), "areas": 1.0}
    iou = line.get("scores", {}).get("mask_iou")
    if iou is None:
        return Seen(counts)
    return Seen(counts | image_counts({"mask_iou": iou}), faults=1.0 - iou)


def lines_apart(one: Mapping[str, Any], other: Mapping[str, Any]) -> Apart:
    """Return the difference of the areas."""
    return Apart({}, abs(one[KEY]["area"] - other[KEY]["area"]))
