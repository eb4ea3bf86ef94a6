# SPDX-License-Identifier: Apache-2.0
"""The horizon that parallel lanes imply.

Seen from height ``h``, a line ``y = a + b x + c x^2`` on the road is
``y / x = a q / h + b + c h / q`` with ``q`` the tangent of the angle below the horizon. Parallel
lanes share ``b`` and, nearly, ``c``. So the difference of two of them is ``(a1 - a2) q / h``:
linear, zero at the horizon, and steeper the wider the lane is, whatever the road's curve.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.tasks.lanes.answer import LaneId

PAIRS: Final = (
    (LaneId.LEFT_EGO, LaneId.EGO, 1),
    (LaneId.EGO, LaneId.RIGHT_EGO, 1),
    (LaneId.LEFT_EGO, LaneId.RIGHT_EGO, 2),
)
"""Left line, right line, lane widths between them. The last is used where ego is missing."""
SAMPLES: Final = 16
INDEPENDENT: Final = 4
"""As many errors of a fitted curve are independent: it has so many terms."""
MIN_SPAN_M, MIN_RATIO = 15.0, 2.5
"""Two lines must be seen side by side over this distance, and that much farther than nearest."""
FAR_M: Final = 200.0
WIDTH_M: Final = (2.0, 6.0)
MAX_CURVATURE: Final = 1.0 / 300.0
"""1/m; in tighter curves parallel lanes differ too much."""
MAX_MISFIT, MAX_BEND = 3.0, 0.02
"""Widths that are not linear: by how many sigmas, and by which part of the width."""
MODEL_STD_RAD: Final = np.radians(0.1)
"""What slopes of the road and widths that change do to the horizon of a perfect image."""
MAX_STD_RAD: Final = np.radians(1.0)
AGREEMENT: Final = 4.0
"""Sigmas by which two pairs of lanes may differ."""


@dataclass(frozen=True)
class Horizon:
    """Where the lanes of one image meet.

    Attributes:
        elevation: Tangent of the angle of the horizon above the horizontal as calibrated.
        std: Its standard deviation.
        width: Lane width divided by the camera's height above the road.
    """

    elevation: float
    std: float
    width: float


@dataclass(frozen=True, eq=False)
class Line:
    """One line in tangents, near to far: (N,) elevation, azimuth and the latter's sigma."""

    elevation: NDArray[np.float64]
    azimuth: NDArray[np.float64]
    std: NDArray[np.float64]


def find_horizon(
    lanes: Sequence[LaneId],
    rays: NDArray[np.float64],
    shift: NDArray[np.float64],
    given: NDArray[np.bool_],
    height_m: float,
) -> Horizon | str:
    """Find the horizon of one image.

    Args:
        lanes: (L) which lines are there.
        rays: (L, N, 3) of their points, in the vehicle's frame as calibrated.
        shift: (L, N, 3) change of the ray by one sigma of its pixel.
        given: (L, N) which points belong to the line.
        height_m: Of the camera above the road, as calibrated.

    Returns:
        The horizon, or why there is none.
    """
    if any(lane.is_split for lane in lanes):
        return "a lane splits"
    lines = {
        lane: _line(rays[row][given[row]], shift[row][given[row]]) for row, lane in enumerate(lanes)
    }
    pairs = [pair for pair in PAIRS if pair[0] in lines and pair[1] in lines]
    if not pairs:
        return "fewer than two lanes side by side"
    found = []
    for left, right, widths in pairs[:2]:
        horizon = _horizon_of(lines[left], lines[right], widths, height_m)
        if isinstance(horizon, str):
            return horizon
        found.append(horizon)
    if len(found) == 2:
        difference = abs(found[0].elevation - found[1].elevation)
        if difference > AGREEMENT * np.hypot(found[0].std, found[1].std):
            return "the lanes do not meet in one point"
    weight = np.array([horizon.std**-2 for horizon in found])
    values = np.array([(horizon.elevation, horizon.width) for horizon in found])
    elevation, width = weight @ values / weight.sum()
    std = float(np.hypot(weight.sum() ** -0.5, MODEL_STD_RAD))
    return Horizon(float(elevation), std, float(width))


def _line(rays: NDArray[np.float64], shift: NDArray[np.float64]) -> Line:
    """Turn the rays of one line into tangents, nearest first."""
    ahead = rays[:, 0] > 0  # false for NaN too
    x, y, z = rays[ahead].T
    azimuth = y / x
    std = np.abs(shift[ahead, 1] - azimuth * shift[ahead, 0]) / x
    order = np.argsort(z / x)
    return Line((z / x)[order], azimuth[order], std[order])


def _horizon_of(left: Line, right: Line, widths: int, height_m: float) -> Horizon | str:
    """Find the horizon of two lines that are ``widths`` lane widths apart."""
    if min(len(left.azimuth), len(right.azimuth)) < 2:
        return "lines of fewer than two points"
    low = max(left.elevation[0], right.elevation[0])
    high = min(left.elevation[-1], right.elevation[-1])
    near, far = (height_m / max(-edge, height_m / FAR_M) for edge in (low, high))
    if far - near < MIN_SPAN_M or far < MIN_RATIO * near:
        return "the lanes are too short"
    elevation = np.linspace(low, high, SAMPLES)
    a, b = (np.interp(elevation, line.elevation, line.azimuth) for line in (left, right))
    std = np.hypot(*(np.interp(elevation, line.elevation, line.std) for line in (left, right)))
    std = np.maximum(std, 1e-9)
    offset, slope, covariance = _straight(elevation, a - b, std)
    width = -slope / widths
    if not WIDTH_M[0] <= width * height_m <= WIDTH_M[1]:
        return f"the lanes are {width * height_m:.1f} m wide"
    horizon = -offset / slope
    below = horizon - elevation
    if below.min() <= 0.0:
        return "the lanes cross"
    bend = a - b - offset - slope * elevation
    if np.sqrt(np.mean((bend / std) ** 2)) > MAX_MISFIT and np.sqrt(
        np.mean(bend**2)
    ) > MAX_BEND * np.mean(a - b):
        return "the lanes are not parallel"
    basis = np.stack((below, np.ones(SAMPLES), 1.0 / below), axis=-1)
    terms = np.linalg.lstsq(basis, (a + b) / 2, rcond=None)[0]
    if abs(2.0 * terms[2] / height_m) > MAX_CURVATURE:
        return "the road bends"
    by_terms = np.array([-1.0, -horizon]) / slope
    deviation = float(np.sqrt(by_terms @ covariance @ by_terms))
    if not deviation <= MAX_STD_RAD:
        return "the lanes are too uncertain"
    return Horizon(float(horizon), deviation, float(width))


def _straight(
    x: NDArray[np.float64], y: NDArray[np.float64], std: NDArray[np.float64]
) -> tuple[float, float, NDArray[np.float64]]:
    """Fit ``y = offset + slope * x``; return both and their covariance, errors as of a curve."""
    basis = np.stack((np.ones_like(x), x), axis=-1) / std[:, None]
    covariance = np.linalg.inv(basis.T @ basis)
    offset, slope = covariance @ basis.T @ (y / std)
    scaled = np.asarray(covariance * (len(x) / INDEPENDENT), np.float64)
    return float(offset), float(slope), scaled
