# SPDX-License-Identifier: Apache-2.0
"""Whose rows are right: lane-centre accuracy per head, as update / reset / compute on numpy.

Counts are pooled over images.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.tasks.lanes.answer import LANE_NAMES, LaneId, LaneLine, Lanes

Lines = Mapping[LaneId, NDArray | None]
"""As ``Label.lines``: (N, 2) near to far, ``None`` for absent, missing for unknown."""

ROW_TOLERANCE_PX: Final = 20.0
"""TuSimple's tolerance, perpendicular to the line, in an image 1280 pixels wide."""
REFERENCE_WIDTH_PX: Final = 1280.0
MATCH_ACCURACY: Final = 0.85
"""TuSimple: a line is found when this share of its rows is right."""


@dataclass(frozen=True)
class LaneScore:
    """How well one lane was found.

    Attributes:
        valid_row_accuracy: Rows of labelled lines within tolerance / all rows of labelled lines; a
            lane that was not detected has all its rows wrong. NaN without labels.
        precision: Found lines / detections; NaN without detections.
        recall: Found lines / labelled lines; NaN without labels.
        f1: Harmonic mean of the two.
        over_reach: Predicted length in rows beyond the label / labelled length.
        labelled: Images in which the lane is labelled present.
        absent: Images in which it is labelled absent.
        false_alarms: Of those, images in which it was detected.
    """

    valid_row_accuracy: float
    precision: float
    recall: float
    f1: float
    over_reach: float
    labelled: int
    absent: int
    false_alarms: int


class LaneMetric:
    """Lane-centre accuracy per head: whose line it is, is known, so nothing is matched.

    Attributes:
        right: Rows of labelled lines within tolerance; (5,) by lane, as all that follow.
        rows: Rows of labelled lines.
        over: Predicted length in rows beyond the label.
        extent: Labelled length in rows.
        found: Lines found.
        detected: Detections where the lane is labelled, present or absent.
        labelled: Images in which the lane is labelled present.
        absent: Images in which it is labelled absent.
        alarms: Of those, images in which it was detected.
    """

    def __init__(self) -> None:
        """Start empty."""
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        zero = np.zeros(len(LaneId))
        self.right, self.rows, self.over, self.extent = (zero.copy() for _ in range(4))
        self.found, self.detected, self.labelled = (zero.astype(int) for _ in range(3))
        self.absent, self.alarms = (zero.astype(int) for _ in range(2))

    def update(self, lanes: Lanes, truth: Lines, image_width: int) -> None:
        """Add one image.

        Args:
            lanes: What was predicted, in pixels of the labelled image.
            truth: The labels; lanes that are missing are not scored.
            image_width: Pixels.
        """
        for lane, points in truth.items():
            line = lanes[lane]
            self.detected[lane] += line.detected
            if points is None:
                self.absent[lane] += 1
                self.alarms[lane] += line.detected
                continue
            right = rows_within_tolerance(line, points, image_width)
            self.labelled[lane] += 1
            self.right[lane] += right.sum()
            self.rows[lane] += len(right)
            self.found[lane] += right.mean() >= MATCH_ACCURACY
            near, far = points[0, 1], points[-1, 1]
            self.extent[lane] += near - far
            if line.detected:
                y = line.points_px[:, 1]
                self.over[lane] += max(y[0] - near, 0.0) + max(far - y[-1], 0.0)

    def merge(self, other: LaneMetric) -> None:
        """Add the counts of another metric."""
        for name, counts in vars(other).items():
            setattr(self, name, getattr(self, name) + counts)

    def compute(self) -> dict[str, LaneScore]:
        """Return the score of each lane by name."""
        scores = {}
        for lane in LaneId:
            precision = _ratio(self.found[lane], self.detected[lane])
            recall = _ratio(self.found[lane], self.labelled[lane])
            scores[LANE_NAMES[lane]] = LaneScore(
                valid_row_accuracy=_ratio(self.right[lane], self.rows[lane]),
                precision=precision,
                recall=recall,
                f1=_ratio(2 * self.found[lane], self.detected[lane] + self.labelled[lane]),
                over_reach=_ratio(self.over[lane], self.extent[lane]),
                labelled=int(self.labelled[lane]),
                absent=int(self.absent[lane]),
                false_alarms=int(self.alarms[lane]),
            )
        return scores


def rows_within_tolerance(line: LaneLine, truth: NDArray, image_width: int) -> NDArray[np.bool_]:
    """Tell for each labelled point whether the line passes it closely enough.

    The tolerance is TuSimple's: 20 px perpendicular to the line fitted to the label, at 1280 px
    image width, taken horizontally as ``20 / cos(theta)``.

    Args:
        line: The prediction.
        truth: (N, 2) labelled points, near to far.
        image_width: Width of the labelled image, pixels.

    Returns:
        (N,) bool; false where the line does not reach the point's row.
    """
    truth = np.asarray(truth, np.float64)
    if not line.detected:
        return np.zeros(len(truth), np.bool_)
    slope = np.polyfit(truth[:, 1], truth[:, 0], 1)[0] if len(truth) > 1 else 0.0
    tolerance = ROW_TOLERANCE_PX * np.hypot(1.0, slope) * image_width / REFERENCE_WIDTH_PX
    far_to_near = line.points_px[::-1].astype(np.float64)
    x = np.interp(truth[:, 1], far_to_near[:, 1], far_to_near[:, 0], left=np.nan, right=np.nan)
    return np.abs(x - truth[:, 0]) < tolerance


def _ratio(part: float, whole: float) -> float:
    """Divide; NaN for nothing of nothing."""
    return float(part) / float(whole) if whole else float("nan")
