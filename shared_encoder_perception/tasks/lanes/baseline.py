# SPDX-License-Identifier: Apache-2.0
"""What is said of lanes without looking at the image."""

from __future__ import annotations

from typing import Final

import numpy as np

from shared_encoder_perception.structures import Size
from shared_encoder_perception.tasks.lanes.answer import LaneId, LaneLine, Lanes, LaneStatus
from shared_encoder_perception.tasks.lanes.labels import Label

USUAL: Final = "each head's mean line"
NOTHING: Final = "no lane"
ROWS: Final = 721
"""Rows of a constant line, evenly spaced from the top of the image to its bottom."""
AT_LEAST: Final = 0.5
"""What holds for at least this share of the images is said of every image."""


def nothing(image_size: Size) -> Lanes:
    """Say that there is no lane."""
    return Lanes.nothing()


class Constant:
    """Says the same of every image: each head's mean line.

    A lane is said to be there if it is in at least half of the images in which it is known. Its
    line is the mean column of the labels row by row, relative to the image's size, over the rows
    that at least half of them reach.
    """

    def __init__(self) -> None:
        """Start empty."""
        lanes = len(LaneId)
        self._known, self._present = np.zeros(lanes), np.zeros(lanes)
        # Per lane and row: sum of columns as shares of the width, and how many labels reach it.
        self._columns, self._reached = np.zeros((lanes, ROWS)), np.zeros((lanes, ROWS))

    def update(self, label: Label, image_size: Size) -> None:
        """Learn from the label of an image of ``(height, width)``."""
        height, width = image_size
        rows = np.linspace(0.0, height - 1.0, ROWS)
        for lane, truth in label.lines.items():
            self._known[lane] += 1
            if truth is None:
                continue
            self._present[lane] += 1
            x, y = np.asarray(truth, np.float64)[::-1].T
            # One row more at each end, so that the line reaches the label's last points.
            reached = (rows > y[0] - rows[1]) & (rows < y[-1] + rows[1])
            self._columns[lane] += reached * np.interp(rows, y, x) / (width - 1.0)
            self._reached[lane] += reached

    def merge(self, other: Constant) -> None:
        """Add what another one has learned."""
        for name, counts in vars(other).items():
            setattr(self, name, getattr(self, name) + counts)

    def answer(self, image_size: Size) -> Lanes:
        """Say what is usual, with the share of images that have a lane as its confidence."""
        return Lanes(tuple(self._line(lane, image_size) for lane in LaneId))

    def _line(self, lane: LaneId, image_size: Size) -> LaneLine:
        """Return the lane's mean line, if it is usual."""
        known, present = self._known[lane], self._present[lane]
        confidence = float(present / known) if known else 0.0
        usual = np.flatnonzero(self._reached[lane] >= max(AT_LEAST * present, 1.0))[::-1]
        if confidence < AT_LEAST or len(usual) < 2:
            return LaneLine(lane, confidence=confidence)
        height, width = image_size
        x = self._columns[lane, usual] / self._reached[lane, usual] * (width - 1.0)
        y = usual * (height - 1.0) / (ROWS - 1.0)
        spread = np.full(len(usual), np.nan)
        points = np.stack((x, y), axis=1)
        return LaneLine(lane, LaneStatus.DETECTED, confidence, points, spread)
