# SPDX-License-Identifier: Apache-2.0
"""Reliability of a mask's probability: every labelled pixel is a statement.

It comes true where the label says yes.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.tasks.masks.values import NOT_KNOWN, YES
from shared_encoder_perception.tasks.reliability import BINS, bin_of, reliability_of


class MaskReliability:
    """Stated against true confidence of pixels, pooled over images.

    Attributes:
        counts: (2, 256) labelled pixels, of no and of yes, by the value that was said.
    """

    def __init__(self) -> None:
        """Start empty."""
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        self.counts = np.zeros((2, 256), np.int64)

    def update(self, probability: NDArray[np.uint8], truth: NDArray[np.uint8]) -> None:
        """Add one mask; see ``mask_histogram``."""
        self.counts += mask_histogram(probability, truth)

    def merge(self, other: MaskReliability) -> None:
        """Add the counts of another metric."""
        self.counts += other.counts

    def binned(self) -> NDArray[np.float64]:
        """Put the 256 values of a pixel into bins.

        Returns:
            (BINS, 3): labelled pixels, sum of their probability, how many are yes.
        """
        stated = np.arange(256) / 255.0
        count = self.counts.sum(axis=0)
        sums = (count, count * stated, self.counts[1])
        return np.stack([np.bincount(bin_of(stated), values, BINS) for values in sums], axis=1)

    def compute(self) -> dict[str, Any]:
        """Return a ``Reliability`` as JSON can hold it: ``{"ece", "count", "bins"}``."""
        return asdict(reliability_of(*self.binned().T))


def mask_histogram(probability: NDArray[np.uint8], truth: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Count the labelled pixels of one mask by what was said of them.

    Args:
        probability: (H, W) uint8, 0 to 255 for 0 to 1.
        truth: (H, W) uint8: 255 yes, 0 no, 127 not known.

    Returns:
        (2, 256) int64: pixels of no and of yes, for each value of
        ``probability``.

    Raises:
        ValueError: The two are of different size.
    """
    if probability.shape != truth.shape:
        raise ValueError(f"prediction is {probability.shape}, label is {truth.shape}")
    labelled = truth != NOT_KNOWN
    every = np.bincount(probability[labelled], minlength=256)
    right = np.bincount(probability[truth == YES], minlength=256)
    return np.stack((every - right, right)).astype(np.int64)
