# SPDX-License-Identifier: Apache-2.0
"""IoU that counts objects, not pixels: iIoU, as Cityscapes scores it (Cordts et al. 2016).

In IoU a near car weighs as much as hundreds of far ones. Here a pixel of an object weighs as much
as objects of its class are larger on average: iTP / (iTP + FP + iFN), with iTP and iFN the sums of
these weights over found and missed pixels. What is wrongly said has no object: FP is not weighted.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.tasks.semantic.classes import UNLABELLED, Table
from shared_encoder_perception.tasks.semantic.confusion import counted, mean

AVERAGE_PX: Final = MappingProxyType(
    {
        "person": 3462.4756337644,
        "rider": 3930.4788056518,
        "car": 12794.0202738185,
        "truck": 27855.1264367816,
        "bus": 35732.1511111111,
        "train": 67583.7075812274,
        "motorcycle": 6298.7200839748,
        "bicycle": 4672.3249222261,
    }
)
"""Average size of an object in Cityscapes' pictures of 2048 x 1024, by the name of its class."""
NUMBERS: Final = 1 << 16


class InstanceScores:
    """Weighted counts of the images whose objects are labelled one by one.

    Attributes:
        classes: The table of the answers; empty until there is one.
        images: With instances.
    """

    def __init__(self) -> None:
        """Start empty."""
        self._of(())

    def _of(self, table: Table) -> None:
        """Take a table."""
        self.classes, self.images = table, 0
        names = list(dict.fromkeys(one.category for one in table if one.category))
        # A category is scored where objects of all its classes are counted.
        self._categories = [
            name
            for name in names
            if all(one.name in AVERAGE_PX for one in table if one.category == name)
        ]
        # By id, all 256 of them: average size, 0 for none; place in _categories, -1 for none.
        self._average, self._category = np.zeros(256), np.full(256, -1, np.int64)
        for one in table:
            self._average[one.id] = AVERAGE_PX.get(one.name, 0.0)
            if one.category in self._categories:
                self._category[one.id] = self._categories.index(one.category)
        self._matrix = np.zeros((len(table), len(table) + 1), np.int64)
        # Found and missed: of the classes, of the categories.
        self._weighted = np.zeros((2, len(table)))
        self._of_categories = np.zeros((2, len(self._categories)))

    def update(
        self,
        said: NDArray[np.uint8],
        truth: NDArray[np.uint8],
        instances: NDArray[np.uint16],
        window: tuple[slice, slice],
        table: Table,
    ) -> None:
        """Add an image.

        Args:
            said: (H, W) ids of ``table``, or 255.
            truth: (H, W) likewise, 255 for what is not labelled.
            instances: (H, W) as of ``Label``.
            window: The part of the image that is scored. How large an object is, is counted in all
                of it: one that the window cuts weighs no more for that.
            table: The same for all images.
        """
        if not self.classes:
            self._of(table)
        self.images += 1
        self._matrix += counted(said[window], truth[window], len(table))
        scored = (truth != UNLABELLED) & (instances > 0) & (self._average[truth] > 0)
        key = np.where(scored, NUMBERS * truth.astype(np.int64) + instances, 0)
        numbers, sizes = np.unique(key, return_counts=True)
        known = scored[window]
        objects = np.searchsorted(numbers, key[window][known])
        answers, of_class = said[window][known], numbers // NUMBERS
        weight = self._average[of_class] / sizes
        right = answers == of_class[objects]
        self._add(self._weighted, of_class, objects, right, weight)
        category = self._category[of_class]
        right = self._category[answers] == category[objects]
        inside = category[objects] >= 0
        self._add(self._of_categories, category, objects[inside], right[inside], weight)

    @staticmethod
    def _add(
        sums: NDArray[np.float64],
        group: NDArray[np.int64],
        objects: NDArray[np.int64],
        right: NDArray[np.bool_],
        weight: NDArray[np.float64],
    ) -> None:
        """Add found and missed pixels, weighted, to the groups of their objects (in place)."""
        for row, which in zip(sums, (right, ~right), strict=True):
            pixels = np.bincount(objects[which], minlength=len(group))
            shown = np.flatnonzero(pixels)
            np.add.at(row, group[shown], pixels[shown] * weight[shown])

    def merge(self, other: InstanceScores) -> None:
        """Add what another one has counted, of the same table."""
        if not other.classes:
            return
        if not self.classes:
            self._of(other.classes)
        self.images += other.images
        self._matrix += other._matrix
        self._weighted += other._weighted
        self._of_categories += other._of_categories

    def compute(self) -> dict[str, Any]:
        """Return the scores; NaN where no image has instances, or there is nothing to score.

        Returns:
            ``images``; ``classes``, name -> iIoU of those whose average size is known, and
            ``iiou``, their mean; ``categories`` whose classes are all such, and their mean.
        """
        category, said = self._category[: len(self.classes)], self._matrix[:, :-1]
        each = _iiou(self._weighted, said.sum(axis=0) - np.diagonal(self._matrix))
        wrongly = [
            int(said[np.ix_(category != index, category == index)].sum())
            for index in range(len(self._categories))
        ]
        by_category = _iiou(self._of_categories, np.array(wrongly, np.int64))
        counted_ones = [one for one in self.classes if one.name in AVERAGE_PX]
        return {
            "images": self.images,
            "iiou": mean(each[[one.id for one in counted_ones]]),
            "category_iiou": mean(by_category),
            "classes": {one.name: float(each[one.id]) for one in counted_ones},
            "categories": dict(zip(self._categories, map(float, by_category), strict=True)),
        }


def _iiou(weighted: NDArray[np.float64], wrongly: NDArray[np.int64]) -> NDArray[np.float64]:
    """Divide what was found by that, what was missed and what was wrongly said; NaN for nothing."""
    whole = weighted.sum(axis=0) + wrongly
    return np.divide(weighted[0], whole, out=np.full(len(whole), np.nan), where=whole > 0)
