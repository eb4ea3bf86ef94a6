# SPDX-License-Identifier: Apache-2.0
"""How well the edge of a mask is found: what IoU, which counts areas, hardly sees.

The boundary F-score of Csurka et al., "What is a good evaluation measure for semantic
segmentation?" (BMVC 2013): precision is the share of the predicted boundary that lies within a
tolerance of the labelled one, recall the share of the labelled boundary that lies within the
tolerance of the predicted one. The tolerance is a share of the image's diagonal.
"""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.tasks.masks.area import MaskMetric
from shared_encoder_perception.tasks.masks.values import NOT_KNOWN, YES

TOLERANCE: Final = 0.0075
"""Of the image's diagonal, as Csurka et al. have it: 11 px at 1280 x 720."""


class BoundaryMetric:
    """Boundary F-score and IoU of the pixels of "yes", pooled and by image.

    A boundary runs between a pixel of "yes" and one of "no" below it or to its right; the
    edge of the image is none. Where the label says "not known" its boundary is unknown: what is
    predicted within the tolerance of such pixels is not counted.
    """

    def __init__(self, tolerance: float = TOLERANCE, reach_px: float | None = None) -> None:
        """Start empty.

        Args:
            tolerance: Distance that still counts as found, as a share of the image's diagonal.
            reach_px: That distance in pixels, instead.

        Raises:
            ValueError: The tolerance is below 0 or not below 1.
        """
        if not 0.0 <= tolerance < 1.0:
            raise ValueError(f"tolerance is {tolerance}, expected a share of the diagonal, 0 to 1")
        self._tolerance, self._reach_px = tolerance, reach_px
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        # Boundary pixels: predicted and right, predicted, labelled and found, labelled.
        self.pixels = np.zeros(4, np.int64)
        self._iou = MaskMetric()

    def update(
        self, predicted: NDArray[np.uint8], truth: NDArray[np.uint8], *, single: bool = True
    ) -> None:
        """Add one image, or the part of it that counts.

        Args:
            predicted: (H, W) uint8, 0 = no.
            truth: (H, W) uint8: 255 yes, 0 no, 127 not known.
            single: As of ``MaskMetric.update``.

        Raises:
            ValueError: The two are of different size.
        """
        self._iou.update(predicted, truth, single=single)
        reach = self._reach_px
        if reach is None:
            reach = self._tolerance * float(np.hypot(*truth.shape))
        ignored = truth == NOT_KNOWN
        said = _boundary(predicted > 0)
        # Between two labelled pixels only: elsewhere a boundary would be made up.
        label = _boundary(truth == YES) & ~_touches(ignored)
        counted = said & ~_within(ignored, reach)
        self.pixels += (
            int((counted & _within(label, reach)).sum()),
            int(counted.sum()),
            int((label & _within(said, reach)).sum()),
            int(label.sum()),
        )

    def merge(self, other: BoundaryMetric) -> None:
        """Add the images of another metric of the same tolerance.

        Raises:
            ValueError: The tolerances differ.
        """
        own, its = (self._tolerance, self._reach_px), (other._tolerance, other._reach_px)
        if own != its:
            raise ValueError(f"cannot add tolerance {its} to {own} (share of diagonal, pixels)")
        self.pixels += other.pixels
        self._iou.merge(other._iou)

    def compute(self) -> dict[str, float]:
        """Return the scores.

        Returns:
            ``boundary_precision``, ``boundary_recall`` and ``boundary_f`` (pooled over images);
            ``iou`` (pooled), ``mean_iou`` and ``median_iou`` (over images), ``below`` and ``above``
            (images with an IoU under 0.4, and of 0.4 or more) and ``images`` (those with a
            "yes", labelled or predicted). NaN where nothing was counted.
        """
        right, said, found, labelled = (float(value) for value in self.pixels)
        precision, recall = _ratio(right, said), _ratio(found, labelled)
        area = self._iou.compute()
        return {
            "boundary_precision": precision,
            "boundary_recall": recall,
            "boundary_f": _f_score(precision, recall),
            "iou": area.iou,
            "mean_iou": area.mean_iou,
            "median_iou": area.median_iou,
            "below": float(area.below),
            "above": float(area.images - area.below),
            "images": float(area.images),
        }


def _boundary(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Mark the pixels that differ from the one below or to the right: the same for a complement."""
    edge = np.zeros_like(mask)
    edge[:-1] |= mask[:-1] != mask[1:]
    edge[:, :-1] |= mask[:, :-1] != mask[:, 1:]
    return edge


def _touches(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Mark the pixels of a mask and those above and to the left of one."""
    touching = mask.copy()
    touching[:-1] |= mask[1:]
    touching[:, :-1] |= mask[:, 1:]
    return touching


def _within(mask: NDArray[np.bool_], reach: float) -> NDArray[np.bool_]:
    """Mark the pixels at most ``reach`` away from one of the mask; none if that is empty."""
    if not mask.any():
        return np.zeros_like(mask)
    distance = cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return np.asarray(distance <= reach + 1e-4, np.bool_)  # float32 roots of whole squares


def _f_score(precision: float, recall: float) -> float:
    """Harmonic mean; 0 where one side has no boundary at all, NaN where neither has."""
    if np.isnan(precision) and np.isnan(recall):
        return float("nan")
    both = precision + recall
    return 2 * precision * recall / both if both > 0 else 0.0


def _ratio(part: float, whole: float) -> float:
    """Divide; NaN for nothing of nothing."""
    return part / whole if whole else float("nan")
