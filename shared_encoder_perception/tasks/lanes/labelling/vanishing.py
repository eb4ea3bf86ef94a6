"""Where lines that are parallel on a flat road meet: the row of the horizon."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from statistics import median
from typing import Final

import numpy as np
from numpy.typing import NDArray

NEAR_SHARE: Final = 0.6
"""Lower part of a line that is taken for straight: where a road bends, it does so ahead."""
LEAST_ANGLE: Final = 0.25
"""Difference in columns per row below which two lines meet anywhere."""


def vanishing_row(lines: Sequence[NDArray]) -> float | None:
    """Return the median row in which two of the lines meet, continued straight.

    Args:
        lines: (N, 2) ``(x, y)`` pixels near to far each.

    Returns:
        ``None`` where no two lines differ enough in direction.
    """
    straight = [line for points in lines if (line := _near_part(points)) is not None]
    rows = [
        (one[1] - other[1]) / (other[0] - one[0])
        for one, other in combinations(straight, 2)
        if abs(one[0] - other[0]) > LEAST_ANGLE
    ]
    return float(median(rows)) if rows else None


def _near_part(points: NDArray) -> tuple[float, float] | None:
    """Return slope and offset of ``x = slope * y + offset`` of a line's near part."""
    near = np.asarray(points, np.float64)[: max(round(len(points) * NEAR_SHARE), 2)]
    if len(near) < 2 or np.ptp(near[:, 1]) < 1.0:
        return None
    slope, offset = np.polyfit(near[:, 1], near[:, 0], 1)
    return float(slope), float(offset)
