# SPDX-License-Identifier: Apache-2.0
"""Where a lens puts what a pinhole would see, by OpenCV's formulas and coefficients.

OpenCV's own ``projectPoints`` computes derivatives by every parameter with it, whoever asks: three
times the time of all else that painting a cloud takes.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

COEFFICIENTS: Final = 14
"""k1 k2 p1 p2 k3, k4 k5 k6, s1 s2 s3 s4, and the angles of a tilted sensor."""


Array = NDArray[np.float64]


def distort(x: Array, y: Array, coefficients: Array) -> tuple[Array, Array]:
    """Bend ``x / z`` and ``y / z`` of rays in the camera's frame by OpenCV's polynomial model.

    Args:
        x: (N,) of the rays.
        y: The same.
        coefficients: Up to ``COEFFICIENTS`` in OpenCV's order; those that lack are 0.
    """
    k1, k2, p1, p2, k3, k4, k5, k6, s1, s2, s3, s4, tau_x, tau_y = np.pad(
        coefficients, (0, COEFFICIENTS - len(coefficients))
    ).tolist()
    square = x * x + y * y
    factor = k3 * square
    factor += k2
    factor *= square
    factor += k1
    factor *= square
    factor += 1
    if k4 or k5 or k6:
        factor /= ((k6 * square + k5) * square + k4) * square + 1
    # 2 p1 x y + p2 (r^2 + 2 x^2) = x * 2 (p1 y + p2 x) + p2 r^2, and likewise for y.
    if p1 or p2:
        factor += 2 * p1 * y + 2 * p2 * x
    bent_x, bent_y = x * factor, y * factor
    if p1 or p2:
        bent_x += p2 * square
        bent_y += p1 * square
    if s1 or s2 or s3 or s4:
        bent_x += (s1 + s2 * square) * square
        bent_y += (s3 + s4 * square) * square
    return _tilted(bent_x, bent_y, tau_x, tau_y) if tau_x or tau_y else (bent_x, bent_y)


def distort_fisheye(x: Array, y: Array, coefficients: Array) -> tuple[Array, Array]:
    """Bend the same by the equidistant model, whose four coefficients are of the angle."""
    k1, k2, k3, k4 = coefficients.tolist()
    radius = np.sqrt(x * x + y * y)
    angle = np.arctan(radius)
    square = angle * angle
    bent = angle * ((((k4 * square + k3) * square + k2) * square + k1) * square + 1)
    scale = np.divide(bent, radius, out=np.ones_like(radius), where=radius > 0)
    return x * scale, y * scale


def _tilted(x: Array, y: Array, tau_x: float, tau_y: float) -> tuple[Array, Array]:
    """Move points to a sensor that is turned about x, then y, by radians (Scheimpflug)."""
    cos_x, sin_x, cos_y, sin_y = np.cos(tau_x), np.sin(tau_x), np.cos(tau_y), np.sin(tau_y)
    about_x = np.array([[1, 0, 0], [0, cos_x, sin_x], [0, -sin_x, cos_x]])
    about_y = np.array([[cos_y, 0, -sin_y], [0, 1, 0], [sin_y, 0, cos_y]])
    turn = about_y @ about_x
    onto = np.array([[turn[2, 2], 0, -turn[0, 2]], [0, turn[2, 2], -turn[1, 2]], [0, 0, 1]])
    seen = onto @ turn @ np.stack((x, y, np.ones(len(x))))
    return seen[0] / seen[2], seen[1] / seen[2]
