"""Runs of true values: which part of a line is left after it was cut."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


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
