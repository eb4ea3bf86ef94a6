# SPDX-License-Identifier: Apache-2.0
"""What results of ``evaluate`` and ``replay`` tell of a mask: scores of an image, its area."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from shared_encoder_perception.tasks.contract.comparisons import Apart, Seen
from shared_encoder_perception.tasks.sums import image_counts


class MaskRecords:
    """The functions of a room's ``recorded.py``; see ``contract.comparisons.Recorded``."""

    def __init__(self, key: str, shares: Sequence[str]) -> None:
        """Know the names.

        Args:
            key: Of the mask in lines of results, and for people.
            shares: Columns of scores, the IoU first.
        """
        self._key, self._shares, self._iou = key, shares, shares[0]

    def of_cells(self, cells: Mapping[str, str]) -> Seen:
        """Take the scores of an image; without, the cells are empty."""
        found = {share: float(cells[share]) for share in self._shares if cells[share]}
        words = (f"{self._key} IoU {found[self._iou]:.3f}",) if self._iou in found else ()
        return Seen(image_counts(found), words)

    def cells_apart(self, one: Seen, other: Seen) -> Apart:
        """Return nothing: pixels are not there."""
        return Apart({})

    def of_line(self, line: Mapping[str, Any]) -> Seen | None:
        """Take the area, and the score if there is one."""
        if not line.get(self._key):
            return None
        area, iou = line[self._key]["area"], line.get("scores", {}).get(self._iou)
        counts = {} if area is None else {"area": float(area), "areas": 1.0}
        if iou is None:
            return Seen(counts)
        return Seen(counts | image_counts({self._iou: iou}), faults=1.0 - iou)

    def lines_apart(self, one: Mapping[str, Any], other: Mapping[str, Any]) -> Apart:
        """Return the difference of the areas; nothing where one of them is not known."""
        areas = (one[self._key]["area"], other[self._key]["area"])
        return Apart({}) if None in areas else Apart({}, abs(areas[0] - areas[1]))
