# SPDX-License-Identifier: Apache-2.0
"""MaxF and AP, as KITTI's road benchmark scores (Fritsch, Kuehnl and Geiger, ITSC 2013).

Probabilities are scored, not one threshold's mask: all of them are tried. Pixels are pooled over
images. The benchmark's own numbers are those of the bird's-eye view, where far road, a few rows of
the picture, has its true size; those of the picture are beside them, and are not comparable.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.images.planes import plane_inside
from shared_encoder_perception.structures import Crop
from shared_encoder_perception.tasks.drivable.labels import Label
from shared_encoder_perception.tasks.drivable.road_plane import from_above
from shared_encoder_perception.tasks.masks.reliability import mask_histogram
from shared_encoder_perception.tasks.masks.values import NOT_KNOWN

IMAGE, BIRDS_EYE = "image", "birds_eye"
"""Where pixels are counted."""
RECALLS: Final = 11
"""At which precision is averaged: 0, 0.1 ... 1."""


class RoadScores:
    """Counts pixels by what was said of them, in the picture and, where one knows it, on the road.

    Attributes:
        counts: ``IMAGE`` or ``BIRDS_EYE`` -> (2, 256) as of ``mask_histogram``.
        images: Likewise, how many were counted.
    """

    def __init__(self) -> None:
        """Start empty."""
        self.counts = {view: np.zeros((2, 256), np.int64) for view in (IMAGE, BIRDS_EYE)}
        self.images = dict.fromkeys(self.counts, 0)

    def update(self, probability: NDArray[np.uint8], label: Label, seen: Crop) -> None:
        """Add an image.

        Args:
            probability: (H, W) uint8, 0 to 255 for 0 to 1.
            label: Of the same size.
            seen: What is scored.
        """
        self._add(IMAGE, probability[seen.window], label.mask[seen.window])
        if label.homography is not None:
            truth = plane_inside(label.mask, seen, NOT_KNOWN)
            self._add(
                BIRDS_EYE,
                from_above(probability, label.homography, 0),
                from_above(truth, label.homography, NOT_KNOWN),
            )

    def merge(self, other: RoadScores) -> None:
        """Add what another one has counted."""
        for view in self.counts:
            self.counts[view] += other.counts[view]
            self.images[view] += other.images[view]

    def compute(self) -> dict[str, Any]:
        """Return ``{"image": ..., "birds_eye": ...}``: ``images`` and ``threshold_scores``."""
        return {
            view: {"images": self.images[view], **threshold_scores(counts)}
            for view, counts in self.counts.items()
        }

    def _add(self, view: str, said: NDArray[np.uint8], truth: NDArray[np.uint8]) -> None:
        """Count the labelled pixels of one image."""
        counts = mask_histogram(said, truth)
        self.counts[view] += counts
        self.images[view] += bool(counts.any())


def threshold_scores(counts: NDArray[np.int64]) -> dict[str, float]:
    """Score all thresholds of a probability of one byte.

    Args:
        counts: (2, 256) pixels that are not drivable, and that are, by what was said of them.

    Returns:
        ``max_f``, the largest F1; ``precision``, ``recall``, ``fpr``, ``fnr`` and ``threshold``, 0
        to 1, there, at the lowest of equally good ones; ``ap``, the mean over the recalls 0, 0.1
        ... 1 of the largest precision at that recall or more. NaN without a drivable pixel.
    """
    names = ("max_f", "ap", "precision", "recall", "fpr", "fnr", "threshold")
    negative, positive = (int(total) for total in counts.sum(axis=1))
    if not positive:
        return dict.fromkeys(names, float("nan"))
    wrong, right = counts[:, ::-1].cumsum(axis=1)[:, ::-1]  # said from each value on
    said = right + wrong
    precision = np.divide(right, said, out=np.zeros(256), where=said > 0)
    f = 2 * right / (said + positive)
    best = int(f.argmax())
    # In whole numbers: ten times the recall is a whole number of the drivable pixels.
    reached = (RECALLS - 1) * right
    ap = np.mean([precision[reached >= tenth * positive].max() for tenth in range(RECALLS)])
    return {
        "max_f": float(f[best]),
        "ap": float(ap),
        "precision": float(precision[best]),
        "recall": float(right[best] / positive),
        "fpr": float(wrong[best] / negative) if negative else float("nan"),
        "fnr": float(1 - right[best] / positive),
        "threshold": best / 255,
    }
