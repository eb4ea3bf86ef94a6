# SPDX-License-Identifier: Apache-2.0
"""What results of ``evaluate`` and ``replay`` tell of depth: errors of an image, quantiles."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from shared_encoder_perception.tasks.contract.comparisons import Apart, Held, Seen
from shared_encoder_perception.tasks.depth.record import KEY
from shared_encoder_perception.tasks.sums import image_counts

CELLS: Final = Held(has=("depth's errors of each image",), lacks=())
LINES: Final = Held(has=(), lacks=("depth of pixels",))
MEDIAN: Final = "median_m"


def of_cells(cells: Mapping[str, str]) -> Seen:
    """Take the errors of an image; without a label the cells are empty."""
    if not cells["depth_absrel"]:
        return Seen({})
    absrel, delta1 = float(cells["depth_absrel"]), float(cells["depth_delta1"])
    return _seen(absrel, delta1, (f"depth off by {absrel:.1%}",))


def cells_apart(one: Seen, other: Seen) -> Apart:
    """Return nothing: pixels are not there."""
    return Apart({})


def of_line(line: Mapping[str, Any]) -> Seen | None:
    """Take the errors if there are any."""
    if not line.get(KEY):
        return None
    scores = line.get("scores", {})
    absrel, delta1 = scores.get("depth_absrel"), scores.get("depth_delta1")
    return Seen({}) if absrel is None or delta1 is None else _seen(absrel, delta1, ())


def _seen(absrel: float, delta1: float, words: tuple[str, ...]) -> Seen:
    """Count the errors of one image."""
    counts = {"depth_absrel": absrel, "depth_delta1_sum": delta1, "depth_images": 1.0}
    return Seen(counts | image_counts({"depth_delta1": delta1}), words, faults=absrel)


def lines_apart(one: Mapping[str, Any], other: Mapping[str, Any]) -> Apart:
    """Return how far the median depths are apart, as a share."""
    first, second = one[KEY][MEDIAN], other[KEY][MEDIAN]
    if not first or not second:
        return Apart({})
    return Apart({}, abs(first - second) / max(first, second))
