# SPDX-License-Identifier: Apache-2.0
"""Masks of mirrored and resized pictures, made one: the mean of their probabilities."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from numpy.typing import NDArray

from shared_encoder_perception.images.looks import Look
from shared_encoder_perception.tasks.drivable.spec import OUTPUT_MASK, Block
from shared_encoder_perception.tasks.masks.ensemble import mean_mask


def merge(
    looks: Sequence[Look], outputs: Sequence[Mapping[str, NDArray]], block: Block
) -> dict[str, NDArray]:
    """Return ``mask``; see ``mean_mask``."""
    masks = [output[OUTPUT_MASK] for output in outputs]
    return {OUTPUT_MASK: mean_mask(looks, masks, block.mask_stride)}
