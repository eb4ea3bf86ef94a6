# SPDX-License-Identifier: Apache-2.0
"""Dice for what stands beside the road, and for its shadows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from shared_encoder_perception.world.atlas import Colour, Polygon, bgr, box
from shared_encoder_perception.world.classes import VEGETATION
from shared_encoder_perception.world.dice_road import Place
from shared_encoder_perception.world.dice_surface import shade
from shared_encoder_perception.world.pave import LOOP_M, Decal
from shared_encoder_perception.world.road import Road
from shared_encoder_perception.world.roadside import Prop, Rail


@dataclass(frozen=True)
class Sun:
    """Direct light.

    Attributes:
        right_m: How far to the right a shadow falls for each metre of height.
        ahead_m: How far ahead.
        strength: Darkness of shadows, 0 for none.
    """

    right_m: float
    ahead_m: float
    strength: float

    def shadow(self, footprint: Polygon, height_m: float) -> Polygon:
        """The shadow of an upright box: the hull of its foot and its displaced top."""
        top = footprint + np.array((self.right_m, self.ahead_m)) * height_m
        return _hull(np.concatenate((footprint, top)))


def _hull(points: Polygon) -> Polygon:
    """Convex hull by Andrew's monotone chain."""
    ordered = points[np.lexsort((points[:, 1], points[:, 0]))]

    def chain(sequence: NDArray) -> list[NDArray]:
        kept: list[NDArray] = []
        for point in sequence:
            while len(kept) > 1:
                a, b = kept[-1] - kept[-2], point - kept[-1]
                if a[0] * b[1] - a[1] * b[0] > 0:
                    break
                kept.pop()
            kept.append(point)
        return kept[:-1]

    return np.array(chain(ordered) + chain(ordered[::-1]))


def roll_props(rng: Generator, road: Road, place: Place, weather: str) -> tuple[Prop, ...]:
    """Trees, houses, poles, signs, bridges along both sides."""
    counts = {
        "motorway": {"tree": 16, "bush": 10, "sign": 4},
        "rural": {"tree": 30, "bush": 14, "pole": 8, "sign": 4, "house": 3},
        "suburb": {"tree": 18, "bush": 8, "pole": 8, "sign": 5, "house": 12},
        "town": {"tree": 9, "pole": 10, "sign": 8, "house": 20},
        "track": {"tree": 26, "bush": 22, "house": 2},
    }[place]
    density = rng.uniform(0.1, 1.3)
    if weather == "night" or (place in ("town", "suburb") and rng.random() < 0.5):
        counts["lamp"] = 12
    props = [
        _prop(rng, road, place, kind)
        for kind, count in counts.items()
        for _ in range(round(count * density))
    ]
    low, high = road.edges_m()
    if rng.random() < (0.2 if place == "motorway" else 0.04):
        half = max(-low, high) + 2.5 + max(road.shoulder_m)
        deck = (0.0, rng.uniform(4.8, 7), rng.uniform(6, 16))
        grey = rng.uniform(90, 190)
        props.append(Prop("bridge", half, rng.uniform(0, LOOP_M), deck, (grey,) * 3, 0))
    if place == "motorway":
        for _ in range(int(rng.integers(0, 3))):
            sign = ((110.0, 80.0, 20.0), (150.0, 75.0, 10.0), (70.0, 100.0, 20.0))[rng.choice(3)]
            x = high + road.shoulder_m[1] + 1
            size = (rng.uniform(3, 9), rng.uniform(5, 6.5), 0.0)
            props.append(
                Prop("gantry", x, rng.uniform(0, LOOP_M), size, sign, int(rng.integers(1000)))
            )
    if rng.random() < 0.05:
        props += _cones(rng, road)
    return tuple(props)


def _prop(rng: Generator, road: Road, place: Place, kind: str) -> Prop:
    """One thing beside the road."""
    side = int(rng.choice([-1, 1]))
    edge = road.edges_m()[(side + 1) // 2] + side * road.shoulder_m[(side + 1) // 2]
    gap = rng.uniform(1.2, 16) if kind in ("tree", "bush", "house") else rng.uniform(0.5, 2.5)
    if place == "town" and kind == "house":
        gap = rng.uniform(2.0, 6.0)
    if road.branch is not None and side == road.branch.side:
        gap += 28
    grey = rng.uniform(70, 200)
    if kind in ("tree", "bush"):
        green = np.array((55, 100, 70)) * rng.uniform(0.5, 1.4) + rng.normal(0, 10, 3)
        width = rng.uniform(3, 9) if kind == "tree" else rng.uniform(1.2, 4)
        size = (width, width * rng.uniform(0.8, 1.6), width)
        gap += width / 2
        colour = green
    elif kind == "house":
        size = (rng.uniform(7, 20), rng.uniform(3.5, 16), rng.uniform(7, 24))
        colour = np.clip(
            grey + rng.normal(0, 9, 3) + np.array((-14, 0, 12)) * rng.uniform(-0.3, 1.5), 30, 245
        )
    elif kind == "sign":
        size = (rng.uniform(0.6, 1.0), rng.uniform(1.9, 3.0), 0.0)
        colour = np.array(
            [(40, 40, 200), (190, 90, 20), (40, 190, 230), (60, 140, 40)][rng.choice(4)]
        )
    else:
        size = (rng.uniform(0.12, 0.3), rng.uniform(5, 9), 0.0)
        colour = np.clip(grey + np.array((-12, 0, 8)), 20, 220)
    offset = edge + side * gap
    return Prop(kind, offset, rng.uniform(0, LOOP_M), size, bgr(colour), int(rng.integers(1000)))


def _cones(rng: Generator, road: Road) -> list[Prop]:
    """A row of cones or beacons at one edge of the ego lane."""
    side = int(rng.choice([-1, 1]))
    x = side * (road.width_m / 2 + rng.uniform(0.1, 0.5))
    start, gap = rng.uniform(0, LOOP_M), rng.uniform(3, 12)
    size = (rng.uniform(0.3, 0.5), rng.uniform(0.5, 1.1), 0.0)
    return [
        Prop("cone", x, (start + i * gap) % LOOP_M, size, (30.0, 95.0, 235.0), 0) for i in range(14)
    ]


def prop_shadows(rng: Generator, props: tuple[Prop, ...], sun: Sun) -> tuple[Decal, ...]:
    """What trees, houses and poles keep in the shade."""
    if sun.strength < 0.1:
        return ()
    decals: list[Decal] = []
    angle = np.linspace(0, 2 * np.pi, 9, endpoint=False)
    for prop in props:
        width, height, depth = prop.size_m
        if prop.kind in ("tree", "bush"):
            for _ in range(5):
                level = height * rng.uniform(0.35, 0.95)
                x = prop.offset_m + sun.right_m * level + rng.normal(0, 0.2) * width
                y = sun.ahead_m * level + rng.normal(0, 0.25) * width
                radius = rng.uniform(0.12, 0.34) * width * rng.uniform(0.6, 1.2, 9)
                outline = np.stack((x + radius * np.cos(angle), y + radius * np.sin(angle)), axis=1)
                decals.append(shade(prop.at_m, outline, sun.strength * rng.uniform(0.7, 1)))
        elif prop.kind == "house":
            outer = prop.offset_m + np.sign(prop.offset_m) * width
            foot = box(min(prop.offset_m, outer), max(prop.offset_m, outer), 0.0, depth)
            decals.append(shade(prop.at_m, sun.shadow(foot, height), sun.strength))
        elif prop.kind == "bridge":
            deck = box(-60, 60, 0, depth) + np.array((0.0, sun.ahead_m * height))
            decals.append(shade(prop.at_m, deck, 0.9))
        elif prop.kind in ("pole", "lamp", "sign"):
            foot = box(prop.offset_m - 0.08, prop.offset_m + 0.08, -0.08, 0.08)
            decals.append(shade(prop.at_m, sun.shadow(foot, height), sun.strength * 0.8))
    return tuple(decals)


def roll_rails(rng: Generator, road: Road, place: Place) -> tuple[Rail, ...]:
    """Guard rails, barriers, walls, hedges and fences."""
    rails = []
    chance = {"motorway": 0.65, "rural": 0.25, "suburb": 0.4, "town": 0.25, "track": 0.15}[place]
    for side in (-1, 1):
        if road.branch is not None and road.branch.side == side:
            continue
        if rng.random() < chance:
            edge = road.edges_m()[(side + 1) // 2] + side * road.shoulder_m[(side + 1) // 2]
            gap = rng.uniform(0.2, 1.5) if place in ("motorway", "rural") else rng.uniform(2, 6)
            rails.append(_rail(rng, edge + side * gap, place))
    if road.divided and rng.random() < 0.8:
        rails.append(_rail(rng, road.inner_edges_m()[0] - road.median_m / 2, place))
    return tuple(rails)


def _shaded(colour: NDArray, factor: float) -> Colour:
    """A colour in more or less light."""
    return bgr(colour * factor)


def _rail(rng: Generator, offset_m: float, place: Place) -> Rail:
    """One of several kinds."""
    kind = rng.choice(["rail", "concrete", "wall", "hedge"], p=[0.45, 0.3, 0.12, 0.13])
    if place in ("town", "suburb"):
        kind = rng.choice(["wall", "hedge", "rail"])
    tone = rng.uniform(110, 200)

    grey = np.full(3, tone) + rng.normal(0, 6, 3)
    if kind == "rail":
        return Rail(
            offset_m, 0.4, 0.78, _shaded(grey, 0.85), _shaded(grey, 1.15), rng.uniform(2, 4)
        )
    if kind == "concrete":
        return Rail(
            offset_m, 0.0, rng.uniform(0.8, 1.2), _shaded(grey, 0.9), _shaded(grey, 1.1), 0.0
        )
    if kind == "wall":
        high = rng.uniform(1.5, 5.0)
        return Rail(
            offset_m, 0.0, high, _shaded(grey + rng.normal(0, 15, 3), 0.9), _shaded(grey, 1.0), 0.0
        )
    green = np.array((45, 85, 58)) * rng.uniform(0.6, 1.3)
    return Rail(
        *(offset_m, 0.0, rng.uniform(0.7, 2.6), _shaded(green, 0.85), _shaded(green, 1.2), 0.0),
        kind=VEGETATION,
    )
