# SPDX-License-Identifier: Apache-2.0
"""Lines and areas on a picture, sub-pixel exact."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

Colour = tuple[int, int, int]
"""BGR, 0 to 255."""

RIM_COLOUR: Final = (20, 20, 20)
WHITE: Final = (255, 255, 255)
RIM_PX, LINE_PX = 5, 3
"""Widths at ``text.REFERENCE_WIDTH``."""
DASH_PX: Final = 14.0
"""Length of dashes and of the gaps between them, at that width."""
OPACITY: Final = 0.35
SUB_PIXEL_BITS: Final = 4


def draw_line(
    canvas: NDArray[np.uint8],
    points_px: NDArray,
    colour: Colour,
    scale: float = 1.0,
    dashed: bool = False,
) -> None:
    """Draw a line with a dark rim (in place).

    Args:
        canvas: (H, W, 3) uint8 BGR.
        points_px: (N, 2) ``(x, y)`` pixels, N >= 2.
        colour: Of the line.
        scale: As of ``text.scale_of``.
        dashed: Whether it has gaps.
    """
    pieces = dashes(points_px, DASH_PX * scale) if dashed else [points_px]
    points = [_fixed(piece) for piece in pieces]
    for paint, width in ((RIM_COLOUR, RIM_PX), (colour, LINE_PX)):
        thickness = round(width * scale)
        cv2.polylines(canvas, points, False, paint, thickness, cv2.LINE_AA, SUB_PIXEL_BITS)


def outline_line(canvas: NDArray[np.uint8], points_px: NDArray, colour: Colour = WHITE) -> None:
    """Draw a line (N, 2) thinly, to be compared with another one (in place)."""
    points = [_fixed(points_px)]
    cv2.polylines(canvas, points, False, colour, 1, cv2.LINE_AA, SUB_PIXEL_BITS)


def dashes(points: NDArray, length: float) -> list[NDArray]:
    """Cut a line into dashes with gaps of the same length; it begins and ends with a dash.

    Args:
        points: (N, 2), N >= 2.
        length: Of a dash, about: a whole number of them must fit.

    Returns:
        Lines (M, 2), at least one, whose bends are those of ``points``.
    """
    along = np.r_[0.0, np.cumsum(np.hypot(*np.diff(points, axis=0).T))]
    count = 2 * max(round(along[-1] / length / 2), 1) - 1
    ends = np.linspace(0.0, along[-1], count + 1)
    pieces = []
    for start, end in zip(ends[::2], ends[1::2], strict=True):
        inside = along[(along > start) & (along < end)]
        at = np.r_[start, inside, end]
        pieces.append(np.stack([np.interp(at, along, axis) for axis in points.T], axis=-1))
    return pieces


def tint_area(canvas: NDArray[np.uint8], area: NDArray[np.bool_], colour: Colour) -> None:
    """Tint the pixels of an area (H, W) and outline it (in place)."""
    inside = area.astype(np.uint8)
    tint = (*(OPACITY * channel for channel in colour), 0.0)  # OpenCV 4.6 takes four only
    # A tenth of the time that numpy takes.
    cv2.copyTo(cv2.add(cv2.convertScaleAbs(canvas, alpha=1 - OPACITY), tint), inside, canvas)
    outline, _ = cv2.findContours(inside, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    cv2.drawContours(canvas, outline, -1, colour, 1, cv2.LINE_AA)


def outline_area(
    canvas: NDArray[np.uint8], area: NDArray[np.bool_], colour: Colour = WHITE
) -> None:
    """Draw the edges of an area (H, W) thinly, those of its holes too (in place)."""
    edges, _ = cv2.findContours(area.astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
    cv2.drawContours(canvas, edges, -1, colour, 1, cv2.LINE_AA)


def _fixed(points_px: NDArray) -> NDArray[np.int32]:
    """Return points in OpenCV's fixed point."""
    return np.round(points_px * 2**SUB_PIXEL_BITS).astype(np.int32)
