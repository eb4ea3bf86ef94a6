"""Scalabel's ``poly2d``: straight and cubic Bezier pieces, in the old and the new form."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

STEP_PX: Final = 2.0


class PolygonError(ValueError):
    """A ``poly2d`` that cannot be read."""


def flatten(poly2d: Any, notes: list[str]) -> list[NDArray[np.float64]]:
    """Turn a ``poly2d`` into polylines (N, 2) pixels.

    Args:
        poly2d: Old form: a list of ``[x, y, "L" or "C"]``. New form: a list of
            ``{"vertices": [[x, y], …], "types": "LCCC", "closed": bool}``.
        notes: Gets a note for a string of types that makes no sense; its vertices are then joined
            by straight lines.

    Raises:
        PolygonError: Neither form, or coordinates that are not numbers.
    """
    if isinstance(poly2d, list) and poly2d and isinstance(poly2d[0], Mapping):
        return [
            _flatten(
                part.get("vertices"), part.get("types", ""), bool(part.get("closed", False)), notes
            )
            for part in poly2d
        ]
    try:
        vertices = [(vertex[0], vertex[1]) for vertex in poly2d]
        types = "".join(str(vertex[2]) for vertex in poly2d)
    except (TypeError, IndexError):
        raise PolygonError("poly2d is neither [[x, y, type], …] nor [{vertices, types}]") from None
    return [_flatten(vertices, types, False, notes)]


def _flatten(vertices: Any, types: str, closed: bool, notes: list[str]) -> NDArray[np.float64]:
    """Flatten one polygon.

    The first vertex starts it whatever its letter; then an L takes one vertex and a C takes three
    (two controls and an end), whatever the letters of the other two.
    """
    try:
        points = np.array(vertices, np.float64)
    except (TypeError, ValueError):
        points = np.zeros(0)
    if points.ndim != 2 or points.shape[1] != 2 or not np.isfinite(points).all():
        raise PolygonError("the vertices of a poly2d are not [[x, y], …]")
    pieces, at = [points[:1]], 1
    letters = types or "L" * len(points)
    if len(letters) != len(points) or set(letters) - {"L", "C"}:
        notes.append("poly2d: types do not fit the vertices, taken as straight")
        letters = "L" * len(points)
    while at < len(points):
        if letters[at] == "L":
            pieces.append(points[at : at + 1])
            at += 1
        elif at + 2 < len(points):
            pieces.append(_cubic(points[at - 1 : at + 3]))
            at += 3
        else:
            notes.append("poly2d: curve without its end, taken as straight")
            pieces.append(points[at:])
            break
    if closed:
        pieces.append(points[:1])
    return np.concatenate(pieces)


def _cubic(controls: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sample a cubic Bezier curve of (4, 2) controls, without its first point."""
    # Nowhere is a cubic faster than three times its longest leg.
    speed = 3 * np.hypot(*np.diff(controls, axis=0).T).max()
    t = np.linspace(0, 1, max(int(np.ceil(speed / STEP_PX)), 2) + 1)[1:, None]
    weights = ((1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t**2 * (1 - t), t**3)
    return np.sum([w * c for w, c in zip(weights, controls, strict=True)], axis=0)
