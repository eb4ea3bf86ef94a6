# SPDX-License-Identifier: Apache-2.0
"""Foreground of mirrored and resized pictures, made one: the mean of their probabilities."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from numpy.typing import NDArray

from shared_encoder_perception.images.looks import Look
from shared_encoder_perception.tasks.foreground.spec import OUTPUT_FOREGROUND, Block
from shared_encoder_perception.tasks.masks.ensemble import mean_mask


def merge(
    looks: Sequence[Look], outputs: Sequence[Mapping[str, NDArray]], block: Block
) -> dict[str, NDArray]:
    """Return ``foreground``; see ``mean_mask``."""
    masks = [output[OUTPUT_FOREGROUND] for output in outputs]
    return {OUTPUT_FOREGROUND: mean_mask(looks, masks, block.mask_stride)}
