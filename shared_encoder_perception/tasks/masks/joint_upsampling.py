# SPDX-License-Identifier: Apache-2.0
"""A mask on the network's grid -> the pixels of the image, along the image's own edges.

A cell of the grid is several pixels wide, and between two cells a mask is interpolated: its edges
are round where the image's are not. Joint upsampling (Kopf et al., SIGGRAPH 2007) asks the image.
Here by the guided filter (He, Sun and Tang, ECCV 2010, section 3) with a colour guide, as its
authors made it fast (He and Sun, arXiv 1505.00996): around each cell the mask is a linear function
of colour, ``a . I + b``, fitted on the grid; ``a`` and ``b`` are interpolated, and see the colours
of all pixels. Where the mask does not change, ``a`` is 0, and nothing does.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.images.preprocess import ImageTransform

RADIUS: Final = 2
"""Cells from the middle of a window to its edge."""
SMOOTH: Final = 8.0
"""Variance of colour, grey levels squared, from which an edge is one, and no noise."""

Plane = NDArray[np.floating[Any]]
"""(h, w) float32, a number for each cell."""


def along_edges(
    values: NDArray[np.uint8], image: NDArray[np.uint8], transform: ImageTransform, stride: int
) -> NDArray[np.uint8]:
    """Map a mask to the source image, as ``ImageTransform.mask_to_image`` does but along edges.

    Args:
        values: (h, w) uint8, a value for each cell of the grid.
        image: (H, W, 3) uint8, the source image.
        transform: How it became the network's input.
        stride: Network-input pixels per cell.

    Returns:
        (H, W) uint8; 0 outside of the crop.
    """
    if not values.any():  # an empty place, most of the time
        return transform.mask_to_image(values, stride)
    shown = transform.image_to_input(image)
    guide = cv2.resize(shown, values.shape[::-1], interpolation=cv2.INTER_AREA)
    *slopes, level = _fitted(cv2.split(guide.astype(np.float32)), values.astype(np.float32))
    found = transform.mask_to_image(level, stride)
    for slope, colour in zip(slopes, cv2.split(image), strict=True):
        # In place: planes of a large image cost more to be had than to be filled.
        full = transform.mask_to_image(slope, stride)
        cv2.add(found, cv2.multiply(full, colour, dst=full, dtype=cv2.CV_32F), dst=found)
    return np.asarray(cv2.convertScaleAbs(cv2.max(found, 0.0, dst=found)))


def _fitted(guide: Sequence[Plane], values: Plane) -> list[Plane]:
    """Return ``a``, a plane for each of three colours, and ``b``: means over a cell's windows."""
    blue, green, red = guide
    means, mean = [_mean(colour) for colour in guide], _mean(values)
    b, g, r = means
    right = [
        _mean(colour * values) - middle * mean for colour, middle in zip(guide, means, strict=True)
    ]
    slopes = _solved(
        (
            _mean(blue * blue) - b * b + SMOOTH,
            _mean(blue * green) - b * g,
            _mean(blue * red) - b * r,
            _mean(green * green) - g * g + SMOOTH,
            _mean(green * red) - g * r,
            _mean(red * red) - r * r + SMOOTH,
        ),
        right,
    )
    level = mean - sum(slope * middle for slope, middle in zip(slopes, means, strict=True))
    return [_mean(plane) for plane in (*slopes, level)]


def _solved(spread: Sequence[Plane], right: Sequence[Plane]) -> list[Plane]:
    """Solve ``S a = right``, symmetric 3x3, cell by cell.

    By ``S = L D L^T``, whose pivots are at least ``SMOOTH``: with adjugates a determinant would be
    a difference of large numbers.
    """
    xx, xy, xz, yy, yz, zz = spread
    yx, zx = xy / xx, xz / xx
    second, rest = yy - yx * xy, yz - yx * xz
    zy = rest / second
    third = zz - zx * xz - zy * rest
    x = right[0]
    y = right[1] - yx * x
    z = (right[2] - zx * x - zy * y) / third
    y = y / second - zy * z
    return [x / xx - yx * y - zx * z, y, z]


def _mean(plane: Plane) -> Plane:
    """Return the mean over the window around each cell."""
    side = 2 * RADIUS + 1
    return np.asarray(cv2.blur(plane, (side, side), borderType=cv2.BORDER_REPLICATE))
