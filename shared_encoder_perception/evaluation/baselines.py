"""What scores without looking at the image: a number means something only above these.

    baseline = ConstantBaseline()
    for sample in training_samples:
        baseline.update(sample.lanes, sample.mask, sample.image.shape[:2])
    scorer.update(source, baseline.perceive(size), sample, crop)      # on other samples

Fit it on other images of the camera than those it is scored on.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.compat import perception_of
from shared_encoder_perception.evaluation.metrics import DRIVABLE, IGNORE
from shared_encoder_perception.structures import Perception, Size
from shared_encoder_perception.tasks.drivable.answer import DrivableMask
from shared_encoder_perception.tasks.lanes.answer import LaneId, LaneLine, LaneStatus

ROWS: Final = 721
"""Rows of a constant line, evenly spaced from the top of the image to its bottom."""
GRID: Final[Size] = (90, 160)
"""Cells of the constant mask."""
USUAL: Final = 0.5
"""What holds for at least this share of the images is said of every image."""


def empty_perception(image_size: Size, with_mask: bool = True) -> Perception:
    """Say that there is nothing: no lane, and no drivable surface.

    Args:
        image_size: ``(height, width)``.
        with_mask: Whether the task is there; otherwise the mask is ``None``.
    """
    mask = DrivableMask(np.zeros(image_size, np.uint8)) if with_mask else None
    return perception_of(image_size, tuple(LaneLine(lane) for lane in LaneId), mask)


class ConstantBaseline:
    """Says the same of every image: each head's mean line and the usual drivable surface.

    A lane is said to be there if it is in at least half of the images in which it is known. Its
    line is the mean column of the labels row by row, relative to the image's size, over the rows
    that at least half of them reach. The mask is where at least half of the labels are drivable.
    """

    def __init__(self) -> None:
        """Start empty."""
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        lanes = len(LaneId)
        self._known, self._present = np.zeros(lanes), np.zeros(lanes)
        # Per lane and row: sum of columns as shares of the width, and how many labels reach it.
        self._columns, self._reached = np.zeros((lanes, ROWS)), np.zeros((lanes, ROWS))
        # Per cell: its drivable, and its labelled area, summed over images.
        self._drivable, self._labelled = np.zeros(GRID), np.zeros(GRID)
        self._masks = 0

    def update(
        self,
        lanes: Mapping[LaneId, NDArray | None],
        mask: NDArray[np.uint8] | None,
        image_size: Size,
    ) -> None:
        """Learn from one labelled image.

        Args:
            lanes: As ``training.sample.Sample.lanes``: (N, 2) near to far, ``None`` for absent,
                missing for unknown.
            mask: (H, W) uint8: 255 drivable, 0 not, 127 ignore; ``None`` when unknown.
            image_size: ``(height, width)``.
        """
        height, width = image_size
        rows = np.linspace(0.0, height - 1.0, ROWS)
        for lane, truth in lanes.items():
            self._known[lane] += 1
            if truth is None:
                continue
            self._present[lane] += 1
            x, y = np.asarray(truth, np.float64)[::-1].T
            # One row more at each end, so that the line reaches the label's last points.
            reached = (rows > y[0] - rows[1]) & (rows < y[-1] + rows[1])
            self._columns[lane] += reached * np.interp(rows, y, x) / (width - 1.0)
            self._reached[lane] += reached
        if mask is not None:
            self._drivable += _shrink(mask == DRIVABLE)
            self._labelled += _shrink(mask != IGNORE)
            self._masks += 1

    def merge(self, other: ConstantBaseline) -> None:
        """Add what another one has learned."""
        for name, counts in vars(other).items():
            setattr(self, name, getattr(self, name) + counts)

    def perceive(self, image_size: Size) -> Perception:
        """Say what is usual.

        Args:
            image_size: ``(height, width)``.

        Returns:
            Lanes with the share of images that have them as confidence; the mask is ``None`` if no
            labelled one was seen.
        """
        lines = tuple(self._line(lane, image_size) for lane in LaneId)
        if not self._masks:
            return perception_of(image_size, lines, None)
        share = np.divide(
            self._drivable, self._labelled, out=np.zeros(GRID), where=self._labelled > 0
        )
        height, width = image_size
        large = cv2.resize(share.astype(np.float32), (width, height))
        # Rounded up, so that a share of one half is at the threshold, not below it.
        mask = DrivableMask(np.ceil(large * 255.0 - 1e-3).clip(0, 255).astype(np.uint8))
        return perception_of(image_size, lines, mask)

    def _line(self, lane: LaneId, image_size: Size) -> LaneLine:
        """Return the lane's mean line, if it is usual."""
        known, present = self._known[lane], self._present[lane]
        confidence = float(present / known) if known else 0.0
        usual = np.flatnonzero(self._reached[lane] >= max(USUAL * present, 1.0))[::-1]
        if confidence < USUAL or len(usual) < 2:
            return LaneLine(lane, confidence=confidence)
        height, width = image_size
        x = self._columns[lane, usual] / self._reached[lane, usual] * (width - 1.0)
        y = usual * (height - 1.0) / (ROWS - 1.0)
        spread = np.full(len(usual), np.nan)
        points = np.stack((x, y), axis=1)
        return LaneLine(lane, LaneStatus.DETECTED, confidence, points, spread)


def _shrink(mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the share of each cell of the grid that a mask covers."""
    cells = cv2.resize(mask.astype(np.float32), GRID[::-1], interpolation=cv2.INTER_AREA)
    return np.asarray(cells, np.float64)
