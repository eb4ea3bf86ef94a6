"""Does stated confidence come true? Expected calibration error (Naeini et al., AAAI 2015).

Of everything said with 80 % confidence, 80 % should be right. Counts are pooled over images.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.evaluation.metrics import (
    DRIVABLE,
    IGNORE,
    MATCH_ACCURACY,
    rows_within_tolerance,
)
from shared_encoder_perception.structures import Perception
from shared_encoder_perception.tasks.lanes.answer import LANE_NAMES, LaneId, LaneLine

BINS: Final = 15
"""Of equal width; Guo et al. (ICML 2017) use as many."""


class Bin(NamedTuple):
    """Statements of about the same confidence.

    Attributes:
        statements: How many.
        stated: Their mean confidence, 0 to 1.
        right: Share of them that was right, 0 to 1.
    """

    statements: int
    stated: float
    right: float


@dataclass(frozen=True)
class Reliability:
    """How far stated confidence is from what came true.

    Attributes:
        ece: Expected calibration error, mean of ``|stated - right|`` over all statements; NaN
            without any.
        count: Statements.
        bins: In rising order of confidence, empty ones left out.
    """

    ece: float
    count: int
    bins: tuple[Bin, ...]


class CalibrationMetric:
    """Reliability of lane confidence and of the mask's probability.

    Lanes: every detected line of a labelled lane is a statement. It is right where the lane is
    there and ``line_is_right``; a line of a lane that is labelled absent, a false alarm, is wrong.
    Mask: every labelled pixel is a statement, right where it is drivable.

    Attributes:
        lanes: (5, BINS, 3) by lane and bin: statements, sum of their confidence, how many
            are right.
        mask: (2, 256) labelled pixels, not drivable and drivable, by the value that was said.
    """

    def __init__(self) -> None:
        """Start empty."""
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        self.lanes = np.zeros((len(LaneId), BINS, 3))
        self.mask = np.zeros((2, 256), np.int64)

    def update(self, perception: Perception, lanes: Mapping[LaneId, NDArray | None]) -> None:
        """Add the lanes of one image.

        Args:
            perception: What was predicted, in pixels of the labelled image.
            lanes: Labels as in ``LaneMetric.update``.
        """
        for lane, truth in lanes.items():
            line = perception.lane(lane)
            if line.detected:
                right = line_is_right(line, truth, perception.image_size[1])
                index = min(int(line.confidence * BINS), BINS - 1)
                self.lanes[lane, index] += (1.0, line.confidence, right)

    def update_mask(self, probability: NDArray[np.uint8], truth: NDArray[np.uint8]) -> None:
        """Add one mask; see ``mask_histogram``."""
        self.mask += mask_histogram(probability, truth)

    def merge(self, other: CalibrationMetric) -> None:
        """Add the counts of another metric."""
        self.lanes += other.lanes
        self.mask += other.mask

    def compute(self) -> dict[str, dict[str, Any]]:
        """Return what JSON can hold.

        Returns:
            ``{"lanes": {"ece", "count", "bins", "each": {lane: {"ece", "count"}}}, "mask": {"ece",
            "count", "bins"}}``: a ``Reliability`` of all lanes pooled, of each lane, and of pixels.
        """
        lanes = asdict(_reliability(*self.lanes.sum(axis=0).T))
        lanes["each"] = {}
        for name, sums in zip(LANE_NAMES, self.lanes, strict=True):
            one = _reliability(*sums.T)
            lanes["each"][name] = {"ece": one.ece, "count": one.count}
        return {"lanes": lanes, "mask": asdict(self._mask_reliability())}

    def _mask_reliability(self) -> Reliability:
        """Put the 256 values of a pixel into bins."""
        stated = np.arange(256) / 255.0
        index = np.minimum((stated * BINS).astype(np.int64), BINS - 1)
        count = self.mask.sum(axis=0)
        sums = (count, count * stated, self.mask[1])
        return _reliability(*(np.bincount(index, values, BINS) for values in sums))


def line_is_right(line: LaneLine, truth: NDArray | None, image_width: int) -> bool:
    """Whether the lane is there and ``MATCH_ACCURACY`` of its labelled rows are within tolerance.

    Args:
        line: The prediction.
        truth: (N, 2) labelled points, near to far; ``None`` for a lane that is not there.
        image_width: Width of the labelled image, pixels.
    """
    if truth is None:
        return False
    return bool(rows_within_tolerance(line, truth, image_width).mean() >= MATCH_ACCURACY)


def mask_histogram(probability: NDArray[np.uint8], truth: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Count the labelled pixels of one mask by what was said of them.

    Args:
        probability: (H, W) uint8, 0 to 255 for 0 to 1.
        truth: (H, W) uint8: 255 drivable, 0 not, 127 ignore.

    Returns:
        (2, 256) int64: pixels that are not drivable, and that are, for each value of
        ``probability``.

    Raises:
        ValueError: The two are of different size.
    """
    if probability.shape != truth.shape:
        raise ValueError(f"prediction is {probability.shape}, label is {truth.shape}")
    labelled = truth != IGNORE
    drivable = probability[truth == DRIVABLE]
    every = np.bincount(probability[labelled], minlength=256)
    right = np.bincount(drivable, minlength=256)
    return np.stack((every - right, right)).astype(np.int64)


def _reliability(count: NDArray, stated: NDArray, right: NDArray) -> Reliability:
    """Compare sums of (BINS,) each: statements, their confidence, those that were right."""
    total = float(count.sum())
    return Reliability(
        ece=float(np.abs(stated - right).sum() / total) if total else float("nan"),
        count=int(total),
        bins=tuple(
            Bin(int(n), float(said / n), float(true / n))
            for n, said, true in zip(count, stated, right, strict=True)
            if n
        ),
    )
