# SPDX-License-Identifier: Apache-2.0
"""Planes of a picture seen from above: as far as the road is flat, and one knows where it lies.

The part of the road is KITTI road's (Fritsch et al. 2013): 6 to 46 m ahead, 10 m to each side, in
cells of 5 cm, each of which asks the pixel that its middle is seen by.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.ground.view import HomographyView
from shared_encoder_perception.structures import Size

AHEAD_M: Final = (6.0, 46.0)
BESIDE_M: Final = 10.0
CELL_M: Final = 0.05
GRID: Final[Size] = (
    round((AHEAD_M[1] - AHEAD_M[0]) / CELL_M),
    round(2 * BESIDE_M / CELL_M),
)
"""Rows, the farthest first, and columns, the leftmost first."""
LOOKED_AT: Final = 20
"""Every so many cells in each direction tell whether a picture shows any."""


def check_homography(homography: NDArray[np.float64], image_size: Size) -> None:
    """Refuse a homography that shows no road in a picture of ``(height, width)``.

    Raises:
        ValueError: It is not (3, 3), has no inverse, or puts no cell of the grid into the picture.
    """
    if homography.shape != (3, 3) or not np.isfinite(homography).all():
        raise ValueError(f"homography is {homography.tolist()}, expected 3x3 numbers")
    if (_pixels(_bytes(homography), image_size, LOOKED_AT) < 0).all():
        raise ValueError(
            f"the homography shows nothing of the road from {AHEAD_M[0]:g} to {AHEAD_M[1]:g} m "
            f"ahead and {BESIDE_M:g} m to each side: expected pixels to metres, x ahead and y left"
        )


def from_above(
    plane: NDArray[np.uint8], homography: NDArray[np.float64], outside: int
) -> NDArray[np.uint8]:
    """Return ``GRID`` cells of a plane.

    Args:
        plane: (H, W), of the picture.
        homography: (3, 3) float64 from its pixels to ``(x ahead, y left)`` metres on the road.
        outside: Of cells that the picture does not show.
    """
    size = (plane.shape[0], plane.shape[1])
    places = _pixels(_bytes(homography), size)
    return np.where(places >= 0, plane.ravel()[places], np.uint8(outside)).reshape(GRID)


def _bytes(homography: NDArray[np.float64]) -> bytes:
    """Return what a homography can be looked up by."""
    return np.ascontiguousarray(homography, np.float64).tobytes()


@lru_cache(maxsize=16)
def _pixels(homography: bytes, size: Size, every: int = 1) -> NDArray[np.int32]:
    """Return the place of each cell's pixel in a flat picture, -1 for none; of some cells only."""
    matrix = np.frombuffer(homography, np.float64).reshape(3, 3)
    height, width = size
    x = AHEAD_M[1] - CELL_M * (np.arange(0, GRID[0], every) + 0.5)
    y = BESIDE_M - CELL_M * (np.arange(0, GRID[1], every) + 0.5)
    # Whatever the height of the camera: its rays to these points are those of the homography.
    view = HomographyView.from_matrix(matrix, size, (0.0, 0.0, 1.0), 0.0)
    points = np.stack(np.meshgrid(x, y, [0.0], indexing="ij"), axis=-1).reshape(-1, 3)
    with np.errstate(invalid="ignore"):
        pixels = np.rint(view.pixels(points - view.position))
        inside = ((pixels >= 0) & (pixels < (width, height))).all(axis=1)
        places = np.where(inside, pixels[:, 1] * width + pixels[:, 0], -1)
    return places.astype(np.int32)
