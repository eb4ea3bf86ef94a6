# SPDX-License-Identifier: Apache-2.0
"""What stands beside the road and over it: rails, walls, trees, houses, poles, signs, bridges."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.world.atlas import Colour, bgr
from shared_encoder_perception.world.classes import BARRIER, BUILDING, POLE, SIGN, VEGETATION
from shared_encoder_perception.world.view import View

RAIL_PIECES_M: Final = tuple(pairwise((1.6, 2.6, 4.0, 7.0, 12.0, 20.0, 34.0, 58.0, 100.0, 180.0)))
"""Ranges ahead: rails are drawn piece by piece, so that nearer things can hide them."""
SPRITES: Final = 14
SPRITE_PX: Final = 160
NEAR_WALL_M: Final = 2.0
"""Walls are cut off here: nearer, they are behind the picture's plane."""
DETAIL_M: Final = 70.0
"""Beyond, houses have no windows."""


@dataclass(frozen=True)
class Rail:
    """Something long beside the road.

    Attributes:
        offset_m: Lateral.
        low_m: Height of its lower edge; a guard rail leaves the ground free.
        high_m: Height of its upper edge.
        colour: Of its face.
        top: Colour of its upper third.
        posts_m: Distance of its posts; 0 for none.
        kind: Its class: a hedge is no wall.
    """

    offset_m: float
    low_m: float
    high_m: float
    colour: Colour
    top: Colour
    posts_m: float
    kind: int = BARRIER


@dataclass(frozen=True)
class Prop:
    """Something upright that faces us.

    Attributes:
        kind: ``"tree"``, ``"bush"``, ``"pole"``, ``"lamp"``, ``"sign"``, ``"cone"``, ``"house"``,
            ``"gantry"`` or ``"bridge"``.
        offset_m: Lateral, of its middle; of a house: of the wall nearest to the road.
        at_m: Distance along the road, in ``[0, LOOP_M)``.
        size_m: ``(width, height, depth)``.
        colour: Of most of it.
        variant: Decides details.
    """

    kind: str
    offset_m: float
    at_m: float
    size_m: tuple[float, float, float]
    colour: Colour
    variant: int


@lru_cache(maxsize=SPRITES)
def tree_sprite(variant: int) -> NDArray[np.uint8]:
    """A crown on a trunk, (160, 160, 4) BGRA, grey: it takes its colour when it is drawn."""
    rng = np.random.default_rng(9000 + variant)
    size = SPRITE_PX
    y, x = np.mgrid[0:size, 0:size].astype(np.float32) / size
    alpha = np.zeros((size, size), np.float32)
    shade = np.full((size, size), 0.6, np.float32)
    conifer = variant % 4 == 3
    bare = variant % 7 == 5
    trunk = (np.abs(x - 0.5) < 0.025 + 0.02 * y) & (y > 0.35)
    alpha[trunk], shade[trunk] = 1, 0.35
    for index in range(60 if conifer else 90):
        if conifer:
            level = rng.uniform(0.02, 0.88)
            cx, cy = 0.5 + rng.uniform(-0.42, 0.42) * level, level
            rx, ry = rng.uniform(0.03, 0.08), rng.uniform(0.02, 0.05)
        else:
            angle, radius = rng.uniform(0, 2 * np.pi), np.sqrt(rng.uniform()) * 0.36
            cx, cy = 0.5 + radius * np.cos(angle), 0.38 + 0.9 * radius * np.sin(angle)
            rx = rng.uniform(0.03, 0.1) * (0.45 if bare else 1)
            ry = rx * rng.uniform(0.6, 1)
        blob = ((x - cx) / rx) ** 2 + ((y - cy) / ry) ** 2 < 1
        alpha[blob] = 1
        # Lit from above, darker inside; every tuft a little different.
        shade[blob] = rng.uniform(0.65, 1.1) - 0.5 * (cy - 0.3) - 0.1 * (index % 3)
    noise = rng.standard_normal((size, size)).astype(np.float32)
    rough = cv2.GaussianBlur(noise, (0, 0), 1.5) * 3
    edge = cv2.GaussianBlur(alpha, (0, 0), 2.0) + 0.16 * rough
    solid = np.clip((edge - 0.45) * 5, 0, 1)
    grey = np.clip(shade * (1 + 0.22 * rough), 0.12, 1.6) * 150
    sprite = np.dstack((grey, grey, grey, solid * 255))
    return np.asarray(sprite.clip(0, 255).astype(np.uint8))


@lru_cache(maxsize=512)
def tinted_tree(variant: int, colour: tuple[int, int, int]) -> NDArray[np.uint8]:
    """A tree of some colour, (160, 160, 4) BGRA."""
    sprite = tree_sprite(variant % SPRITES).copy()
    tint = np.array(colour, np.float32) / 150
    sprite[:, :, :3] = (sprite[:, :, :3] * tint).clip(0, 255).astype(np.uint8)
    return sprite


def draw_rail(view: View, rail: Rail, start_m: float, end_m: float, distance_m: float) -> None:
    """Draw one piece of a rail."""
    ahead = np.linspace(start_m, end_m, 5)
    middle = rail.high_m - (rail.high_m - rail.low_m) * 0.3

    def band(low: float, high: float) -> NDArray[np.float64]:
        points = [(rail.offset_m, low, z) for z in ahead]
        points += [(rail.offset_m, high, z) for z in ahead[::-1]]
        return np.array(points)

    if rail.posts_m and start_m < DETAIL_M:
        first = np.ceil((start_m + distance_m) / rail.posts_m) * rail.posts_m - distance_m
        colour = view.air.seen(rail.colour, (start_m + end_m) / 2, 0.6)
        for at in np.arange(first, end_m, rail.posts_m):
            post = _upright(rail.offset_m - 0.06, rail.offset_m + 0.06, 0.0, middle, at)
            view.fill([view.pixels(post)], colour, rail.kind, view.facing(post[0]))
    faces = [
        (band(rail.low_m, middle), rail.colour, 0.85),
        (band(middle, rail.high_m), rail.top, 1.0),
    ]
    view.faces(faces, rail.kind)
    for near, far in pairwise(ahead):  # along a bend it lies in no one plane
        view.bend(_lengthwise(rail.offset_m, rail.low_m, rail.high_m, near, far))


def draw_prop(view: View, prop: Prop, ahead_m: float) -> None:
    """Draw a prop whose near side is ``ahead_m`` away."""
    width, height, _ = prop.size_m
    if prop.kind in ("tree", "bush"):
        stands, scale = np.array([prop.offset_m, -0.1, ahead_m]), view.camera.focal_px / ahead_m
        # Rounded, so that few colours are kept.
        colour = tuple(int(c) // 24 * 24 + 12 for c in prop.colour)
        sprite = tinted_tree(prop.variant, colour)  # type: ignore[arg-type]
        if prop.kind == "bush":
            sprite = sprite[: SPRITE_PX * 7 // 10]
        size = (width * scale, height * scale)
        view.stamp(sprite, view.pixels(stands), size, ahead_m, VEGETATION, view.facing(stands))
    elif prop.kind == "house":
        _draw_house(view, prop, ahead_m)
    elif prop.kind == "bridge":
        _draw_bridge(view, prop, ahead_m)
    elif prop.kind == "gantry":
        _draw_gantry(view, prop, ahead_m)
    else:
        _draw_post(view, prop, ahead_m)


def _upright(x0: float, x1: float, y0: float, y1: float, z: float) -> NDArray[np.float64]:
    """A rectangle that faces us."""
    return np.array([(x0, y0, z), (x1, y0, z), (x1, y1, z), (x0, y1, z)])


def _lengthwise(x: float, y0: float, y1: float, z0: float, z1: float) -> NDArray[np.float64]:
    """A rectangle along the road."""
    return np.array([(x, y0, z0), (x, y0, z1), (x, y1, z1), (x, y1, z0)])


def _draw_house(view: View, prop: Prop, ahead_m: float) -> None:
    """A wall along the road, a front towards us, windows on both."""
    width, height, depth = prop.size_m
    side = np.sign(prop.offset_m)
    x, outer, end = prop.offset_m, prop.offset_m + side * width, ahead_m + depth
    near = max(ahead_m, NEAR_WALL_M)
    if end < near + 1.0:
        return
    view.face(_lengthwise(x, -1.0, height, near, end), prop.colour, BUILDING, 0.75)
    glass = bgr([0.35 * c + 15 for c in prop.colour])
    storeys = np.arange(1.0, height - 1.2, 3.0)
    if ahead_m < DETAIL_M:
        panes = [
            _lengthwise(x, y, y + 1.5, z, z + 1.4)
            for y in storeys
            for z in np.arange(near + 1, end - 1.4, 3.2)
        ]
        if panes:
            seen = view.pixels(np.array(panes))
            view.fill(list(seen), view.air.seen(glass, ahead_m + depth / 2), BUILDING, None)
    if ahead_m < NEAR_WALL_M:
        return
    view.face(_upright(x, outer, -1.0, height, ahead_m), prop.colour, BUILDING)
    if ahead_m < DETAIL_M:
        panes = [
            _upright(px, px + side * 1.3, y, y + 1.5, ahead_m)
            for y in storeys
            for px in x + side * np.arange(1.0, width - 1.3, 3.0)
        ]
        if panes:
            seen = view.pixels(np.array(panes))
            view.fill(list(seen), view.air.seen(glass, ahead_m), BUILDING, None)


def _draw_bridge(view: View, prop: Prop, ahead_m: float) -> None:
    """An overpass: its deck from below and from the front, and its piers."""
    _, height, depth = prop.size_m
    near, far = max(ahead_m, NEAR_WALL_M), ahead_m + depth
    if far < near + 1.0:
        return
    for side in (-1, 1):
        x = prop.offset_m * side
        pier = sorted((x, x + side * 1.4))
        view.face(_lengthwise(x, 0.0, height, near, far), prop.colour, BUILDING, 0.5)
        if ahead_m > NEAR_WALL_M:
            view.face(_upright(pier[0], pier[1], 0.0, height, ahead_m), prop.colour, BUILDING, 0.8)
    below = np.array(
        [(-60, height, near), (60, height, near), (60, height, far), (-60, height, far)]
    )
    view.face(below, prop.colour, BUILDING, 0.3)
    if ahead_m > NEAR_WALL_M:
        parapets = [
            (_upright(-60.0, 60.0, height, height + 1.3, ahead_m), prop.colour, 0.95),
            (_upright(-60.0, 60.0, height + 1.3, height + 2.2, ahead_m), prop.colour, 0.75),
        ]
        view.faces(parapets, BUILDING)


def _draw_gantry(view: View, prop: Prop, ahead_m: float) -> None:
    """A sign above the road."""
    width, height, _ = prop.size_m
    steel = (120.0, 120.0, 118.0)
    x = prop.offset_m
    post = _upright(x - 0.15, x + 0.15, 0.0, height + 1.5, ahead_m)
    view.face(post, steel, POLE)
    towards = -np.sign(x) or -1.0
    low, high = sorted((x, x + towards * width))
    view.face(_upright(low, high, height + 0.6, height + 0.8, ahead_m), steel, POLE, 0.8)
    view.face(_upright(low, high, height, height + 2.2, ahead_m), prop.colour, SIGN)
    rng = np.random.default_rng(prop.variant)
    for row in (0.5, 1.1, 1.6):
        start = low + rng.uniform(0.3, 0.8)
        end = start + rng.uniform(0.3, 0.8) * (high - start)
        line = _upright(start, end, height + row, height + row + 0.3, ahead_m)
        view.face(line, (230.0,) * 3, SIGN)


def _draw_post(view: View, prop: Prop, ahead_m: float) -> None:
    """Poles, street lamps, traffic signs, cones."""
    width, height, _ = prop.size_m
    x = prop.offset_m
    if prop.kind == "cone":
        corners = np.array(
            [
                (x - width / 2, 0, ahead_m),
                (x + width / 2, 0, ahead_m),
                (x + 0.05, height, ahead_m),
                (x - 0.05, height, ahead_m),
            ]
        )
        view.face(corners, prop.colour, BARRIER)
        view.face(
            _upright(x - width / 4, x + width / 4, 0.4 * height, 0.62 * height, ahead_m),
            (225.0,) * 3,
            BARRIER,
        )
        return
    grey = (128.0, 128.0, 126.0)
    thick = max(width if prop.kind == "pole" else 0.12, 0.8 * ahead_m / view.camera.focal_px)
    view.face(
        _upright(x - thick / 2, x + thick / 2, 0.0, height, ahead_m),
        prop.colour if prop.kind == "pole" else grey,
        POLE,
    )
    if prop.kind == "lamp":
        inward = -np.sign(x) or -1.0
        low, high = sorted((x, x + inward * 2.2))
        view.face(_upright(low, high, height - 0.1, height + 0.06, ahead_m), grey, POLE)
        if view.air.ambient < 0.4:
            lamp = view.pixels(np.array([x + inward * 2.0, height, ahead_m]))
            view.glow(lamp, 0.7 * view.camera.focal_px / ahead_m, (150.0, 215.0, 255.0), 1.0)
    elif prop.kind == "sign":
        half = width / 2
        count = (4, 3, 8, 12)[prop.variant % 4]
        angle = (
            np.linspace(0, 2 * np.pi, count, endpoint=False)
            + np.pi / 4 * (count == 4)
            + np.pi / 2 * (count == 3)
        )
        outline = np.stack(
            (x + half * np.cos(angle), height + half * np.sin(angle), np.full(count, ahead_m)),
            axis=1,
        )
        view.face(outline, prop.colour, SIGN)
        centre = outline.mean(axis=0)
        view.face(centre + (outline - centre) * 0.7, (225.0, 225.0, 225.0), SIGN)
