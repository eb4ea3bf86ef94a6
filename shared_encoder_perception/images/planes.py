# SPDX-License-Identifier: Apache-2.0
"""Planes of one value per pixel (masks, ids, weights) that move with their image, never mixed."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.images.preprocess import Crop, ImageTransform
from shared_encoder_perception.structures import Size


def plane_to_input(plane: NDArray, transform: ImageTransform, outside: float) -> NDArray:
    """Crop and resize to the network input, by the nearest value.

    Args:
        plane: (H, W) of ``transform.image_size``, of a type that OpenCV knows.
        transform: The view of the image.
        outside: What padding gets.

    Returns:
        (h, w) of ``transform.input_size``.
    """
    part = plane[transform.crop.window]
    shown = transform.content
    size = (shown.width, shown.height)
    resized = cv2.resize(part, size, interpolation=cv2.INTER_NEAREST_EXACT)
    if (shown.height, shown.width) == tuple(transform.input_size):
        return np.asarray(resized)
    full = np.full(transform.input_size, outside, plane.dtype)
    full[shown.window] = resized
    return full


def warp_plane(plane: NDArray, matrix: NDArray[np.float64], size: Size, outside: float) -> NDArray:
    """Move by an affine map, taking the nearest value.

    Args:
        plane: (H, W) of a type that OpenCV knows.
        matrix: (2, 3) from pixels of ``plane`` to pixels of the result.
        size: ``(height, width)`` of the result.
        outside: What comes in from outside.
    """
    moved = cv2.warpAffine(
        plane,
        np.asarray(matrix, np.float64),
        size[::-1],
        flags=cv2.INTER_NEAREST,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=outside,
    )
    return np.asarray(moved)


def plane_inside(plane: NDArray, crop: Crop, outside: float) -> NDArray:
    """Return a plane (H, W) with ``outside`` everywhere but in a crop."""
    cut = np.full(plane.shape, outside, plane.dtype)
    cut[crop.window] = plane[crop.window]
    return cut
