"""Masks of mirrored and resized pictures, made one: the mean of their probabilities."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.images.looks import Look, mean_of
from shared_encoder_perception.tasks.drivable.spec import OUTPUT_MASK, Block

HAIR: Final = 1e-6
"""Added before rounding: a mean of whole values is often just a half, and the order in which they
are summed must not decide where that goes."""


def merge(
    looks: Sequence[Look], outputs: Sequence[Mapping[str, NDArray]], block: Block
) -> dict[str, NDArray]:
    """Return ``mask``: for each cell the mean over the looks that show it, halves rounded up.

    What is averaged are the network's own probabilities; a model's calibration comes after it.
    """
    mean = mean_of(looks, [output[OUTPUT_MASK] for output in outputs], block.mask_stride)
    return {OUTPUT_MASK: np.floor(mean + (0.5 + HAIR)).astype(np.uint8)}
