# SPDX-License-Identifier: Apache-2.0
"""Maps of vehicles -> single vehicles: grouping by centres, sizes by second moments.

Grouping is FIERY's (Hu et al., ICCV 2021), after Panoptic-DeepLab (Cheng et al., CVPR 2020): peaks
of the centres' map, and each cell of a vehicle goes to the peak that is nearest to where its offset
points. A rectangle of sides l and w has variances l^2 / 12 and w^2 / 12 along them, and so has a
blob of cells the sides of the rectangle with its variances.
"""

from __future__ import annotations

import math
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.rig.grid import BevGrid
from shared_encoder_perception.tasks.surround.answer import SeenObject

MOST_OBJECTS: Final = 100
REACH_M: Final = 5.0
"""A cell that points to a place farther than this from every peak is of none of them."""
LEAST_M: Final = (1.0, 0.5)
"""Length and width of the smallest vehicle: of a thin row of cells only one side was seen."""


def objects_of(
    grid: BevGrid,
    vehicle: NDArray[np.float32],
    centre: NDArray[np.float32],
    offset: NDArray[np.float32],
    vehicle_threshold: float,
    centre_threshold: float,
) -> tuple[SeenObject, ...]:
    """Return the vehicles that maps show, the most probable first.

    Args:
        grid: The (Y, X) cells.
        vehicle: (Y, X) probabilities; NaN where unseen.
        centre: (Y, X) 0 to 1, near 1 at the centres of vehicles; NaN where unseen.
        offset: (2, Y, X) metres from the cell's centre to that of its vehicle; NaN where unseen.
        vehicle_threshold: Lowest probability of a vehicle's cell.
        centre_threshold: Lowest value of a peak.
    """
    # As the answer's own maps count their cells: float32 against float32, and NaN is less.
    rows, columns = np.nonzero(vehicle >= np.float32(vehicle_threshold))
    peaks = peaks_of(centre, centre_threshold)
    if not len(rows) or not len(peaks):
        return ()
    places = grid.points(np.stack((columns, rows), axis=-1))
    votes = places + offset[:, rows, columns].T
    owner = _nearest(votes, grid.points(peaks[:, ::-1]))
    weight = vehicle[rows, columns].astype(np.float64)
    found = [
        _object(places[own], votes[own], weight[own], grid.cell_m)
        for index in range(len(peaks))
        if (own := owner == index).any()
    ]
    return tuple(sorted(found, key=lambda one: (-one.score, -one.cells, one.x_m, one.y_m)))


def peaks_of(centre: NDArray[np.float32], threshold: float) -> NDArray[np.intp]:
    """Return the peaks of a map (Y, X): cells that are above their eight neighbours.

    Of neighbours that are alike, as where a centre lies between them, the first one counts.

    Args:
        centre: The map; NaN is no peak.
        threshold: The least value.

    Returns:
        (N, 2) row and column, at most ``MOST_OBJECTS``, the highest first.
    """
    plane = np.nan_to_num(np.asarray(centre, np.float32), nan=0.0)
    # Zeros around the map: its edge is no higher than its neighbours.
    framed = np.asarray(cv2.copyMakeBorder(plane, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0.0))
    height, width = plane.shape
    peak = plane >= np.float32(threshold)
    for down in (0, 1, 2):
        for right in (0, 1, 2):
            other = framed[down : down + height, right : right + width]
            if (down, right) < (1, 1):
                peak &= plane > other
            elif (down, right) > (1, 1):
                peak &= plane >= other
    found = np.argwhere(peak)
    order = np.argsort(-plane[peak], kind="stable")[:MOST_OBJECTS]
    return found[order]


def _nearest(votes: NDArray[np.float64], peaks_m: NDArray[np.float64]) -> NDArray[np.intp]:
    """Return for each of (N, 2) points which of (M, 2) peaks is nearest; -1 beyond ``REACH_M``."""
    owner = np.full(len(votes), -1, np.intp)
    nearest = np.full(len(votes), REACH_M**2)
    x, y = np.ascontiguousarray(votes.T)
    for index, (peak_x, peak_y) in enumerate(peaks_m):  # few peaks: no table of all against all
        distance = (x - peak_x) ** 2 + (y - peak_y) ** 2
        nearer = distance < nearest
        owner[nearer], nearest[nearer] = index, distance[nearer]
    return owner


def _object(
    places: NDArray[np.float64],
    votes: NDArray[np.float64],
    weight: NDArray[np.float64],
    cell: float,
) -> SeenObject:
    """Return the object of some cells.

    Args:
        places: (N, 2) centres of the cells, m.
        votes: (N, 2) where they point to, m.
        weight: (N,) their probabilities.
        cell: Side of a cell, m.
    """
    # Where a part was not seen the cells' own middle is off, what they point to is not.
    x, y = weight @ votes / weight.sum()
    apart = places - places.mean(axis=0)
    # Each cell is a square, with a variance of its own.
    xx, yy = (apart**2).mean(axis=0) + cell**2 / 12
    xy = (apart[:, 0] * apart[:, 1]).mean()
    middle, half = (xx + yy) / 2, math.hypot((xx - yy) / 2, xy)
    length, width = (math.sqrt(12 * max(one, 0.0)) for one in (middle + half, middle - half))
    yaw = 0.5 * math.atan2(2 * xy, xx - yy)
    return SeenObject(
        x_m=float(x),
        y_m=float(y),
        length_m=max(length, LEAST_M[0]),
        width_m=max(width, LEAST_M[1]),
        yaw_rad=yaw,
        score=float(min(weight.mean(), 1.0)),
        cells=len(places),
    )
