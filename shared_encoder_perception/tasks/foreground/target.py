# SPDX-License-Identifier: Apache-2.0
"""Labelled foreground -> what the network is to say of each pixel, and how much it counts."""

from __future__ import annotations

from collections.abc import Mapping

from numpy.typing import NDArray

from shared_encoder_perception.structures import Size
from shared_encoder_perception.tasks.foreground.labels import Label
from shared_encoder_perception.tasks.foreground.spec import OUTPUT_FOREGROUND, Block
from shared_encoder_perception.tasks.masks.target import class_pixels as class_pixels
from shared_encoder_perception.tasks.masks.target import encode_mask, ideal_mask


def encode(label: Label | None, size: Size, block: Block) -> dict[str, NDArray]:
    """Return the targets of one view: see ``encode_mask``."""
    return encode_mask(label, size)


def ideal(targets: Mapping[str, NDArray], size: Size, block: Block) -> dict[str, NDArray]:
    """Return the mask of a network that says just what the targets of one view ask for."""
    return {OUTPUT_FOREGROUND: ideal_mask(targets, size, block.mask_stride)}
