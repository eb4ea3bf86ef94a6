# SPDX-License-Identifier: Apache-2.0
"""Planes of one byte that should be probabilities, 0 to 255: what is in them, and what is not.

Masks of class ids look the same to a file reader, and mean something else: id 2 of 255 would be a
probability below one percent, at full confidence. What cannot be told from ids is refused.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

Histogram = NDArray[np.int64]
"""(256,) pixels of each value."""

SOME: Final = 0.01
"""Share of the pixels from which values count: a few are noise."""
SURE_NO: Final = 12
"""Values from 1 to this are ids, or probabilities below 0.05: everything would be not drivable."""
HIGH: Final = 64
"""Ids of road scenes end near here; probabilities do not."""
SOFT_HIGH: Final = 4
"""So many values above ``HIGH`` that are not flat show probabilities."""
SOFT: Final = 48
"""So many values of any size do, too."""
FLAT: Final = 0.9
"""Of pixels whose neighbours are like themselves: ids come in patches, probabilities in slopes."""
HALF: Final = 126
"""Two values, the higher one up to this, are another scale; 127 and 128 mean "not known"."""
PERCENT: Final = 100
SOFT_FOLDER: Final = 128
"""So many values in all masks of a folder show that it holds probabilities."""


def histogram(plane: NDArray[np.uint8]) -> Histogram:
    """Count the pixels of each value of a plane (H, W)."""
    counts = cv2.calcHist([np.ascontiguousarray(plane)], [0], None, [256], [0, 256])
    return np.asarray(counts.ravel().round().astype(np.int64))


def shows_probabilities(histograms: Iterable[Histogram]) -> bool:
    """Whether the planes of a folder together have as many values as only probabilities have."""
    seen = np.zeros(256, np.bool_)
    for counts in histograms:
        seen |= counts > 0
    return bool(seen.sum() >= SOFT_FOLDER)


def why_no_probabilities(plane: NDArray[np.uint8], counts: Histogram) -> str:
    """Say why a plane (H, W) is none of probabilities, with the values found; empty if it may be.

    Args:
        plane: The plane.
        counts: Its ``histogram``.
    """
    values, share = np.flatnonzero(counts), counts / max(counts.sum(), 1)
    some_low = share[1 : SURE_NO + 1].sum() > SOME
    found, most = f"the values {_listed(values)}", int(values[-1]) if len(values) else 0
    if most == 1 and some_low:
        return f"has the values 0 and 1, expected 0 to 255: {found}, write 255 for 1"
    if some_low and not _is_soft(plane, counts):
        return f"has {found}: class ids? Expected probabilities 0 to 255, or 0 and 255"
    if share[PERCENT] > SOME and most == PERCENT and len(values) > 2:
        return f"has {found}: percent? Expected probabilities 0 to 255"
    if len(values) == 2 and values[0] == 0 and SURE_NO < most <= HALF and share[most] > SOME:
        return f"has {found}: expected 0 and 255, or probabilities between"
    return ""


def _is_soft(plane: NDArray[np.uint8], counts: Histogram) -> bool:
    """Whether there are slopes of values, as ids do not have them."""
    if (counts > 0).sum() >= SOFT:
        return True
    return bool((counts[HIGH:255] > 0).sum() >= SOFT_HIGH) and not _is_flat(plane)


def _is_flat(plane: NDArray[np.uint8]) -> bool:
    """Whether nearly all pixels that are neither 0 nor 255 are like those beside and below."""
    inner = plane[:-1, :-1]
    between = (inner > 0) & (inner < 255)
    like = (inner == plane[:-1, 1:]) & (inner == plane[1:, :-1])
    return bool(between.any() and like[between].mean() >= FLAT)


def _listed(values: NDArray[np.int64]) -> str:
    """Write values, the many ones as a range."""
    if len(values) > 12:
        return f"{values[0]} to {values[-1]} ({len(values)} of them)"
    return ", ".join(map(str, values.tolist()))


def described(counts: Histogram) -> str:
    """Say in a line what values planes have, for the user to see whether that can be right."""
    values, share = np.flatnonzero(counts), counts / max(counts.sum(), 1)
    between = 1 - share[0] - share[255]
    return (
        f"values {_listed(values)}; {share[0]:.0%} at 0, {share[255]:.0%} at 255, "
        f"{between:.0%} between"
    )
