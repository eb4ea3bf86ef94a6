"""What is said of the drivable surface without looking at the image."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.structures import Size
from shared_encoder_perception.tasks.drivable.answer import DrivableMask
from shared_encoder_perception.tasks.drivable.labels import MASK_DRIVABLE, MASK_IGNORE, Label

USUAL: Final = "the usual drivable surface"
NOTHING: Final = "no drivable surface"
GRID: Final[Size] = (90, 160)
"""Cells of the constant mask."""


def nothing(image_size: Size) -> DrivableMask:
    """Say that nothing is drivable."""
    return DrivableMask(np.zeros(image_size, np.uint8))


class Constant:
    """Says of every image that it is drivable where at least half of the labels are."""

    def __init__(self) -> None:
        """Start empty."""
        # Per cell: its drivable, and its labelled area, summed over images.
        self._drivable, self._labelled = np.zeros(GRID), np.zeros(GRID)
        self._masks = 0

    def update(self, label: Label, image_size: Size) -> None:
        """Learn from the label of an image of ``(height, width)``."""
        self._drivable += _shrink(label.mask == MASK_DRIVABLE)
        self._labelled += _shrink(label.mask != MASK_IGNORE)
        self._masks += 1

    def merge(self, other: Constant) -> None:
        """Add what another one has learned."""
        for name, counts in vars(other).items():
            setattr(self, name, getattr(self, name) + counts)

    def answer(self, image_size: Size) -> DrivableMask:
        """Say what is usual; that nothing is drivable where no label was seen."""
        if not self._masks:
            return nothing(image_size)
        share = np.divide(
            self._drivable, self._labelled, out=np.zeros(GRID), where=self._labelled > 0
        )
        height, width = image_size
        large = cv2.resize(share.astype(np.float32), (width, height))
        # Rounded up, so that a share of one half is at the threshold, not below it.
        return DrivableMask(np.ceil(large * 255.0 - 1e-3).clip(0, 255).astype(np.uint8))


def _shrink(mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the share of each cell of the grid that a mask covers."""
    cells = cv2.resize(mask.astype(np.float32), GRID[::-1], interpolation=cv2.INTER_AREA)
    return np.asarray(cells, np.float64)
