# SPDX-License-Identifier: Apache-2.0
"""Which part of a line is left after it was cut by the border of the picture."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

SAME_ROW_PX: Final = 0.01
"""Points nearer than this in rows are one point, whatever float32 makes of them in the source
image."""


def longest_run(inside: NDArray[np.bool_]) -> slice:
    """Return the longest run of true values of (N,); the first of equals, empty without any."""
    if inside.all():
        return slice(0, len(inside))
    edges = np.flatnonzero(np.diff(np.concatenate(([False], inside, [False]))))
    if not len(edges):
        return slice(0, 0)
    begins, ends = edges[::2], edges[1::2]
    longest = int(np.argmax(ends - begins))
    return slice(int(begins[longest]), int(ends[longest]))


def reach_border(
    points: NDArray[np.float64], kept: slice, low: NDArray[np.float64], high: NDArray[np.float64]
) -> slice:
    """Let the part of a line that is kept end exactly where the line crosses the border.

    Args:
        points: (N, 2) ``(x, y)``; the first ones outside, on either side of ``kept``, are moved to
            the crossing, unless what lies inside ends there already.
        kept: What lies inside.
        low: ``(x, y)``, left and upper border of the picture.
        high: Right and lower border.

    Returns:
        What is kept now.
    """
    if kept.stop <= kept.start:
        return kept
    first, stop = kept.start, kept.stop
    if first > 0:
        points[first - 1] = _crossing(points[first], points[first - 1], low, high)
        first -= _apart(points[first - 1], points[first])
    if stop < len(points):
        points[stop] = _crossing(points[stop - 1], points[stop], low, high)
        stop += _apart(points[stop - 1], points[stop])
    return slice(first, stop)


def _apart(near: NDArray[np.float64], far: NDArray[np.float64]) -> bool:
    return bool(near[1] - far[1] > SAME_ROW_PX)


def _crossing(
    inside: NDArray[np.float64],
    outside: NDArray[np.float64],
    low: NDArray[np.float64],
    high: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return where the way from one point to another one leaves the picture."""
    way = outside - inside
    bound = np.where(way > 0, high, low)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(way != 0, (bound - inside) / way, np.inf)
    return np.clip(inside + way * min(max(float(share.min()), 0.0), 1.0), low, high)
