# SPDX-License-Identifier: Apache-2.0
"""What is said of a mask without looking at the image."""

from __future__ import annotations

from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.structures import Size
from shared_encoder_perception.tasks.masks.values import NOT_KNOWN, YES

GRID: Final[Size] = (90, 160)
"""Cells of the constant mask."""


class Constant:
    """Says yes of every image where at least half of the labels do."""

    def __init__(self) -> None:
        """Start empty."""
        # Per cell: its area of yes, and its labelled area, summed over images.
        self._yes, self._labelled = np.zeros(GRID), np.zeros(GRID)
        self._masks = 0

    def update(self, label: Any, image_size: Size) -> None:
        """Learn from the label (with a ``mask``) of an image of ``(height, width)``."""
        self._yes += _shrink(label.mask == YES)
        self._labelled += _shrink(label.mask != NOT_KNOWN)
        self._masks += 1

    def merge(self, other: Constant) -> None:
        """Add what another one has learned."""
        for name, counts in vars(other).items():
            setattr(self, name, getattr(self, name) + counts)

    def probability(self, image_size: Size) -> NDArray[np.uint8]:
        """Return what is usual, (H, W) from 0 to 255; 0 where no label was seen."""
        if not self._masks:
            return np.zeros(image_size, np.uint8)
        share = np.divide(self._yes, self._labelled, out=np.zeros(GRID), where=self._labelled > 0)
        height, width = image_size
        large = cv2.resize(share.astype(np.float32), (width, height))
        # Rounded up, so that a share of one half is at the threshold, not below it.
        return np.ceil(large * 255.0 - 1e-3).clip(0, 255).astype(np.uint8)


def _shrink(mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the share of each cell of the grid that a mask covers."""
    cells = cv2.resize(mask.astype(np.float32), GRID[::-1], interpolation=cv2.INTER_AREA)
    return np.asarray(cells, np.float64)
