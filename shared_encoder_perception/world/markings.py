# SPDX-License-Identifier: Apache-2.0
"""Paint: lines along the road and its branch, gores, crossings, symbols."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.world.alignment import FAR_M
from shared_encoder_perception.world.atlas import WHITE, Atlas, Polygon, box, ribbon
from shared_encoder_perception.world.pave import AHEAD_M
from shared_encoder_perception.world.road import PAINT_INSIDE_M, Road

NEAREST_M: Final = -4.0
FINE_M: Final = np.arange(NEAREST_M, FAR_M + 4, 1.0)
APART_M: Final = 0.3
"""Gap between road and branch from which on each has an edge line of its own."""
BESIDE: Final = -0.8
"""Gap, in lanes, from which on a branch is a place to go to: dashes instead of the edge line."""
WIDEST_GORE_M: Final = 6.0
"""Beyond it grows grass."""
DOTS_M: Final = 60.0
"""Farther ones are not to be seen."""
DOT_M: Final = 0.12
"""Botts' dots and studs: half their size."""


@dataclass(frozen=True)
class Line:
    """One painted line.

    Attributes:
        offset_m: Of its centre: from the road's reference line, or from the branch's.
        width_m: Of the paint.
        layer: ``WHITE`` or ``YELLOW``.
        opacity: 0 worn off to 1 fresh.
        period_m: Of the dashes; 0 for a solid line.
        dash_m: Painted part of a period.
        dots: Dots in a row instead of each dash.
        branch: Whether it follows the branch.
    """

    offset_m: float
    width_m: float
    layer: int
    opacity: float
    period_m: float = 0.0
    dash_m: float = 0.0
    dots: int = 0
    branch: bool = False


@dataclass(frozen=True)
class Gore:
    """Paint where a branch leaves: the line to cross, and the hatching behind it.

    Attributes:
        period_m: Of the short dashes between lane and branch; 0 for none.
        width_m: Of the paint.
        hatch_m: Distance of bars in the gore; 0 for none.
        opacity: As of lines.
        bar_m: Width of a bar.
        chevrons: Whether bars meet in the middle and point towards us; else each is one slant.
    """

    period_m: float
    width_m: float
    hatch_m: float
    opacity: float
    bar_m: float = 0.9
    chevrons: bool = False


def paint_lines(
    atlas: Atlas,
    road: Road,
    lines: tuple[Line, ...],
    gore: Gore | None,
    distance_m: float,
    fine_m: NDArray[np.float64] = FINE_M,
) -> None:
    """Draw all lines between the first and the last of the distances ahead ``fine_m``."""
    for line in lines:
        polygons: list[Polygon] = []
        for start, end in _free(road, line, distance_m, fine_m):
            if line.branch:
                polygons.append(_along_branch(road, line, start, end, distance_m, fine_m))
            else:
                polygons += _pieces(line, start, end, distance_m)
        if polygons:
            atlas.fill(line.layer, polygons, 255.0 * line.opacity)
    if gore is not None and road.branch is not None:
        _paint_gore(atlas, road, gore, distance_m, fine_m)


def _free(
    road: Road, line: Line, distance_m: float, fine_m: NDArray[np.float64] = FINE_M
) -> Iterator[tuple[float, float]]:
    """Ranges ahead in which nothing interrupts a line: no crossing, no other carriageway."""
    free = np.ones(len(fine_m), bool)
    if road.crossing is not None:
        at = fine_m + distance_m - road.crossing.start_m
        free &= (at < -1.5) | (at > road.crossing.width_m + 1.5)
    if road.branch is not None:
        branch = road.branch.offset_m(distance_m + fine_m)
        half = road.width_m / 2 - 0.15
        gap = road.branch_gap_m(distance_m + fine_m)
        if line.branch and line.offset_m * road.branch.side < 0:
            free &= gap > APART_M
        elif line.branch:
            low, high = road.edges_m()
            at = branch + line.offset_m
            free &= (at < low + 0.15) | (at > high - 0.15)
        else:
            free &= np.abs(branch - line.offset_m) > half
            edge = road.edges_m()[(road.branch.side + 1) // 2]
            if abs(line.offset_m - edge) < 2 * PAINT_INSIDE_M:  # who leaves crosses it
                free &= (gap < BESIDE * road.width_m) | (gap > APART_M)
    steps = np.flatnonzero(np.diff(np.r_[False, free, False].astype(np.int8)))
    for first, last in steps.reshape(-1, 2):
        if last - first > 1:
            yield float(fine_m[first]), float(fine_m[last - 1])


def _pieces(line: Line, start: float, end: float, distance_m: float) -> list[Polygon]:
    """The line, its dashes or its dots between two distances ahead."""
    low, high = line.offset_m - line.width_m / 2, line.offset_m + line.width_m / 2
    if not line.period_m:
        return [box(low, high, start, end)]
    first = np.floor((start + distance_m) / line.period_m) * line.period_m - distance_m
    pieces = []
    for at in np.arange(first, end, line.period_m):
        if line.dots:
            places = at + np.linspace(0, line.dash_m, line.dots)
            pieces += [
                box(line.offset_m - DOT_M / 2, line.offset_m + DOT_M / 2, s - DOT_M / 2, s + DOT_M)
                for s in places
                if max(start, -DOTS_M) < s < min(end, DOTS_M)
            ]
        elif min(at + line.dash_m, end) > max(at, start):
            pieces.append(box(low, high, max(at, start), min(at + line.dash_m, end)))
    return pieces


def _along_branch(
    road: Road,
    line: Line,
    start: float,
    end: float,
    distance_m: float,
    fine_m: NDArray[np.float64],
) -> Polygon:
    """A solid line beside the branch."""
    assert road.branch is not None
    ahead = np.unique(np.clip(AHEAD_M if fine_m is FINE_M else fine_m[::2], start, end))
    return ribbon(road.branch.offset_m(distance_m + ahead) + line.offset_m, line.width_m / 2, ahead)


def _paint_gore(
    atlas: Atlas, road: Road, gore: Gore, distance_m: float, fine_m: NDArray[np.float64]
) -> None:
    """Short dashes while the branch is beside the lane, then chevrons in the gore."""
    branch = road.branch
    assert branch is not None
    edge = road.edges_m()[(branch.side + 1) // 2] - branch.side * PAINT_INSIDE_M
    gap = road.branch_gap_m(distance_m + fine_m)
    beside = fine_m[(gap > BESIDE * road.width_m) & (gap < APART_M)]
    if gore.period_m and len(beside) > 1:
        dashed = Line(edge, gore.width_m, WHITE, 1, gore.period_m, gore.period_m / 2)
        pieces = _pieces(dashed, float(beside[0]), float(beside[-1]), distance_m)
        if pieces:
            atlas.fill(WHITE, pieces, 255.0 * gore.opacity)
    open_gore = fine_m[(gap > 0.4) & (gap < WIDEST_GORE_M)]
    if gore.hatch_m and len(open_gore) > 1:
        polygons = list(_chevrons(gore, edge, branch.side, open_gore, gap, distance_m, fine_m))
        if polygons:
            atlas.fill(WHITE, polygons, 255.0 * gore.opacity)


def _chevrons(
    gore: Gore,
    edge: float,
    side: int,
    ahead: NDArray,
    gap: NDArray,
    distance_m: float,
    fine_m: NDArray[np.float64] = FINE_M,
) -> Iterator[Polygon]:
    """Bars between the two roads: slants, or chevrons that point towards us."""
    first = np.ceil((ahead[0] + distance_m) / gore.hatch_m) * gore.hatch_m - distance_m
    for at in np.arange(first, ahead[-1], gore.hatch_m):
        width = float(np.interp(at, fine_m, gap))
        slant = min(width, 3.0)
        # From the road to the branch, and back on the far side of the bar.
        across = [0.0, width / 2, width] if gore.chevrons else [0.0, width]
        along = [slant, 0.0, slant] if gore.chevrons else [0.0, slant]
        near = [(edge + side * x, at + y) for x, y in zip(across, along, strict=True)]
        yield np.array(near + [(x, y + gore.bar_m) for x, y in reversed(near)])


def zebra(low_m: float, high_m: float, start_m: float, length_m: float) -> list[Polygon]:
    """Stripes of a pedestrian crossing."""
    return [box(at, at + 0.5, start_m, start_m + length_m) for at in np.arange(low_m, high_m, 1.0)]


def arrow(centre_m: float, turn: int, length_m: float) -> tuple[Polygon, ...]:
    """A lane arrow: -1 left, 0 straight on, +1 right; lengthened, as they are painted."""
    shaft = box(centre_m - 0.08, centre_m + 0.08, 0.0, 0.62 * length_m)
    tip = (centre_m + turn * 0.75, length_m * (1.0 if turn == 0 else 0.78))
    if turn == 0:
        head = np.array(
            [(centre_m - 0.45, 0.62 * length_m), (centre_m + 0.45, 0.62 * length_m), tip]
        )
        return shaft, head
    base = centre_m + turn * 0.08
    head = np.array(
        [(base, 0.55 * length_m), (tip[0], tip[1]), (base, length_m), (base, 0.55 * length_m)]
    )
    return shaft, head
