# SPDX-License-Identifier: Apache-2.0
"""Points of a lidar get the class of the pixel that shows them (Vora et al., PointPainting, 2020).

A point behind the camera has no pixel, however its coordinates may divide; one behind something
nearer has none either.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.ground.camera import CameraModel
from shared_encoder_perception.tasks.semantic.answer import SemanticMask
from shared_encoder_perception.tasks.semantic.classes import UNLABELLED


@dataclass(frozen=True)
class PaintOptions:
    """When a point is seen.

    Attributes:
        near_m: Least distance along the optical axis.
        cell_px: Side of the squares of the image in which the nearest point hides others; 0 for no
            hiding.
        behind_m: How far behind the nearest point of its square a point is still seen.
        behind_share: The same as a share of the distance: a road runs far within few rows.
    """

    near_m: float = 0.3
    cell_px: int = 4
    behind_m: float = 0.5
    behind_share: float = 0.1

    def __post_init__(self) -> None:
        """Refuse what would paint behind the camera or nothing."""
        if not self.near_m > 0:
            raise ValueError(f"near_m is {self.near_m}, expected more than 0")
        if min(self.cell_px, self.behind_m, self.behind_share) < 0:
            raise ValueError(f"{self}: expected no number below 0")


@dataclass(frozen=True, eq=False)
class Painted:
    """What became of N points.

    Attributes:
        ids: (N,) uint8, the class of each, 255 for none: not seen, hidden, or nothing said there.
        probability: (N,) float32, 0 to 1, of that class; 0 for none.
    """

    ids: NDArray[np.uint8]
    probability: NDArray[np.float32]


def paint(
    points: NDArray, camera: CameraModel, answer: SemanticMask, options: PaintOptions
) -> Painted:
    """Give points their classes.

    Args:
        points: (N, 3) m, in the camera's optical frame at the image's time: x right, y down, z
            ahead. NaN is seen by nobody.
        camera: Of the image as received.
        answer: Of that image.
        options: When a point is seen.

    Raises:
        ValueError: Points of another shape, or an answer to an image of another size.
    """
    if points.ndim != 2 or points.shape[1] != 3:
        raise ValueError(f"points are {points.shape}, expected (N, 3)")
    height, width = camera.image_size
    if answer.ids.shape != (height, width):
        raise ValueError(f"classes are {answer.ids.shape}, the camera's image {(height, width)}")
    ids = np.full(len(points), UNLABELLED, np.uint8)
    probability = np.zeros(len(points), np.float32)
    seen, (x, y) = camera.find(points)
    column, row = (np.floor(at + 0.5).astype(np.intp) for at in (x, y))
    inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
    inside &= points[seen, 2] >= options.near_m
    seen, row, column = seen[inside], row[inside], column[inside]
    if options.cell_px:
        kept = _in_front(points[seen], row, column, options, width)
        seen, row, column = seen[kept], row[kept], column[kept]
    told = answer.ids[row, column]
    ids[seen] = told
    sure = answer.confidence[row, column].astype(np.float32) / 255
    probability[seen] = np.where(told == UNLABELLED, np.float32(0), sure)
    return Painted(ids, probability)


def _in_front(
    points: NDArray,
    row: NDArray[np.intp],
    column: NDArray[np.intp],
    options: PaintOptions,
    width: int,
) -> NDArray[np.bool_]:
    """Say which points nothing hides: those near the nearest one of their square."""
    side = options.cell_px
    cells = (row // side) * (width // side + 1) + column // side
    distance = np.sqrt((points.T.astype(np.float64) ** 2).sum(axis=0))
    nearest = np.full(int(cells.max(initial=0)) + 1, np.inf)
    np.minimum.at(nearest, cells, distance)
    first = nearest[cells]
    return np.asarray(distance <= first * (1 + options.behind_share) + options.behind_m)
