"""What finds the foreground without learning: a difference with a threshold, and OpenCV's MOG2.

They look at both pictures. Their thresholds are tried on the very images that are scored, and the
best one counts, so that they are rather flattered.
"""

from __future__ import annotations

from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.images.preprocess import Crop
from shared_encoder_perception.structures import Size
from shared_encoder_perception.tasks.contract.scores import Scores
from shared_encoder_perception.tasks.foreground.labels import Label
from shared_encoder_perception.tasks.foreground.metric import REACH_PX, Empty
from shared_encoder_perception.tasks.masks.boundary import BoundaryMetric

SECTION: Final = "foreground_rivals"
DIFFERENCE, MATCHED, MOG2 = "difference", "difference, exposure matched", "MOG2, two pictures"
THRESHOLDS: Final = {
    DIFFERENCE: (10.0, 15.0, 20.0, 30.0, 40.0, 60.0, 90.0),
    MATCHED: (10.0, 15.0, 20.0, 30.0, 40.0, 60.0, 90.0),
    MOG2: (16.0, 36.0, 100.0, 256.0),
}
"""Of each rival: grey levels; of MOG2 the squared Mahalanobis distance, whose default is 16."""
BLUR: Final = 5
"""Pixels over which pictures are averaged before they are subtracted: noise goes, edges stay."""


class Metric:
    """Scores of each rival at each of its thresholds.

    Attributes:
        edges: Rival and threshold -> edges and area.
        empty: Likewise, false pixels where nothing is new.
    """

    def __init__(self) -> None:
        """Start empty."""
        keys = [(name, one) for name, those in THRESHOLDS.items() for one in those]
        self.edges = {key: BoundaryMetric(reach_px=REACH_PX) for key in keys}
        self.empty = {key: Empty() for key in keys}

    def update(self, image: NDArray[np.uint8], label: Label, image_size: Size, crop: Crop) -> None:
        """Add one image; arguments as of ``contract.scores.Rivals``."""
        now, then = image[crop.window], label.background[crop.window]
        truth = label.mask[crop.window]
        planes = {DIFFERENCE: difference(now, then), MATCHED: difference(now, matched(then, now))}
        for (name, threshold), edges in self.edges.items():
            if name in planes:
                said = (planes[name] >= threshold).astype(np.uint8)
            else:
                said = subtracted(now, then, threshold)
            edges.update(said, truth)
            self.empty[name, threshold].update(said, truth)

    def merge(self, other: Metric) -> None:
        """Add everything another one has counted."""
        for key, edges in self.edges.items():
            edges.merge(other.edges[key])
            self.empty[key].merge(other.empty[key])

    def compute(self) -> Scores:
        """Return the scores of each rival at the threshold where its IoU is best."""
        return {SECTION: {name: self._best(name) for name in THRESHOLDS}}

    def _best(self, name: str) -> dict[str, Any]:
        """Return ``threshold``, ``iou``, ``edge_f1`` and ``false_on_empty``."""
        rows = []
        for threshold in THRESHOLDS[name]:
            scores = self.edges[name, threshold].compute()
            rows.append(
                {
                    "threshold": threshold,
                    "iou": scores["iou"],
                    "edge_f1": scores["boundary_f"],
                    "false_on_empty": self.empty[name, threshold].share(),
                }
            )
        return max(rows, key=lambda row: np.nan_to_num(row["iou"], nan=-1.0))


def difference(now: NDArray[np.uint8], then: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the largest difference of any channel, (H, W) grey levels, of smoothed pictures."""
    smooth = (cv2.blur(one, (BLUR, BLUR)) for one in (now, then))
    return np.asarray(cv2.absdiff(*smooth).max(axis=2), np.uint8)


def matched(then: NDArray[np.uint8], now: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return a picture with each channel scaled to the median brightness of another one."""
    factors = [(np.median(now[:, :, c]) + 1.0) / (np.median(then[:, :, c]) + 1.0) for c in range(3)]
    scaled = then.astype(np.float32) * np.array(factors, np.float32)
    return scaled.clip(0, 255).astype(np.uint8)


def subtracted(
    now: NDArray[np.uint8], then: NDArray[np.uint8], threshold: float
) -> NDArray[np.uint8]:
    """Return what OpenCV's MOG2 calls foreground after one picture of the empty place.

    What it takes for shadow is not foreground.
    """
    model = cv2.createBackgroundSubtractorMOG2(
        history=2, varThreshold=threshold, detectShadows=True
    )
    model.apply(then, learningRate=1.0)
    said = model.apply(now, learningRate=0.0)
    return np.asarray(said == 255, np.uint8)
