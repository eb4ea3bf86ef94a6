# SPDX-License-Identifier: Apache-2.0
"""What is said of depth without looking at the image."""

from __future__ import annotations

import math
from typing import Final

import cv2
import numpy as np

from shared_encoder_perception.structures import Size
from shared_encoder_perception.tasks.depth.answer import METRIC, DepthMap
from shared_encoder_perception.tasks.depth.label import Label

USUAL: Final = "the usual depth of each place"
NOTHING: Final = "no depth"
GRID: Final[Size] = (90, 160)
"""Cells of the constant answer."""


def nothing(image_size: Size) -> DepthMap:
    """Say of no pixel how far it is."""
    return DepthMap(np.full(image_size, np.nan, np.float32))


class Constant:
    """Says of every place the mean logarithm of its depth for a focal length of one pixel height.

    So it, too, is told the camera's focal length.
    """

    def __init__(self) -> None:
        """Start empty."""
        self._sums, self._counts = np.zeros(GRID), np.zeros(GRID)

    def update(self, label: Label, image_size: Size) -> None:
        """Learn from the label of an image of ``(height, width)``."""
        if label.kind != METRIC or math.isnan(label.focal_px):
            return
        small = cv2.resize(label.depth, GRID[::-1], interpolation=cv2.INTER_NEAREST_EXACT)
        known = np.isfinite(small)
        # In image heights: pictures of other sizes are of other focal lengths.
        unit = image_size[0] / label.focal_px
        self._sums[known] += np.log(small[known] * unit)
        self._counts += known

    def merge(self, other: Constant) -> None:
        """Add what another one has learned."""
        self._sums += other._sums
        self._counts += other._counts

    def answer(self, image_size: Size) -> DepthMap:
        """Say what is usual; nothing where no label was seen."""
        if not self._counts.any():
            return nothing(image_size)
        usual = np.full(GRID, np.nan)
        known = self._counts > 0
        usual[known] = np.exp(self._sums[known] / self._counts[known]) / image_size[0]
        large = cv2.resize(
            usual.astype(np.float32), image_size[::-1], interpolation=cv2.INTER_NEAREST_EXACT
        )
        return DepthMap(np.asarray(large, np.float32))
