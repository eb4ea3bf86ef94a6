# SPDX-License-Identifier: Apache-2.0
"""Markings drawn as the two edges of their paint -> one line in their middle.

BDD100K's annotators drew most markings twice, once along each edge, and nothing says which two
lines belong together. Lines of the same kind that run close beside each other are taken for one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.structures import Size
from shared_encoder_perception.tasks.lanes.labelling.boundaries import Boundary

MOST_GAP: Final = 0.12
"""Of a lane's width, about 0.4 m: between the edges of a marking, or the lines of a double one."""
LANE_WIDTH_SLOPE: Final = 2.0
"""Lane width in pixels for each row below the horizon, at 720 rows: a usual car's camera."""
HORIZON: Final = 0.35
"""Row of the horizon as a share of the height; the camera is not known."""
MOST_ANGLE_DEG: Final = 5.0
LEAST_OVERLAP: Final = 0.5
ROW_STEP: Final = 4.0
MOST_LINES: Final = 500


@dataclass(frozen=True, eq=False)
class Marking:
    """One labelled line.

    Attributes:
        points: (N, 2) pixels in any direction.
        kind: Lines of different kinds are never joined.
        is_edge: As ``Boundary.is_edge``.
    """

    points: NDArray[np.float64]
    kind: tuple[str, ...]
    is_edge: bool


def pair_edges(markings: Sequence[Marking], size: Size) -> list[Boundary] | None:
    """Join what belongs together, nearest first; the rest stays as it is.

    ``None`` for more lines than a road has, which would take for ever.
    """
    lines = [
        (boundary, marking.kind)
        for marking in markings
        for piece in split_at_turns(marking.points)
        if (boundary := Boundary.from_points(piece, marking.is_edge)) is not None
    ]
    if len(lines) > MOST_LINES:
        return None
    gaps = []
    for (i, (first, kind)), (j, (second, other)) in combinations(enumerate(lines), 2):
        if kind == other:
            gap = _gap(first, second, size)
            if gap is not None:
                gaps.append((gap, i, j))
    joined: list[Boundary] = []
    used: set[int] = set()
    for _, i, j in sorted(gaps):
        if not {i, j} & used:
            used |= {i, j}
            joined.append(_middle(lines[i][0], lines[j][0]))
    return joined + [line for index, (line, _) in enumerate(lines) if index not in used]


def _common_rows(first: Boundary, second: Boundary) -> NDArray[np.float64]:
    """Rows that both lines cross."""
    near = min(first.points[0, 1], second.points[0, 1])
    far = max(first.points[-1, 1], second.points[-1, 1])
    return np.arange(far, near + 1e-6, ROW_STEP) if near > far else np.zeros(0)


def _columns(line: Boundary, rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Columns of a line at rows inside its range."""
    return np.interp(rows, line.points[::-1, 1], line.points[::-1, 0])


def _gap(first: Boundary, second: Boundary, size: Size) -> float | None:
    """Distance of two lines in lane widths; ``None`` where they do not belong together."""
    rows = _common_rows(first, second)
    shorter = min(np.ptp(first.points[:, 1]), np.ptp(second.points[:, 1]))
    if len(rows) < 2 or np.ptp(rows) < LEAST_OVERLAP * shorter:
        return None
    x, other = _columns(first, rows), _columns(second, rows)
    angles = [np.degrees(np.arctan(np.polyfit(rows, columns, 1)[0])) for columns in (x, other)]
    if abs(angles[0] - angles[1]) > MOST_ANGLE_DEG:
        return None
    width = LANE_WIDTH_SLOPE * np.maximum(rows - HORIZON * size[0], 0.03 * size[0])
    gap = float(np.median(np.abs(x - other) / width))
    return gap if gap < MOST_GAP else None


def _middle(first: Boundary, second: Boundary) -> Boundary:
    """The line in the middle, over the rows of both; beyond those, the longer one shifted."""
    longer, shorter = sorted((first, second), key=lambda line: -np.ptp(line.points[:, 1]))
    rows = longer.points[:, 1]
    inside = (rows <= shorter.points[0, 1]) & (rows >= shorter.points[-1, 1])
    other = _columns(shorter, rows)
    half = (other - longer.points[:, 0]) / 2
    if inside.any():
        half = np.where(inside, half, np.median(half[inside]))
    points = np.stack((longer.points[:, 0] + half, rows), axis=1)
    return Boundary(points, first.is_edge or second.is_edge)


def split_at_turns(points: Sequence[Sequence[float]] | NDArray) -> list[NDArray[np.float64]]:
    """Cut a polyline where it turns between going up and going down the picture."""
    points = np.asarray(points, np.float64)
    steps = np.sign(np.diff(points[:, 1]))
    for index in range(1, len(steps)):  # level pieces go on as before
        if steps[index] == 0:
            steps[index] = steps[index - 1]
    turns = np.flatnonzero(np.diff(steps) != 0) + 1
    starts, ends = [0, *turns], [*turns, len(points) - 1]
    return [points[a : b + 1] for a, b in zip(starts, ends, strict=True)]
