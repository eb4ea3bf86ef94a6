# SPDX-License-Identifier: Apache-2.0
"""Dice for lanes, curves, branches and paint."""

from __future__ import annotations

from typing import Final, Literal

import numpy as np
from numpy.random import Generator

from shared_encoder_perception.world.alignment import Alignment, Clothoids, Wander
from shared_encoder_perception.world.atlas import WHITE, YELLOW
from shared_encoder_perception.world.markings import Gore, Line
from shared_encoder_perception.world.road import Branch, Crossing, Road

Place = Literal["motorway", "rural", "suburb", "town", "track"]
BENDS: Final[dict[Place, float]] = {
    "motorway": 0.0018,
    "rural": 0.009,
    "suburb": 0.008,
    "town": 0.005,
    "track": 0.015,
}
"""Greatest curvature, 1/m."""
EXITS: Final[dict[Place, float]] = {
    "motorway": 0.7,
    "rural": 0.35,
    "suburb": 0.3,
    "town": 0.2,
    "track": 0.0,
}
"""How often a branch is a lane of its own first."""
DASHES: Final = ((12.2, 3.05), (12.0, 6.0), (9.0, 3.0), (18.0, 6.0), (6.0, 3.0), (4.0, 2.0))
"""(period, dash), m: of several countries."""
DOTTED: Final = (14.6, 3.4, 4)
"""Period, length and number of Botts' dots."""


def roll_road(rng: Generator, place: Place, split_probability: float) -> Road:
    """Lanes, course, and sometimes a lane that leaves or joins."""
    left, right, opposite, median = _lanes(rng, place)
    branch, crossing = None, None
    width = {"motorway": (3.3, 4.0), "rural": (2.6, 3.7), "track": (2.5, 3.2)}.get(
        place, (2.7, 3.6)
    )
    lane_width = rng.uniform(*width)
    chance = rng.random()
    if chance < split_probability:
        side = int(rng.choice([-1, 1], p=[0.45, 0.55]))
        if side < 0:
            left = opposite = 0
        else:
            right = 0
        branch = _branch(rng, place, side, 0.0, lane_width, joins=False)
    elif place == "motorway" and chance < split_probability + 0.3:
        # From the outermost lane, or joining it: our neighbours stay what they are.
        outermost = right * lane_width
        if right or rng.random() < 0.5:
            joins = right == 0 or rng.random() < 0.5
            branch = _branch(rng, place, 1, outermost, lane_width, joins=joins)
    elif place in ("town", "suburb") and rng.random() < 0.35:
        crossing = Crossing(rng.uniform(12, 120), rng.uniform(6, 16))
    return Road(
        alignment=_alignment(rng, place),
        left=left,
        right=right,
        opposite=opposite,
        median_m=median if opposite else 0.0,
        width_m=lane_width,
        shoulder_m=(_shoulder(rng, place), _shoulder(rng, place)),
        branch=branch,
        crossing=crossing,
    )


def _lanes(rng: Generator, place: Place) -> tuple[int, int, int, float]:
    """(left, right, opposite, median)."""
    if place == "motorway":
        count = int(rng.choice([2, 3, 4, 5], p=[0.35, 0.4, 0.18, 0.07]))
        left = int(rng.integers(0, count))
        seen = rng.random() < 0.7
        opposite = int(rng.choice([2, 3])) if seen else 0
        return left, count - 1 - left, opposite, rng.uniform(2.0, 12.0)
    if place == "track":
        return 0, 0, 0, 0.0
    if place == "rural":
        opposite = int(rng.choice([0, 1], p=[0.15, 0.85]))
        return 0, int(rng.random() < 0.1), opposite, float(rng.choice([0.0, 0.2]))
    kind = rng.choice(["two way", "wide", "one way"], p=[0.5, 0.3, 0.2])
    if kind == "two way":
        return 0, 0, 1, 0.0
    if kind == "one way":
        count = int(rng.integers(1, 4))
        left = int(rng.integers(0, count))
        return left, count - 1 - left, 0, 0.0
    left = int(rng.integers(0, 2))
    return left, 1 - left, int(rng.integers(1, 3)), float(rng.choice([0.0, rng.uniform(0.5, 4.0)]))


def _branch(
    rng: Generator, place: Place, side: int, base_m: float, width_m: float, *, joins: bool
) -> Branch:
    """From a motorway's exit, whose lane opens over a hundred metres, to a sharp turn."""
    opens_m, taper, beside = 0.0, 0.0, 0.0
    if rng.random() < EXITS[place]:
        opens_m, taper = width_m, rng.uniform(20, 120)
        beside = float(rng.choice([0.0, rng.uniform(5, 60)]))
    near = (3, 35) if opens_m else (8, 60)
    start = rng.uniform(*near) if not joins else rng.uniform(20, 110)
    curve, slope = rng.uniform(0.0012, 0.008), rng.uniform(0.05, 0.25)
    return Branch(side, base_m, start, curve, slope, joins, opens_m, taper, beside)


def _alignment(rng: Generator, place: Place) -> Alignment:
    """Straights, clothoids and arcs."""
    bend = BENDS[place] if rng.random() > 0.25 else 0.0
    return Alignment(
        plan=_clothoids(rng, bend, (25, 160) if place != "motorway" else (80, 300)),
        hills=_clothoids(rng, float(rng.choice([0.0, 2e-4, 7e-4], p=[0.4, 0.4, 0.2])), (60, 200)),
        wander=Wander(rng.uniform(0.05, 0.6), rng.uniform(60, 200), rng.uniform(0, 2 * np.pi)),
    )


def _clothoids(rng: Generator, greatest: float, gaps_m: tuple[float, float]) -> Clothoids:
    """A closed chain; half of the knots are straight."""
    count = 24
    knots = np.concatenate(([0.0], np.cumsum(rng.uniform(*gaps_m, count))))
    values = rng.uniform(-greatest, greatest, count + 1) * (rng.random(count + 1) < 0.6)
    values[-1] = values[0]
    return Clothoids(knots, values)


def _shoulder(rng: Generator, place: Place) -> float:
    """Paved metres beyond the edge line: a sliver, a real shoulder, or room to park."""
    if place == "motorway":
        return float(rng.choice([rng.uniform(0.4, 1.2), rng.uniform(1.5, 3.6)]))
    if place in ("town", "suburb"):
        return float(rng.choice([0.3, rng.uniform(1.8, 2.6)], p=[0.5, 0.5]))
    return float(rng.choice([0.1, rng.uniform(0.2, 1.8)]))


def roll_lines(rng: Generator, road: Road, place: Place) -> tuple[Line, ...]:
    """Lines between the lanes and at the edges; some roads have none, some only a few."""
    shares = {"motorway": (0.9, 0.02, 0.08, 0.0), "track": (0.0, 0.0, 0.05, 0.95)}
    style = rng.choice(
        ["full", "no edges", "faint", "none"], p=shares.get(place, (0.55, 0.2, 0.12, 0.13))
    )
    if style == "none":
        return ()
    opacity = rng.uniform(0.15, 0.45) if style == "faint" else rng.uniform(0.5, 1.0)
    paint = rng.uniform(0.09, 0.2)
    american = rng.random() < 0.5
    lines = _dividers(rng, road, paint, opacity)
    if road.opposite and not road.divided:
        at = road.inner_edges_m()[0] - road.median_m / 2
        lines += _centre_line(rng, at, paint, YELLOW if american else WHITE, opacity)
    if style != "no edges":
        lines += _edge_lines(rng, road, paint, opacity, american)
    if road.branch is not None:
        for side in (-1, 1):
            at = side * (road.width_m / 2 - 0.1)
            lines.append(Line(at, paint * 1.3, WHITE, opacity, branch=True))
    if rng.random() < 0.06:  # old lines, ground off but still to be seen
        lines += [
            Line(old.offset_m + rng.uniform(0.4, 1.2), old.width_m, old.layer, 0.15)
            for old in lines[:3]
        ]
    if rng.random() < 0.04:  # a construction site's own
        inner = road.inner_edges_m()
        lines += [Line(at, 0.13, YELLOW, 0.95) for at in (inner[0] + 0.35, inner[1] - 0.35)]
    return tuple(lines)


def _dividers(rng: Generator, road: Road, paint: float, opacity: float) -> list[Line]:
    """Between lanes of one direction."""
    period, dash = DASHES[rng.choice(len(DASHES))]
    dots = 0
    if rng.random() < 0.1:
        period, dash, dots = DOTTED
    solid = rng.random() < 0.06
    half = road.width_m / 2
    places = [(-i - 0.5) * road.width_m for i in range(road.left)]
    places += [(i + 0.5) * road.width_m for i in range(road.right)]
    beyond = road.inner_edges_m()[0] - road.median_m
    places += [beyond - i * road.width_m for i in range(1, road.opposite)]
    lines = []
    for at in places:
        worn = opacity * rng.uniform(0.75, 1.0)
        missing = rng.random() < 0.03
        if solid and abs(abs(at) - half) < 0.1 and rng.random() < 0.5:
            lines.append(Line(at, paint, WHITE, worn))
        elif not missing:
            lines.append(Line(at, paint, WHITE, worn, period, dash, dots))
        if dots and rng.random() < 0.4:  # dots along thin dashes
            lines.append(Line(at, paint, WHITE, worn, period, dash * 0.8))
    return lines


def _centre_line(rng: Generator, at: float, paint: float, layer: int, opacity: float) -> list[Line]:
    """Between opposite directions: double, solid or dashed."""
    period, dash = DASHES[rng.choice(len(DASHES))]
    kind = rng.choice(["double", "solid", "dashed", "mixed"], p=[0.3, 0.2, 0.35, 0.15])
    if kind == "solid":
        return [Line(at, paint, layer, opacity)]
    if kind == "dashed":
        return [Line(at, paint, layer, opacity, period, dash)]
    gap = paint * rng.uniform(0.9, 1.4)
    second = (0.0, 0.0) if kind == "double" else (period, dash)
    return [Line(at - gap, paint, layer, opacity), Line(at + gap, paint, layer, opacity, *second)]


def _edge_lines(
    rng: Generator, road: Road, paint: float, opacity: float, american: bool
) -> list[Line]:
    """At the outer boundaries, and along a median."""
    left, right = road.edges_m()
    inner = road.inner_edges_m()[0]
    yellow = YELLOW if american else WHITE
    one_way = not road.opposite
    places = [(left + 0.1, yellow if one_way else WHITE), (right - 0.1, WHITE)]
    if road.divided:
        places += [(inner + 0.1, yellow), (inner - road.median_m - 0.1, yellow)]
    return [
        Line(at, paint * rng.uniform(0.9, 1.4), layer, opacity * rng.uniform(0.6, 1))
        for at, layer in places
        if rng.random() > 0.05
    ]


def roll_gore(rng: Generator, road: Road) -> Gore | None:
    """How a branch is marked off."""
    if road.branch is None:
        return None
    return Gore(
        period_m=float(rng.choice([0.0, 2.0, 3.0, 6.0], p=[0.2, 0.3, 0.3, 0.2])),
        width_m=rng.uniform(0.15, 0.35),
        hatch_m=float(rng.choice([0.0, rng.uniform(2.5, 9.0)], p=[0.35, 0.65])),
        opacity=rng.uniform(0.4, 1.0),
        bar_m=rng.uniform(0.4, 1.6),
        chevrons=bool(rng.random() < 0.6),
    )
