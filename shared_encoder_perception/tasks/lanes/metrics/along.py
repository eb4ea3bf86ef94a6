# SPDX-License-Identifier: Apache-2.0
"""Where along a line its errors are: in fifths of its label, from near to far.

A row is too short where the line does not reach it, and beside where it passes too far from it.
Only detected lines count: one that is missing is missing everywhere.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from shared_encoder_perception.tasks.lanes.answer import LANE_NAMES, LaneId, Lanes
from shared_encoder_perception.tasks.lanes.metrics.rows import Lines, rows_within_tolerance

PARTS: Final = 5


class AlongMetric:
    """Wrong rows of detected lines, by where they are."""

    def __init__(self) -> None:
        """Start empty."""
        # Per lane and part: labelled rows, those not reached, those passed beside.
        self._counts = np.zeros((len(LaneId), PARTS, 3))

    def update(self, lanes: Lanes, truth: Lines, image_width: int) -> None:
        """Add one image; arguments as of ``LaneMetric.update``."""
        for lane, points in truth.items():
            line = lanes[lane]
            if points is None or not line.detected:
                continue
            wrong = ~rows_within_tolerance(line, points, image_width)
            rows, reached = points[:, 1], line.points_px[:, 1]
            short = wrong & ((rows > reached[0]) | (rows < reached[-1]))
            part = np.arange(len(rows)) * PARTS // len(rows)
            for index, kind in enumerate((np.ones_like(wrong), short, wrong & ~short)):
                self._counts[lane, :, index] += np.bincount(part[kind], minlength=PARTS)

    def merge(self, other: AlongMetric) -> None:
        """Add the counts of another metric."""
        self._counts += other._counts

    def compute(self) -> dict[str, dict[str, list[float]]]:
        """Return for each lane, from near to far.

        Returns:
            ``{lane: {"rows": [...], "short": [...], "beside": [...]}}``: labelled rows in each
            part, and the shares of them that the line does not reach, or passes too far from; NaN
            where there are no rows.
        """
        rows, short, beside = np.moveaxis(self._counts, 2, 0)
        with np.errstate(invalid="ignore"):
            shares = {"short": short / rows, "beside": beside / rows}
        return {
            name: {
                "rows": rows[lane].tolist(),
                **{what: share[lane].tolist() for what, share in shares.items()},
            }
            for lane, name in enumerate(LANE_NAMES)
        }
