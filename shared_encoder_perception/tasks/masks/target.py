# SPDX-License-Identifier: Apache-2.0
"""Labelled mask -> what the network is to say of each pixel, and how much it counts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.structures import Size
from shared_encoder_perception.tasks.masks.values import NOT_KNOWN, YES


def encode_mask(label: Any | None, size: Size) -> dict[str, NDArray]:
    """Return the targets of one view.

    Args:
        label: With ``mask`` and ``weight()``; ``None`` where nothing is known.
        size: ``(height, width)`` of the network's input.

    Returns:
        ``mask`` (H, W) uint8: 255 yes, 0 no, 127 not known; ``weight`` (H, W) uint8, how much a
        pixel counts: 0 to 255.
    """
    if label is None:
        return {"mask": np.full(size, NOT_KNOWN, np.uint8), "weight": np.zeros(size, np.uint8)}
    return {"mask": label.mask, "weight": label.weight()}


def class_pixels(targets: Mapping[str, NDArray]) -> dict[int, int]:
    """Return how many pixels of a view are known to be no (0), and how many yes (1)."""
    yes, known = targets["mask"] == YES, targets["mask"] != NOT_KNOWN
    counted = known & (targets["weight"] > 0)
    return {0: int((counted & ~yes).sum()), 1: int((counted & yes).sum())}


def ideal_mask(targets: Mapping[str, NDArray], size: Size, stride: int) -> NDArray[np.uint8]:
    """Return the mask of a network that says just what the targets of one view ask for."""
    mask = np.where(targets["mask"] == YES, 255, 0).astype(np.uint8)
    if stride == 1:
        return mask
    grid = (size[1] // stride, size[0] // stride)
    return np.asarray(cv2.resize(mask, grid, interpolation=cv2.INTER_AREA), np.uint8)
