# SPDX-License-Identifier: Apache-2.0
"""Pixels -> polygons along their edges -> the same pixels.

Polygons are in the tools' coordinates: continuous, (0, 0) is the corner of the first pixel, whose
centre is (0.5, 0.5). A pixel is inside where its centre is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.structures import Size

APART_PX: Final = 0.015
"""How far corners of polygons keep from the centres of pixels: more than tools that write two
decimals move them."""


class Piece(NamedTuple):
    """Pixels that hang together by their edges.

    Attributes:
        corner: ``(x, y)`` of the first column and row of ``mask`` in the picture.
        mask: (h, w) bool, no larger than the piece.
        outline: (N, 2) float64 corners of the polygon; ``None`` for a piece with a hole.
    """

    corner: tuple[int, int]
    mask: NDArray[np.bool_]
    outline: NDArray[np.float64] | None


def pieces_of(mask: NDArray[np.bool_]) -> Iterator[Piece]:
    """Take (H, W) apart; what only touches at corners does not hang together."""
    count, labels, boxes, _ = cv2.connectedComponentsWithStats(
        mask.astype(np.uint8), connectivity=4, ltype=cv2.CV_32S
    )
    for number in range(1, count):
        x, y, width, height, _ = (int(value) for value in boxes[number])
        piece = labels[y : y + height, x : x + width] == number
        rings = rings_of(piece)
        outline = None if len(rings) > 1 else simplified(rings[0]) + np.array((x, y))
        yield Piece((x, y), piece, outline)


def rings_of(mask: NDArray[np.bool_]) -> list[NDArray[np.float64]]:
    """Return the closed outlines (N, 2) of pixels (H, W), the corners along their edges.

    Each corner ends one upright and one level edge. Sorted along its row, corners are joined in
    twos to level edges; sorted along its column, to upright ones.
    """
    wide = np.pad(mask, 1).astype(np.int8)
    nw, ne, sw, se = wide[:-1, :-1], wide[:-1, 1:], wide[1:, :-1], wide[1:, 1:]
    odd = (nw + ne + sw + se) % 2 == 1
    saddle = (nw == se) & (ne == sw) & (nw != ne)
    y, x = np.nonzero(odd | saddle)
    twice = saddle[y, x]
    turn = np.concatenate((np.zeros(len(y), int), np.ones(int(twice.sum()), int)))
    y, x = np.concatenate((y, y[twice])), np.concatenate((x, x[twice]))
    # Where two pixels touch at a corner, the first of the two corners there ends the edge from the
    # left; whether it also ends the one from above depends on which pixels those are.
    other = np.where(saddle[y, x] & (ne[y, x] == 1), 1 - turn, turn)
    level, upright = _partners((turn, x, y)), _partners((other, y, x))
    rings, seen = [], np.zeros(len(y), bool)
    steps_level, steps_upright = level.tolist(), upright.tolist()
    for start in np.lexsort((turn, x, y)).tolist():
        if seen[start]:
            continue
        ring, at = [], start
        while True:
            ring.append(at)
            at = steps_level[at]
            ring.append(at)
            at = steps_upright[at]
            if at == start:
                break
        seen[ring] = True
        rings.append(np.stack((x[ring], y[ring]), axis=1).astype(np.float64))
    return rings


def _partners(keys: tuple[NDArray, ...]) -> NDArray[np.int64]:
    """Join corners in twos, sorted by keys, the last one first."""
    order = np.lexsort(keys)
    partner = np.empty(len(order), np.int64)
    partner[order[0::2]], partner[order[1::2]] = order[1::2], order[0::2]
    return partner


def simplified(ring: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a polygon of far fewer corners that holds the same pixels as an outer outline.

    Between the centres of each two pixels that the outline parts there is a gate. A polygon that
    goes through all gates in their order has the same pixels inside; the shortest one is a string
    that is pulled tight, and follows a straight border in a few straight pieces (the funnel
    algorithm of Lee and Preparata, 1984).

    Args:
        ring: (N, 2) corners along the edges, the pixels to the right, as ``rings_of`` gives it.
    """
    middles, inward = _edges(ring)
    reach = inward * (1 - 2 * APART_PX)
    first = (float(middles[0, 0]), float(middles[0, 1]))
    ends = zip((middles + reach).tolist(), (middles - reach).tolist(), strict=True)
    gates = [*(((a[0], a[1]), (b[0], b[1])) for a, b in ends), (first, first)][1:]
    corners, at = [first], 0
    while at < len(gates):
        corner, at = _next_corner(gates, at, corners[-1])
        corners.append(corner)
    return np.array(corners[:-1])


Point = tuple[float, float]


def _next_corner(gates: Sequence[tuple[Point, Point]], at: int, here: Point) -> tuple[Point, int]:
    """Return the next corner of a tight string behind ``here``, and the gate behind that corner.

    Args:
        gates: The ends of each, that to the right of the way first; both ends of the last one are
            where the string ends.
        at: The first gate behind ``here``.
        here: A corner of the string.
    """
    (right, left), right_at, left_at = gates[at], at, at
    for number in range(at + 1, len(gates)):
        a, b = gates[number]
        if _turn(here, right, a) <= 0:
            if _turn(here, left, a) < 0:
                return left, left_at + 1
            right, right_at = a, number
        if _turn(here, left, b) >= 0:
            if _turn(here, right, b) > 0:
                return right, right_at + 1
            left, left_at = b, number
    return gates[-1][0], len(gates)


def _turn(here: Point, first: Point, second: Point) -> float:
    """Return how far the way to ``second`` lies to the right of that to ``first``, by sign."""
    return (first[0] - here[0]) * (second[1] - here[1]) - (first[1] - here[1]) * (
        second[0] - here[0]
    )


def _edges(ring: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the middles of the pixels' edges along an outline, and the way in: half a pixel."""
    legs = np.roll(ring, -1, axis=0) - ring
    lengths = np.abs(legs).sum(axis=1).astype(int)
    steps = np.repeat(legs / lengths[:, None], lengths, axis=0)
    along = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths) + 0.5
    middles = np.repeat(ring, lengths, axis=0) + steps * along[:, None]
    return middles, np.stack((-steps[:, 1], steps[:, 0]), axis=1) / 2


def filled(polygons: Sequence[NDArray[np.float64]], size: Size) -> NDArray[np.bool_]:
    """Return (H, W): pixels whose centres are inside of polygons, each (N, 2).

    Where a polygon crosses itself, or one lies in another, what is inside twice is outside.
    """
    height, width = size
    turns = np.zeros((height, width + 1), np.int32)
    for polygon in polygons:
        ends = np.roll(polygon, -1, axis=0)
        upper = np.where((polygon[:, 1] <= ends[:, 1])[:, None], polygon, ends)
        lower = np.where((polygon[:, 1] <= ends[:, 1])[:, None], ends, polygon)
        first = np.clip(np.ceil(upper[:, 1] - 0.5), 0, height).astype(int)
        last = np.clip(np.ceil(lower[:, 1] - 0.5), 0, height).astype(int)
        counts = last - first
        edge = np.repeat(np.arange(len(polygon)), counts)
        row = np.arange(len(edge)) - np.repeat(np.cumsum(counts) - counts, counts) + first[edge]
        slope = (lower - upper)[edge]
        x = upper[edge, 0] + slope[:, 0] * (row + 0.5 - upper[edge, 1]) / slope[:, 1]
        column = np.clip(np.ceil(x - 0.5), 0, width).astype(int)
        np.add.at(turns, (row, column), 1)
    return np.cumsum(turns, axis=1)[:, :width] % 2 == 1
