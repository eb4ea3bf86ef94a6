# SPDX-License-Identifier: Apache-2.0
"""Where each pixel of any camera looks, and where its picture shows flat polygons."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.ground.view import CameraView

NEAREST_M: Final = 0.05
"""Polygons are cut off nearer than this in front of the camera."""
WIDEST: Final = 12.0
"""Slope from the optical axis, in either direction, beyond which nothing is painted: 85 degrees."""
MARGIN: Final = 0.01
"""Of the field of view, by which polygons reach beyond the picture; ``CameraModel`` sees 0.02."""
COARSE_PX: Final = 4
"""Rays of a bent lens are computed at every so many pixels, and interpolated."""
ARC_RAD: Final = 0.07
"""Longest piece of an edge that a bent lens shows as straight."""


@dataclass(frozen=True, eq=False)
class Outlines:
    """Polygons in a picture.

    Attributes:
        face: (P,) of which face each is.
        points: (P,) of (N, 2) float64 pixels, maybe outside of the picture.
    """

    face: NDArray[np.intp]
    points: list[NDArray[np.float64]]


class Lens:
    """A camera's view, with the rays of all its pixels.

    Attributes:
        model: How it sees.
        size: ``(height, width)`` of its pictures.
        position: (3,) in the vehicle's frame.
        height_m: Above the ground.
        turn: (3, 3) whose columns are right, down and ahead of the camera, in that frame.
        focal_px: Of the middle of its picture.
        slopes: (H, W, 2) float32, how far right and down of the axis each pixel looks, for 1 along
            it; NaN where it looks nowhere.
    """

    def __init__(self, view: CameraView) -> None:
        """Compute the rays, of which every frame makes use."""
        self.model = model = view.camera
        self.size = view.image_size
        self.position = view.position
        self.height_m = float(view.position[2])
        self.turn = view.extrinsics.rotation
        self.focal_px = float(model.matrix[0, 0] / model.binning[0])
        self.slopes = self._slopes()

    @cached_property
    def seen(self) -> NDArray[np.bool_]:
        """(H, W) whether a pixel looks anywhere: a fisheye's corners may not."""
        return np.asarray((np.abs(self.slopes) < WIDEST).all(axis=-1))

    @cached_property
    def directions(self) -> NDArray[np.float32]:
        """(H, W, 3) of each pixel in the vehicle's frame, 1 along the optical axis."""
        turn = self.turn.astype(np.float32)
        return np.asarray(self.slopes @ turn[:, :2].T + turn[:, 2])

    def _slopes(self) -> NDArray[np.float32]:
        """(H, W, 2) right and down of each pixel's ray, for 1 along the axis; NaN for none."""
        height, width = self.size
        columns, rows = np.arange(width), np.arange(height)
        if len(self.model.distortion):
            around = [np.arange(-COARSE_PX, side + 2 * COARSE_PX, COARSE_PX) for side in self.size]
            coarse = self._units(around[1], around[0])
            if np.isfinite(coarse).all():
                down, across = (
                    _between(side, len(at)) for side, at in zip(self.size, around, strict=True)
                )
                unit = np.einsum("ik,klc,jl->ijc", down, coarse, across, optimize=True)
                return _slopes_of(unit)
        return _slopes_of(self._units(columns, rows))

    def _units(self, columns: NDArray, rows: NDArray) -> NDArray[np.float64]:
        """(R, C, 3) rays of length 1 of pixels in a grid."""
        pixels = np.stack(np.meshgrid(columns, rows), axis=-1).reshape(-1, 2)
        rays = self.model.rays(pixels)
        rays /= np.linalg.norm(rays, axis=1, keepdims=True)
        return rays.reshape(len(rows), len(columns), 3)

    @cached_property
    def _straight(self) -> bool:
        """Whether the rectified frame is the camera's own."""
        return np.array_equal(self.model.rectification, np.eye(3))

    @cached_property
    def _field(self) -> tuple[float, float, float, float]:
        """Least and greatest slopes before rectification up to which polygons are kept."""
        if not self.seen.all():
            return -WIDEST, -WIDEST, WIDEST, WIDEST
        flat = self.slopes.reshape(-1, 2)
        if not self._straight:
            rays = np.c_[flat, np.ones(len(flat))] @ self.model.rectification
            flat = rays[:, :2] / rays[:, 2:]
        low, high = (bound(flat, axis=0).astype(float) for bound in (np.min, np.max))
        margin = MARGIN * (high - low)
        low, high = np.maximum(low - margin, -WIDEST), np.minimum(high + margin, WIDEST)
        return float(low[0]), float(low[1]), float(high[0]), float(high[1])

    def placed(self, points: NDArray) -> NDArray[np.float64]:
        """Turn (N, 3) of the vehicle's frame into right, down and ahead of the camera."""
        return np.asarray((points - self.position) @ self.turn)

    def outlines(self, placed: NDArray[np.float64], starts: NDArray[np.intp]) -> Outlines:
        """Project polygons, cut off at the rim of the field of view.

        Args:
            placed: (N, 3) of all polygons' corners, in the camera's frame.
            starts: (F,) index of the first corner of each.
        """
        if not len(starts):
            return Outlines(np.zeros(0, np.intp), [])
        if not self._straight:
            placed = placed @ self.model.rectification
        counts = np.diff(np.r_[starts, len(placed)])
        left, top, right, bottom = self._field
        planes = ((0, 0, 1), (1, 0, -left), (-1, 0, right), (0, 1, -top), (0, -1, bottom))
        walls = np.array(planes, np.float64)
        beyond = np.array([NEAREST_M, 0, 0, 0, 0])
        inside = walls @ placed.T >= beyond[:, None]
        some = np.logical_or.reduceat(inside, starts, axis=1).all(axis=0)
        whole = np.logical_and.reduceat(inside.all(axis=0), starts)
        kept = np.flatnonzero(some & whole)
        corners = [placed[np.repeat(whole & some, counts)]]
        sizes = counts[kept].tolist()
        faces = kept.tolist()
        for face in np.flatnonzero(some & ~whole):
            polygon = placed[starts[face] : starts[face] + counts[face]]
            for wall, at in zip(walls, beyond, strict=True):
                polygon = _cut(polygon, wall, at)
                if len(polygon) < 3:
                    break
            else:
                corners.append(polygon)
                sizes.append(len(polygon))
                faces.append(int(face))
        flat = np.concatenate(corners)
        length = np.array(sizes, np.intp)
        if len(self.model.distortion):
            flat, length = _finer(flat, length)
        return self._projected(flat, length, np.array(faces, np.intp))

    def _projected(
        self, flat: NDArray[np.float64], length: NDArray[np.intp], faces: NDArray[np.intp]
    ) -> Outlines:
        """Project corners, before rectification; without the few that the lens cannot see."""
        rays = flat if self._straight else flat @ self.model.rectification.T
        pixels = self.model.see(rays)
        polygons = np.split(pixels, np.cumsum(length)[:-1]) if len(length) else []
        lost = np.isnan(pixels[:, 0])
        if lost.any():
            polygons = [polygon[~np.isnan(polygon[:, 0])] for polygon in polygons]
            enough = np.array([len(polygon) > 2 for polygon in polygons], bool)
            faces = faces[enough]
            polygons = [polygon for polygon in polygons if len(polygon) > 2]
        return Outlines(faces, polygons)


def _slopes_of(rays: NDArray[np.float64]) -> NDArray[np.float32]:
    """(..., 2) right and down of rays, for 1 along the axis; NaN for those that go back."""
    with np.errstate(divide="ignore", invalid="ignore"):
        slopes = np.where(rays[..., 2:] > 0, rays[..., :2] / rays[..., 2:], np.nan)
    return slopes.astype(np.float32)


def _between(side: int, coarse: int) -> NDArray[np.float64]:
    """(side, coarse) weights by which values at every ``COARSE_PX`` become those of each pixel.

    Cubic, by Lagrange; the first of the coarse values is one step before the first pixel.
    """
    at = np.arange(side) / COARSE_PX + 1
    first = np.floor(at).astype(np.intp).clip(1, coarse - 3)
    t = at - first
    weights = np.zeros((side, coarse))
    terms = (
        -t * (t - 1) * (t - 2) / 6,
        (t + 1) * (t - 1) * (t - 2) / 2,
        -(t + 1) * t * (t - 2) / 2,
        (t + 1) * t * (t - 1) / 6,
    )
    for step, term in enumerate(terms):
        weights[np.arange(side), first - 1 + step] = term
    return weights


def _cut(polygon: NDArray[np.float64], wall: NDArray[np.float64], at: float) -> NDArray[np.float64]:
    """Keep what lies on one side of a plane (Sutherland and Hodgman)."""
    over = polygon @ wall - at
    if (over >= 0).all():
        return polygon
    after = np.roll(polygon, -1, axis=0)
    over_after = np.roll(over, -1)
    kept = []
    for point, following, here, there in zip(polygon, after, over, over_after, strict=True):
        if here >= 0:
            kept.append(point)
        if (here >= 0) != (there >= 0):
            kept.append(point + (following - point) * (here / (here - there)))
    return np.array(kept).reshape(-1, 3)


def _finer(
    corners: NDArray[np.float64], length: NDArray[np.intp]
) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Divide edges so that each piece spans a small angle only, whatever the lens does to it."""
    first = np.cumsum(length) - length
    after = np.arange(1, len(corners) + 1)
    after[first + length - 1] = first
    unit = corners / np.linalg.norm(corners, axis=1, keepdims=True)
    step = unit[after] - unit
    pieces = np.ceil(np.linalg.norm(step, axis=1) / ARC_RAD).clip(1).astype(np.intp)
    begin = np.cumsum(pieces) - pieces
    share = (np.arange(pieces.sum()) - np.repeat(begin, pieces)) / np.repeat(pieces, pieces)
    finer = np.repeat(unit, pieces, axis=0) + share[:, None] * np.repeat(step, pieces, axis=0)
    return finer, np.add.reduceat(pieces, first)


@lru_cache(maxsize=32)
def lens_of(view: CameraView) -> Lens:
    """Return the lens of a view; who asks again for the same object gets the same."""
    return Lens(view)
