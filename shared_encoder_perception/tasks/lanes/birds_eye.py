# SPDX-License-Identifier: Apache-2.0
"""Draw the lanes on the road as seen from above, with how uncertain they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.drawing.shapes import dashes
from shared_encoder_perception.drawing.text import FONT, SMALLEST_LETTERS
from shared_encoder_perception.structures import Size
from shared_encoder_perception.tasks.lanes.answer import GroundLine, LaneLine, Lanes, LaneStatus
from shared_encoder_perception.tasks.lanes.draw import LANE_COLOURS

FAR_M: Final = 80.0
"""The picture reaches as far ahead of the vehicle's origin."""
BEHIND_M: Final = 4.0
SIDE_M: Final = 10.0
"""To either side: across it is stretched, so that bends and uncertainty show."""
GRID_AHEAD_M, GRID_ACROSS_M = 20, 5
SIGMAS: Final = 2.0
"""Half width of the band around each line, in standard deviations."""
BAND_OPACITY: Final = 0.45
VEHICLE_M: Final = (4.0, 1.8)
"""Length and width of the drawn vehicle; its rear end is at the origin."""

GROUND: Final = (32, 30, 28)
GRID: Final = (72, 70, 68)
INK: Final = (190, 190, 190)
SUB_PIXEL_BITS: Final = 4
LIMIT_PX: Final = 4000.0
"""Whatever is further outside of the picture is drawn here."""


def from_above(answer: Lanes, size: Size) -> NDArray[np.uint8] | None:
    """Return ``draw_birds_eye``'s picture; ``None`` if no lane has ground geometry."""
    if all(line.ground is None for line in answer):
        return None
    return draw_birds_eye(answer.lines, size)


def draw_birds_eye(lanes: Sequence[LaneLine], size: Size) -> NDArray[np.uint8]:
    """Return a picture of the lanes from above: the vehicle's x axis up, y to the left.

    Each line has a band of ``SIGMAS`` standard deviations to either side; a predicted one is
    dashed. Lanes without ground geometry are left out.

    Args:
        lanes: Lines of one image.
        size: ``(height, width)`` of the picture.

    Returns:
        (height, width, 3) uint8 BGR.
    """
    view = _View(size)
    canvas = np.full((*size, 3), GROUND, np.uint8)
    _draw_grid(canvas, view)
    lines = [(line, finite(line.ground)) for line in lanes if line.ground is not None]
    bands = canvas.copy()
    for line, (points, std) in lines:
        if len(points) > 1:
            edge = np.zeros_like(points)
            edge[:, 1] = SIGMAS * np.nan_to_num(std)
            around = np.concatenate((points - edge, (points + edge)[::-1]))
            colour = LANE_COLOURS[line.lane_id]
            cv2.fillPoly(bands, [view.fixed(around)], colour, cv2.LINE_AA, SUB_PIXEL_BITS)
    canvas = cv2.addWeighted(canvas, 1 - BAND_OPACITY, bands, BAND_OPACITY, 0)
    for line, (points, _) in lines:
        if len(points) > 1:
            _draw_line(canvas, view, line, points)
    _draw_vehicle(canvas, view)
    return canvas


def finite(ground: GroundLine) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the points (N, 3) that lie on the road and the deviations (N,) of their y."""
    known = np.isfinite(ground.points_m).all(axis=1)
    return ground.points_m[known].astype(np.float64), ground.y_std_m[known].astype(np.float64)


@dataclass(frozen=True)
class _View:
    """Metres in the vehicle's frame to pixels of the picture."""

    size: Size

    def pixels(self, points: NDArray) -> NDArray[np.float64]:
        """(N, 2) pixels ``(x, y)`` of points (N, 2 or 3) in metres."""
        height, width = self.size
        ahead, left = points[:, 0], points[:, 1]
        column = (width - 1) * (SIDE_M - left) / (2 * SIDE_M)
        row = (height - 1) * (FAR_M - ahead) / (FAR_M + BEHIND_M)
        return np.clip(np.stack((column, row), axis=-1), -LIMIT_PX, LIMIT_PX)

    def fixed(self, points: NDArray) -> NDArray[np.int32]:
        """The same in OpenCV's fixed point."""
        return np.round(self.pixels(points) * 2**SUB_PIXEL_BITS).astype(np.int32)

    def corner(self, ahead_m: float, left_m: float) -> tuple[int, int]:
        """Whole pixels of one point."""
        column, row = self.pixels(np.array([[ahead_m, left_m]]))[0]
        return round(column), round(row)


def _draw_grid(canvas: NDArray[np.uint8], view: _View) -> None:
    """Draw lines at whole distances, and say which (in place)."""
    for left in range(-int(SIDE_M), int(SIDE_M) + 1, GRID_ACROSS_M):
        cv2.line(canvas, view.corner(-BEHIND_M, left), view.corner(FAR_M, left), GRID, 1)
    for ahead in range(0, int(FAR_M), GRID_AHEAD_M):
        start = view.corner(ahead, SIDE_M)
        cv2.line(canvas, start, view.corner(ahead, -SIDE_M), GRID, 1)
        at = (start[0] + 4, start[1] - 4)
        cv2.putText(canvas, f"{ahead} m", at, FONT, SMALLEST_LETTERS, INK, 1, cv2.LINE_AA)
    height, width = canvas.shape[:2]
    for row, text in ((22, f"{2 * SIDE_M:g} m wide"), (6, f"{SIGMAS:g} sigma")):
        letters = cv2.getTextSize(text, FONT, SMALLEST_LETTERS, 1)[0][0]
        at = (width - letters - 4, height - row)
        cv2.putText(canvas, text, at, FONT, SMALLEST_LETTERS, INK, 1, cv2.LINE_AA)


def _draw_line(
    canvas: NDArray[np.uint8], view: _View, line: LaneLine, points: NDArray[np.float64]
) -> None:
    """Draw a centre line (in place)."""
    pieces: list[NDArray] = [points[:, :2]]
    if line.status is LaneStatus.PREDICTED:
        pieces = dashes(points[:, :2], 3.0)
    fixed = [view.fixed(piece) for piece in pieces]
    colour = LANE_COLOURS[line.lane_id]
    cv2.polylines(canvas, fixed, False, colour, 2, cv2.LINE_AA, SUB_PIXEL_BITS)


def _draw_vehicle(canvas: NDArray[np.uint8], view: _View) -> None:
    """Draw the vehicle at the origin (in place)."""
    length, width = VEHICLE_M
    cv2.rectangle(canvas, view.corner(length, width / 2), view.corner(0, -width / 2), INK, -1)
