# SPDX-License-Identifier: Apache-2.0
"""Where boxes around the vehicle are seen in a picture."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.labels.rigs.record import BoxPx
from shared_encoder_perception.rig.boxes import Box
from shared_encoder_perception.rig.rig import RigCamera

PARTS: Final = 24
"""Of an edge: where a lens bends it, or a part of it is behind the camera."""
EDGES: Final = (
    *((0, 1), (1, 2), (2, 3), (3, 0)),
    *((4, 5), (5, 6), (6, 7), (7, 4)),
    *((0, 4), (1, 5), (2, 6), (3, 7)),
)
"""Of ``Box.corners``."""


def edge_lines(camera: RigCamera, box: Box) -> Iterator[NDArray[np.float64]]:
    """Yield the parts of a box's edges that a picture can show, (N, 2) pixels each, N >= 2."""
    corners = box.corners()
    share = np.linspace(0.0, 1.0, PARTS)[:, None]
    lines = [(1 - share) * corners[start] + share * corners[end] for start, end in EDGES]
    seen = camera.see(np.concatenate(lines)).reshape(len(EDGES), PARTS, 2)
    for line in seen:
        there = np.isfinite(line[:, 0])
        for piece in np.split(np.arange(PARTS), np.flatnonzero(np.diff(there)) + 1):
            if there[piece[0]] and len(piece) >= 2:
                yield line[piece]


def box_px(camera: RigCamera, box: Box) -> BoxPx | None:
    """Return the smallest rectangle around what a picture can show of a box; ``None`` for nothing.

    Corners and edges count; what hides the box does not.
    """
    lines = list(edge_lines(camera, box))
    if not lines:
        return None
    points = np.concatenate(lines)
    (x0, y0), (x1, y1) = points.min(axis=0).tolist(), points.max(axis=0).tolist()
    return (x0, y0, x1, y1)


def overlap(one: BoxPx, other: BoxPx) -> float:
    """Return intersection by union of two rectangles, 0 to 1."""
    a, b = np.array(one), np.array(other)
    shared = np.maximum(np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]), 0.0).prod()
    areas = (a[2:] - a[:2]).prod() + (b[2:] - b[:2]).prod()
    return float(shared / max(areas - shared, 1e-9))
