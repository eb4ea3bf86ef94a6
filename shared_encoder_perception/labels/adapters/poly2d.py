# SPDX-License-Identifier: Apache-2.0
"""Scalabel's ``poly2d``: straight and cubic Bezier pieces, in the old and the new form."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.labels.label_io import MOST_PX

STEP_PX: Final = 2.0
MOST_STEPS: Final = 4096
"""Of one curve, however far its controls lie outside of the picture."""


class PolygonError(ValueError):
    """A ``poly2d`` that cannot be read."""


def flatten(poly2d: Any, notes: list[str], *, closed: bool = False) -> list[NDArray[np.float64]]:
    """Turn a ``poly2d`` into polylines (N, 2) pixels.

    Args:
        poly2d: Old form: a list of ``[x, y, "L" or "C"]``. New form: a list of
            ``{"vertices": [[x, y], …], "types": "LCCC", "closed": bool}``.
        notes: Gets a note for a string of types that makes no sense; its vertices are then joined
            by straight lines.
        closed: It surrounds an area, whether it says so or not: the old form never does.

    Raises:
        PolygonError: Neither form, or coordinates that are not numbers, or of no picture.
    """
    if isinstance(poly2d, list) and poly2d and isinstance(poly2d[0], Mapping):
        if not all(isinstance(part, Mapping) for part in poly2d):
            raise PolygonError("poly2d is neither [[x, y, type], …] nor [{vertices, types}]")
        return [
            _flatten(
                part.get("vertices"),
                part.get("types") or "",
                closed or bool(part.get("closed", False)),
                notes,
            )
            for part in poly2d
        ]
    try:
        vertices = [(vertex[0], vertex[1]) for vertex in poly2d]
        types = "".join(str(vertex[2]) for vertex in poly2d)
    except (TypeError, IndexError, KeyError):
        raise PolygonError("poly2d is neither [[x, y, type], …] nor [{vertices, types}]") from None
    return [_flatten(vertices, types, closed, notes)]


def _flatten(vertices: Any, types: Any, closed: bool, notes: list[str]) -> NDArray[np.float64]:
    """Flatten one polygon.

    The first vertex starts it whatever its letter; then an L takes one vertex and a C takes three
    (two controls and an end), whatever the letters of the other two. The last curve of a closed
    one may end at the first vertex: ``LLCC``.
    """
    try:
        points = np.array(vertices, np.float64)
    except (TypeError, ValueError, OverflowError):
        points = np.zeros(0)
    if points.ndim != 2 or points.shape[1] != 2 or not len(points):
        raise PolygonError("the vertices of a poly2d are not [[x, y], …]")
    if not (np.abs(points) <= MOST_PX).all():
        raise PolygonError(f"the vertices of a poly2d are not finite, or beyond {MOST_PX:g} pixels")
    pieces, at = [points[:1]], 1
    letters = types or "L" * len(points)
    if not isinstance(letters, str) or len(letters) != len(points) or set(letters) - {"L", "C"}:
        notes.append("poly2d: types do not fit the vertices, taken as straight")
        letters = "L" * len(points)
    path = np.concatenate((points, points[:1])) if closed else points
    while at < len(points):
        if letters[at] == "L":
            pieces.append(points[at : at + 1])
            at += 1
        elif at + 2 < len(path):
            pieces.append(_cubic(path[at - 1 : at + 3]))
            at += 3
        else:
            notes.append("poly2d: curve without its end, taken as straight")
            pieces.append(points[at:])
            break
    if closed and at <= len(points):  # beyond, the last curve has closed it
        pieces.append(points[:1])
    return np.concatenate(pieces)


def _cubic(controls: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sample a cubic Bezier curve of (4, 2) controls, without its first point."""
    # Nowhere is a cubic faster than three times its longest leg.
    speed = 3 * np.hypot(*np.diff(controls, axis=0).T).max()
    t = np.linspace(0, 1, int(np.clip(np.ceil(speed / STEP_PX), 2, MOST_STEPS)) + 1)[1:, None]
    weights = ((1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t**2 * (1 - t), t**3)
    return np.sum([w * c for w, c in zip(weights, controls, strict=True)], axis=0)
