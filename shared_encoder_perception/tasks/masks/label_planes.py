# SPDX-License-Identifier: Apache-2.0
"""Masks of labels in files: what stands in them, and how they move with their picture."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.structures import Size
from shared_encoder_perception.tasks.label_files import LabelError, read_plane
from shared_encoder_perception.tasks.masks.values import NOT_KNOWN, VALUES
from shared_encoder_perception.tasks.probability_planes import SURE_NO, histogram

SURE: Final = 255
"""Weight of a pixel that counts in full."""


def read_mask(path: Path, size: Size, what: str = "mask") -> NDArray[np.uint8]:
    """Read a labelled mask.

    Raises:
        LabelError: Unreadable, of another size, or with other values than 255, 0 and 127.
    """
    mask = read_plane(path, size, what)
    strange = [v for v in np.flatnonzero(histogram(mask)).tolist() if v not in VALUES]
    if strange:
        raise LabelError(path, None, f"the {what} has values {strange}, expected only {VALUES}")
    return mask


def read_confidence(path: Path, size: Size, what: str) -> NDArray[np.uint8]:
    """Read the confidence of a mask; refuse numbers that are surely meant otherwise."""
    plane = read_plane(path, size, what)
    if 0 < plane.max() <= SURE_NO:
        reason = f"has values up to {plane.max()} only, expected 0 to 255 for a weight of 0 to 1"
        raise LabelError(path, None, f"the {what} {reason}")
    return plane


def check_plane(what: str, plane: NDArray, image_size: Size) -> None:
    """Refuse a plane of a label that does not fit its image.

    Raises:
        ValueError: It is not uint8, or not of the image's size.
    """
    if plane.dtype != np.uint8 or plane.shape != tuple(image_size):
        raise ValueError(
            f"{what} is {plane.dtype} {plane.shape}, expected uint8 {tuple(image_size)}"
        )


def weight_of(
    mask: NDArray[np.uint8], confidence: NDArray[np.uint8] | None = None
) -> NDArray[np.uint8]:
    """Return (H, W) uint8, how much each pixel counts: 255 in full, 0 where nothing is known."""
    known = np.where(mask == NOT_KNOWN, 0, SURE).astype(np.uint8)
    return known if confidence is None else np.minimum(known, confidence)
