"""Labelled mask -> what the network is to say of each pixel, and how much it counts."""

from __future__ import annotations

from collections.abc import Mapping

import cv2
import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.structures import Size
from shared_encoder_perception.tasks.drivable.labels import Label
from shared_encoder_perception.tasks.drivable.spec import OUTPUT_MASK, Block
from shared_encoder_perception.tasks.masks.values import NOT_KNOWN, YES


def encode(label: Label | None, size: Size, block: Block) -> dict[str, NDArray]:
    """Return the targets of one view.

    Returns:
        ``mask`` (H, W) uint8: 255 drivable, 0 not, 127 ignore; ``weight`` (H, W) uint8, how much a
        pixel counts: 0 to 255.
    """
    if label is None:
        label = Label(np.full(size, NOT_KNOWN, np.uint8))
    return {"mask": label.mask, "weight": label.weight()}


def ideal(targets: Mapping[str, NDArray], size: Size, block: Block) -> dict[str, NDArray]:
    """Return the mask of a network that says just what the targets of one view ask for."""
    mask = np.where(targets["mask"] == YES, 255, 0).astype(np.uint8)
    if block.mask_stride == 1:
        return {OUTPUT_MASK: mask}
    grid = (size[1] // block.mask_stride, size[0] // block.mask_stride)
    return {OUTPUT_MASK: np.asarray(cv2.resize(mask, grid, interpolation=cv2.INTER_AREA))}
