# SPDX-License-Identifier: Apache-2.0
"""What finds the foreground without learning: a difference with a threshold, and OpenCV's MOG2.

They look at both pictures. Their thresholds are tried on the very images that are scored, and the
best one counts, of each number by itself, so that they are rather flattered.
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
from shared_encoder_perception.tasks.foreground.metric import REACH_PX, shows_new
from shared_encoder_perception.tasks.masks.boundary import BoundaryMetric
from shared_encoder_perception.tasks.masks.reliability import mask_histogram

SECTION: Final = "foreground_rivals"
DIFFERENCE, MATCHED, MOG2 = "difference", "difference, exposure matched", "MOG2, two pictures"
NAMES: Final = (DIFFERENCE, MATCHED, MOG2)
EDGES_AT: Final = (25, 40, 60, 90)
"""Grey levels at which edges are looked for; areas are counted at all 255."""
DISTANCES: Final = (16, 64, 144, 256, 384, 512, 768, 1024, 2048)
"""Squared Mahalanobis distances of MOG2's threshold, whose default is 16."""
MOG2_EDGES_AT: Final = (64, 256, 512, 1024)
BLUR: Final = 5
"""Pixels over which pictures are averaged before they are subtracted: noise goes, edges stay."""


class Metric:
    """Scores of each rival at many thresholds.

    Attributes:
        pixels: Rival -> (2, 256) pixels that are not new, and that are, by the difference; of MOG2
            by how many of ``DISTANCES`` they exceed.
        empty: Likewise, of pairs in which nothing is new.
        edges: Rival and threshold -> its edges.
    """

    def __init__(self) -> None:
        """Start empty."""
        self.pixels = {name: np.zeros((2, 256), np.int64) for name in NAMES}
        self.empty = {name: np.zeros((2, 256), np.int64) for name in NAMES}
        keys = [(name, at) for name in (DIFFERENCE, MATCHED) for at in EDGES_AT]
        keys += [(MOG2, at) for at in MOG2_EDGES_AT]
        self.edges = {key: BoundaryMetric(reach_px=REACH_PX) for key in keys}

    def update(self, image: NDArray[np.uint8], label: Label, image_size: Size, crop: Crop) -> None:
        """Add one image; arguments as of ``contract.scores.Rivals``."""
        now, then = image[crop.window], label.background[crop.window]
        truth = label.mask[crop.window]
        found = subtracted(now, then)
        planes: dict[str, NDArray[np.uint8]] = {
            DIFFERENCE: difference(now, then),
            MATCHED: difference(now, matched(then, now)),
            MOG2: np.stack(list(found.values())).sum(axis=0, dtype=np.uint8),
        }
        for name, plane in planes.items():
            counts = mask_histogram(plane, truth)
            self.pixels[name] += counts
            if not shows_new(truth):
                self.empty[name] += counts
        for (name, at), edges in self.edges.items():
            said = found[at] if name == MOG2 else (planes[name] >= at).view(np.uint8)
            edges.update(said, truth)

    def merge(self, other: Metric) -> None:
        """Add everything another one has counted."""
        for name in NAMES:
            self.pixels[name] += other.pixels[name]
            self.empty[name] += other.empty[name]
        for key, edges in self.edges.items():
            edges.merge(other.edges[key])

    def compute(self) -> Scores:
        """Return the scores of each rival, each at the threshold where it is best."""
        return {SECTION: {name: self._best(name) for name in NAMES}}

    def _best(self, name: str) -> dict[str, Any]:
        """Return ``threshold``, where ``iou`` is best, ``false_percent`` there, and ``edge_f1``."""
        no, yes = self.pixels[name]
        wrong, right = (counts[::-1].cumsum()[::-1] for counts in (no, yes))  # from each value on
        union = yes.sum() + wrong
        iou = np.divide(right, union, out=np.zeros(256), where=union > 0)
        best = int(iou[1:].argmax()) + 1
        empty = self.empty[name][0]
        false = 100.0 * float(empty[best:].sum() / empty.sum()) if empty.sum() else float("nan")
        f1 = [one.compute()["boundary_f"] for (who, _), one in self.edges.items() if who == name]
        return {
            "threshold": float(DISTANCES[best - 1] if name == MOG2 else best),
            "iou": float(iou[best]) if yes.sum() else float("nan"),
            "edge_f1": float(np.nanmax(f1)) if not np.isnan(f1).all() else float("nan"),
            "false_percent": false,
        }


def difference(now: NDArray[np.uint8], then: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the largest difference of any channel, (H, W) grey levels, of smoothed pictures."""
    smooth = (cv2.blur(one, (BLUR, BLUR)) for one in (now, then))
    return np.asarray(cv2.absdiff(*smooth).max(axis=2), np.uint8)


def matched(then: NDArray[np.uint8], now: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return a picture with each channel scaled to the median brightness of another one."""
    factors = [(np.median(now[:, :, c]) + 1.0) / (np.median(then[:, :, c]) + 1.0) for c in range(3)]
    scaled = then.astype(np.float32) * np.array(factors, np.float32)
    return scaled.clip(0, 255).astype(np.uint8)


def subtracted(now: NDArray[np.uint8], then: NDArray[np.uint8]) -> dict[int, NDArray[np.uint8]]:
    """Return what OpenCV's MOG2 calls foreground after one picture of the empty place.

    At each of ``DISTANCES``, (H, W) of 0 and 1. What it takes for shadow is not foreground.
    """
    found = {}
    for distance in DISTANCES:
        model = cv2.createBackgroundSubtractorMOG2(2, float(distance), detectShadows=True)
        model.apply(then, learningRate=1.0)
        said = model.apply(now, learningRate=0.0)
        found[distance] = np.asarray(said == 255).view(np.uint8)
    return found
