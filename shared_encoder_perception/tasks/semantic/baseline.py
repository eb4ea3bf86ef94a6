# SPDX-License-Identifier: Apache-2.0
"""What is said of classes without looking at the image."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.structures import Size
from shared_encoder_perception.tasks.semantic.answer import SemanticMask
from shared_encoder_perception.tasks.semantic.classes import UNLABELLED, Table
from shared_encoder_perception.tasks.semantic.label import Label, in_table

USUAL: Final = "the usual class of each place"
NOTHING: Final = "no class"
GRID: Final[Size] = (90, 160)
"""Cells of the constant answer."""


def nothing(image_size: Size) -> SemanticMask:
    """Say of no pixel what it is."""
    ids = np.full(image_size, UNLABELLED, np.uint8)
    return SemanticMask(ids, np.zeros(image_size, np.uint8), ())


class Constant:
    """Says of every place what it usually is, and how often that is so."""

    def __init__(self) -> None:
        """Start empty."""
        self._classes: Table = ()
        self._counts = np.zeros((0, *GRID), np.int64)

    def update(self, label: Label, image_size: Size) -> None:
        """Learn from the label of an image of ``(height, width)``; the first decides the table."""
        self._of(label.classes)
        small = cv2.resize(
            in_table(label, self._classes), GRID[::-1], interpolation=cv2.INTER_NEAREST_EXACT
        )
        for one in self._classes:
            self._counts[one.id] += small == one.id

    def merge(self, other: Constant) -> None:
        """Add what another one has learned; of another table the classes of the same names."""
        if not other._classes:
            return
        self._of(other._classes)
        ids = {one.name: one.id for one in self._classes}
        for one in other._classes:
            if one.name in ids:
                self._counts[ids[one.name]] += other._counts[one.id]

    def answer(self, image_size: Size) -> SemanticMask:
        """Say what is usual; nothing where no label was seen."""
        total = self._counts.sum(axis=0)
        if not len(self._classes) or not total.any():
            return nothing(image_size)
        usual: NDArray[np.intp] = self._counts.argmax(axis=0)
        share = np.divide(self._counts.max(axis=0), total, out=np.zeros(GRID), where=total > 0)
        ids = np.where(total > 0, usual, UNLABELLED).astype(np.uint8)
        planes = (ids, np.round(255 * share).astype(np.uint8))
        large, sure = (
            np.asarray(cv2.resize(one, image_size[::-1], interpolation=cv2.INTER_NEAREST_EXACT))
            for one in planes
        )
        return SemanticMask(large, sure, self._classes)

    def _of(self, table: Table) -> None:
        """Take the first table."""
        if not self._classes:
            self._classes = table
            self._counts = np.zeros((len(table), *GRID), np.int64)
