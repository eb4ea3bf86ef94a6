# SPDX-License-Identifier: Apache-2.0
"""How much of what a mask is of is found: intersection over union, pooled over images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.tasks.masks.values import NOT_KNOWN, YES


@dataclass(frozen=True)
class MaskScore:
    """How well the pixels of "yes" were found.

    Attributes:
        iou: Pooled intersection over union of "yes".
        mean_iou: Mean over images.
        median_iou: Median over images.
        below: Images with an IoU under 0.4.
        images: Images scored.
    """

    iou: float
    mean_iou: float
    median_iou: float
    below: int
    images: int


class MaskMetric:
    """Intersection over union of the pixels of "yes".

    Attributes:
        intersection: Pixels of "yes" by prediction and by label.
        union: Pixels that are so by one of them.
    """

    LOW_IOU: Final = 0.4

    def __init__(self) -> None:
        """Start empty."""
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        self.intersection, self.union = 0, 0
        self._per_image: list[float] = []

    def update(
        self, predicted: NDArray[np.uint8], truth: NDArray[np.uint8], *, single: bool = True
    ) -> None:
        """Add one image, or the part of it that counts.

        Args:
            predicted: (H, W) uint8, 0 = no.
            truth: (H, W) uint8: 255 yes, 0 no, 127 not known.
            single: Whether it has a score of its own, not only a part in the pooled one.
        """
        if predicted.shape != truth.shape:
            raise ValueError(f"prediction is {predicted.shape}, label is {truth.shape}")
        labelled = truth != NOT_KNOWN
        yes, said = truth == YES, (predicted > 0) & labelled
        intersection, union = int((yes & said).sum()), int((yes | said).sum())
        self.intersection += intersection
        self.union += union
        if union and single:
            self._per_image.append(intersection / union)

    def merge(self, other: MaskMetric) -> None:
        """Add the images of another metric."""
        self.intersection += other.intersection
        self.union += other.union
        self._per_image += other._per_image

    def compute(self) -> MaskScore:
        """Return the pooled and per-image scores; NaN without labelled images."""
        each = np.array(self._per_image) if self._per_image else np.array([np.nan])
        return MaskScore(
            iou=_ratio(self.intersection, self.union),
            mean_iou=float(each.mean()),
            median_iou=float(np.median(each)),
            below=int((each < self.LOW_IOU).sum()),
            images=len(self._per_image),
        )


def _ratio(part: float, whole: float) -> float:
    """Divide; NaN for nothing of nothing."""
    return float(part) / float(whole) if whole else float("nan")
