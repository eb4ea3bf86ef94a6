# SPDX-License-Identifier: Apache-2.0
"""Lateral error by range, in lane widths, without a calibrated camera.

How far ahead a row of the image is, the width of the lane there tells: it halves with double the
distance. A lane of 3.6 m that is a quarter as wide as the image is 11.5 m ahead of a camera with 64
degrees of view (focal length 0.8 image widths), one that is a tenth as wide is 29 m ahead.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from shared_encoder_perception.tasks.lanes.answer import LANE_NAMES, LaneId, Lanes
from shared_encoder_perception.tasks.lanes.metrics.lateral import lane_width_px
from shared_encoder_perception.tasks.lanes.metrics.rows import Lines

BINS: Final = ("near", "middle", "far")
WIDTH_EDGES: Final = (0.25, 0.1)
"""Width of the lane as a share of the image's width: from the first on it is near, below the last
it is far."""


class RangeBinMetric:
    """Distance from the label in lane widths, by range: what ``LateralMetric`` counts, split up."""

    def __init__(self) -> None:
        """Start empty."""
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        # Per lane and bin: rows reached, their absolute and signed error, rows not reached.
        self._counts = np.zeros((len(LaneId), len(BINS), 4))

    def update(self, lanes: Lanes, truth: Lines, image_width: int) -> None:
        """Add one image.

        Args:
            lanes: What was predicted, in pixels of the labelled image.
            truth: The labels. A lane that was not detected is reached in none of its rows.
            image_width: Pixels.
        """
        for lane, points in truth.items():
            if points is None:
                continue
            x, y = np.asarray(points, np.float64).T
            width = lane_width_px(truth, lane, y)
            known = np.isfinite(width)
            found = np.full(len(y), np.nan)
            line = lanes[lane]
            if line.detected:
                at, rows = line.points_px[::-1].astype(np.float64).T
                found = np.interp(y, rows, at, left=np.nan, right=np.nan)
            error = ((found - x) / width)[known]
            share = width[known] / image_width
            bins = (share[:, np.newaxis] < WIDTH_EDGES).sum(axis=1)
            for index in range(len(BINS)):
                here = error[bins == index]
                reached = here[np.isfinite(here)]
                self._counts[lane, index] += (
                    len(reached),
                    np.abs(reached).sum(),
                    reached.sum(),
                    len(here) - len(reached),
                )

    def merge(self, other: RangeBinMetric) -> None:
        """Add the counts of another metric."""
        self._counts += other._counts

    def compute(self) -> dict[str, float]:
        """Return the scores of each lane and bin, as ``"ego/near/error_widths"``.

        Returns:
            For each lane and bin ``error_widths`` (mean distance from the label in lane widths,
            over labelled rows that the line reaches and whose width is known), ``bias_widths`` (the
            same with its sign, positive to the right), ``missed`` (share of those rows that no line
            reaches, 0 to 1) and ``rows`` (so many are labelled). NaN where nothing was counted.
        """
        scores: dict[str, float] = {}
        for name, bins in zip(LANE_NAMES, self._counts, strict=True):
            for label, (reached, absolute, signed, missed) in zip(BINS, bins, strict=True):
                key = f"{name}/{label}"
                scores[f"{key}/error_widths"] = _ratio(absolute, reached)
                scores[f"{key}/bias_widths"] = _ratio(signed, reached)
                scores[f"{key}/missed"] = _ratio(missed, reached + missed)
                scores[f"{key}/rows"] = float(reached + missed)
        return scores


def _ratio(part: float, whole: float) -> float:
    """Divide; NaN for nothing of nothing."""
    return float(part) / float(whole) if whole else float("nan")
