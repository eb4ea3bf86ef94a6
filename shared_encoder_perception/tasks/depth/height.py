# SPDX-License-Identifier: Apache-2.0
"""How high above the road a depth says that its camera is; the scale of all of it shows there.

A picture does not tell its scale: lanes are 2.5 to 4 m wide, and a camera twice as high above lanes
twice as wide sees the same. How high the camera is, is known on every vehicle. Points of a plane,
``n . p = h`` with the unit normal n and the height h, are seen along the rays ``(x, y, 1)`` at the
inverse depth ``(n . (x, y, 1)) / h``: three numbers, linear in the picture, whose length is 1 / h.
They are fitted by random sample consensus (Fischler and Bolles, 1981) to what is said of the lower
part of the picture, then by least squares to what agrees with them.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.ground.camera import CameraModel
from shared_encoder_perception.structures import Size
from shared_encoder_perception.tasks.depth.answer import DepthMap
from shared_encoder_perception.tasks.depth.depth_msg import pinhole

POINTS: Final = 1500
"""Pixels that are looked at, at most about as many."""
LOWER: Final = 0.2
"""Share of the picture, from above, in which nobody looks for the road."""
TRIALS: Final = 96
SWEEPS: Final = 4
"""Fits to what agrees."""
AGREES: Final = 0.08
"""Share of the inverse depth by which a point of the road may be off."""
STEEPEST: Final = 1.0
"""Tangent of pitch or roll from which a plane is no road."""
SMALLEST_SHARE: Final = 0.5
"""Of the points that must agree: else most of what is seen is something else than the road."""
MOST: Final = 3.0
"""Factor that no scale is off by: what is so much nearer or farther is no road."""


class Road(NamedTuple):
    """The plane of the road, by the depth itself.

    Attributes:
        height_m: Of the camera above it.
        share: Of the points in the lower part of the picture that lie on it.
    """

    height_m: float
    share: float


def at_height(answer: DepthMap, height_m: float) -> DepthMap:
    """Return a depth in metres, scaled so that its road lies ``height_m`` below the camera.

    As it is where it is not in metres, shows no road, or is ``fixed``; ``height_m`` of the answer
    tells.

    Raises:
        ValueError: No height.
    """
    if not 0 < height_m < math.inf:
        raise ValueError(f"the camera's height is {height_m:g} m, expected more than 0")
    if not answer.in_metres or answer.fixed:
        return answer
    size = (int(answer.depth.shape[0]), int(answer.depth.shape[1]))
    road = find_road(answer.depth, answer.lens or pinhole(answer.focal_px, size))
    if road is None or not 1 / MOST <= (factor := height_m / road.height_m) <= MOST:
        return answer
    return answer.scaled(factor, height_m)


def find_road(depth: NDArray[np.float32], lens: CameraModel) -> Road | None:
    """Return the road that a depth shows; ``None`` where there is no plane to drive on.

    Args:
        depth: (H, W) m along the optical axis, NaN and +Inf where none is known.
        lens: The camera.
    """
    rays, places = _rays(lens)
    away = depth[places]
    known = np.isfinite(away) & (away > 0)
    if known.sum() < 3:
        return None
    rays, inverse = rays[known], 1 / away[known].astype(np.float64)
    plane = _consensus(rays, inverse)
    if plane is None:
        return None
    for _ in range(SWEEPS):
        agrees = _agrees(rays, inverse, plane)
        # By their share of the inverse depth: else the nearest rows alone would decide.
        weighted = rays[agrees] / inverse[agrees, None]
        plane = np.linalg.lstsq(weighted, np.ones(len(weighted)), rcond=None)[0]
        if not _is_road(plane[None])[0]:
            return None
    share = float(_agrees(rays, inverse, plane).mean())
    return Road(1 / float(np.linalg.norm(plane)), share) if share >= SMALLEST_SHARE else None


def _consensus(
    rays: NDArray[np.float64], inverse: NDArray[np.float64]
) -> NDArray[np.float64] | None:
    """Return the plane that most points agree with, of those through three of them."""
    rng = np.random.default_rng(0)  # the same answer for the same picture
    picked = rng.integers(len(rays), size=(TRIALS, 3))
    corners = rays[picked]
    solvable = np.abs(np.linalg.det(corners)) > 1e-6
    if not solvable.any():
        return None
    corners, picked = corners[solvable], picked[solvable]
    planes = np.linalg.solve(corners, inverse[picked][..., None])[..., 0]
    planes = planes[_is_road(planes)]
    if not len(planes):
        return None
    votes = (np.abs(planes @ rays.T / inverse - 1) < AGREES).sum(axis=1)
    return np.asarray(planes[votes.argmax()])


def _is_road(planes: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether planes (N, 3) lie below the camera, about level."""
    right, down, ahead = planes.T
    limit = STEEPEST * down
    return np.asarray((down > 0) & (np.abs(right) < limit) & (np.abs(ahead) < limit))


def _agrees(
    rays: NDArray[np.float64], inverse: NDArray[np.float64], plane: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Whether points lie on a plane."""
    return np.asarray(np.abs(rays @ plane / inverse - 1) < AGREES)


@lru_cache(maxsize=4)
def _rays(lens: CameraModel) -> tuple[NDArray[np.float64], tuple[NDArray, NDArray]]:
    """Return (N, 3) rays, 1 along the optical axis, and the rows and columns they belong to."""
    rows, columns = _sampled(lens.image_size)
    rays = lens.rays(np.stack((columns, rows), axis=1))
    ahead = rays[:, 2] > 0  # and no NaN
    return rays[ahead] / rays[ahead, 2:], (rows[ahead], columns[ahead])


def _sampled(size: Size) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return rows and columns of pixels, evenly over the lower part of a picture."""
    height, width = size
    top = int(LOWER * height)
    step = max(1, math.isqrt((height - top) * width // POINTS))
    rows, columns = np.mgrid[top + step // 2 : height : step, step // 2 : width : step]
    return rows.ravel(), columns.ravel()
