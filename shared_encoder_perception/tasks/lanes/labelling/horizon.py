# SPDX-License-Identifier: Apache-2.0
"""The row of the horizon, as lines that are parallel on the road imply it.

At a row ``y`` two of them are ``slope * (y - horizon)`` pixels apart, whatever the road's curve:
what ``ground.vanishing`` knows of a calibrated camera, for labels of a camera nobody knows.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from statistics import median
from typing import Final

import numpy as np
from numpy.typing import NDArray

LEAST_SLOPE: Final = 0.25
"""Columns per row below which two lines are too near to each other to meet anywhere."""
LEAST_ROWS: Final = 20.0
"""Rows that two lines must share."""
SAMPLES: Final = 16


def horizon_row(lines: Sequence[NDArray]) -> float | None:
    """Return the median of the rows in which each two of the lines are no distance apart.

    Args:
        lines: (N, 2) ``(x, y)`` pixels near to far each.

    Returns:
        ``None`` where no two lines tell.
    """
    rows = [_meeting(one, other) for one, other in combinations(lines, 2)]
    found = [row for row in rows if row is not None]
    return float(median(found)) if found else None


def _meeting(one: NDArray, other: NDArray) -> float | None:
    """Return the row in which two lines meet."""
    near = min(float(line[0, 1]) for line in (one, other))
    far = max(float(line[-1, 1]) for line in (one, other))
    if near - far < LEAST_ROWS:
        return None
    y = np.linspace(far, near, SAMPLES)
    first, second = (np.interp(y, line[::-1, 1], line[::-1, 0]) for line in (one, other))
    slope, offset = np.polyfit(y, first - second, 1)
    return None if abs(slope) < LEAST_SLOPE else float(-offset / slope)
