# SPDX-License-Identifier: Apache-2.0
"""What the lane data sets have in common: boundaries as polylines in the image."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.structures import Size

REFERENCE_HEIGHT: Final = 720.0
"""Rows of the pictures for which lengths in this file are given; they scale with the picture."""
ROW_STEP: Final = 10.0
NEAR_END: Final = 120.0
"""Rows at the near end that decide its direction."""
BOTTOM_FROM: Final = 0.83
"""Share of the height from which on a line counts as reaching the lower border."""
SIDE_MARGIN: Final = 45.0
SIDE_ROWS: Final = 25.0
MIN_ROWS: Final = 4
"""A line that crosses fewer of the common rows is dropped."""


@dataclass(frozen=True, eq=False)
class Boundary:
    """One lane boundary.

    Attributes:
        points: (N, 2) float64, ``(x, y)`` pixels, ``y`` strictly decreasing (near to far). ``x``
            may lie outside the picture.
        is_edge: Whether the road ends here: nobody may drive beyond.
    """

    points: NDArray[np.float64]
    is_edge: bool = False

    @classmethod
    def from_points(cls, points: NDArray, is_edge: bool = False) -> Boundary | None:
        """Sort points by row, one for each; ``None`` for less than two."""
        points = np.asarray(points, np.float64).reshape(-1, 2)
        points = points[np.argsort(-points[:, 1], kind="stable")]
        points = points[np.diff(points[:, 1], prepend=np.inf) < 0]
        return cls(points, is_edge) if len(points) >= 2 else None


@dataclass(frozen=True, eq=False)
class Line:
    """A boundary sampled at common rows, with what its near end tells.

    Attributes:
        x: (R,) columns at ``row_grid``; NaN where the line is not visible.
        near, far: First and last index of ``row_grid`` at which it is visible, near >= far: rows
            grow towards the vehicle.
        slope: Columns per row at the near end.
        x_bottom: Where it would meet the lower border.
        floating: Whether it begins ahead of the vehicle, neither at the lower nor at a side border.
        is_edge: As ``Boundary.is_edge``.
    """

    x: NDArray[np.float64]
    near: int
    far: int
    slope: float
    x_bottom: float
    floating: bool
    is_edge: bool

    def extended(self, rows: NDArray[np.float64], most: float) -> NDArray[np.float64]:
        """Columns at all rows, continued straight below the near end by up to ``most`` rows."""
        beyond = rows - rows[self.near]
        straight = self.x[self.near] + self.slope * beyond
        return np.where((beyond > 0) & (beyond <= most), straight, self.x)


def row_grid(size: Size) -> NDArray[np.float64]:
    """Rows at which lines are compared, far to near."""
    return np.arange(0.0, size[0], ROW_STEP * size[0] / REFERENCE_HEIGHT)


def sample_lines(boundaries: Iterable[Boundary], size: Size) -> list[Line]:
    """Sample boundaries at the common rows; those with too few points are dropped."""
    return list(_sample(boundaries, row_grid(size), size))


def _sample(
    boundaries: Iterable[Boundary], rows: NDArray[np.float64], size: Size
) -> Iterator[Line]:
    """See ``sample_lines``."""
    height, width = size
    unit = height / REFERENCE_HEIGHT
    for boundary in boundaries:
        points = boundary.points[::-1]  # np.interp wants rising rows
        x = np.interp(rows, points[:, 1], points[:, 0], left=np.nan, right=np.nan)
        visible = np.flatnonzero(np.isfinite(x))
        if len(visible) < MIN_ROWS:
            continue
        sampled = np.stack((x, rows), axis=1)[visible]
        close = sampled[sampled[:, 1] >= points[-1, 1] - NEAR_END * unit]
        close = close if len(close) >= MIN_ROWS else sampled[-MIN_ROWS:]
        slope, offset = np.polyfit(close[:, 1], close[:, 0], 1)
        x_near, y_near = points[-1]
        ahead = x_near + slope * SIDE_ROWS * unit
        margin = SIDE_MARGIN * unit
        at_side = not margin < x_near < width - margin or not 0 <= ahead < width
        yield Line(
            x,
            int(visible[-1]),
            int(visible[0]),
            float(slope),
            float(offset + slope * (height - 1)),
            bool(y_near < BOTTOM_FROM * height and not at_side),
            boundary.is_edge,
        )


def boundaries_inside(boundaries: Iterable[Boundary], size: Size) -> tuple[NDArray, ...]:
    """Return the visible part of each boundary (N >= 2, 2) float32, as a set of labels keeps it."""
    corner = (size[1] - 1, size[0] - 1)
    cut = (
        b.points[((b.points >= 0) & (b.points <= corner)).all(axis=1)].astype(np.float32)
        for b in boundaries
    )
    return tuple(points for points in cut if len(points) >= 2)
