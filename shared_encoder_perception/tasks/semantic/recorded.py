# SPDX-License-Identifier: Apache-2.0
"""What results of ``evaluate`` and ``replay`` tell of classes: scores and shares of an image."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from shared_encoder_perception.tasks.contract.comparisons import Apart, Held, Seen
from shared_encoder_perception.tasks.semantic.drift import SHARES
from shared_encoder_perception.tasks.semantic.record import KEY
from shared_encoder_perception.tasks.sums import image_counts

CELLS: Final = Held(has=("shares of each image",), lacks=())
LINES: Final = Held(has=(), lacks=("classes of pixels",))


def of_cells(cells: Mapping[str, str]) -> Seen:
    """Take the scores of an image; without, the cells are empty."""
    shares = {name: float(cells[name]) for name in SHARES if cells[name]}
    words = (f"classes: IoU {shares['semantic_miou']:.3f}",) if "semantic_miou" in shares else ()
    return Seen(image_counts(shares), words)


def cells_apart(one: Seen, other: Seen) -> Apart:
    """Return nothing: pixels are not there."""
    return Apart({})


def of_line(line: Mapping[str, Any]) -> Seen | None:
    """Take the score, if there is one."""
    if not line.get(KEY):
        return None
    miou = line.get("scores", {}).get("semantic_miou")
    if miou is None:
        return Seen({})
    return Seen(image_counts({"semantic_miou": miou}), faults=1.0 - miou)


def lines_apart(one: Mapping[str, Any], other: Mapping[str, Any]) -> Apart:
    """Return the largest difference of a class's share."""
    first, second = one[KEY]["shares"], other[KEY]["shares"]
    names = {*first, *second}
    return Apart({}, max((abs(first.get(n, 0.0) - second.get(n, 0.0)) for n in names), default=0.0))
