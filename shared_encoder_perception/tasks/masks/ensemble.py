# SPDX-License-Identifier: Apache-2.0
"""Masks of mirrored and resized pictures, made one: the mean of their probabilities."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.images.looks import Look, mean_of

HAIR: Final = 1e-6
"""Added before rounding: a mean of whole values is often just a half, and the order in which they
are summed must not decide where that goes."""


def mean_mask(looks: Sequence[Look], masks: Sequence[NDArray], stride: int) -> NDArray[np.uint8]:
    """Return for each cell the mean over the looks that show it, halves rounded up.

    What is averaged are the network's own probabilities; a model's calibration comes after it.
    """
    mean = mean_of(looks, masks, stride)
    return np.floor(mean + (0.5 + HAIR)).astype(np.uint8)
