# SPDX-License-Identifier: Apache-2.0
"""What stands beside the road and over it, as solids with all their sides."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.world.atlas import Colour, bgr
from shared_encoder_perception.world.classes import BARRIER, BUILDING, POLE, SIGN, VEGETATION
from shared_encoder_perception.world.pave import LOOP_M
from shared_encoder_perception.world.rigs.course import Course
from shared_encoder_perception.world.rigs.solids import Face, Glow, Solid, Sprite
from shared_encoder_perception.world.road import Crossing
from shared_encoder_perception.world.roadside import (
    DETAIL_M,
    SPRITE_PX,
    Prop,
    Rail,
    tinted_tree,
)

SIGHT_M: Final = 150.0
"""Farther away nothing stands beside the road."""
RAIL_M: Final = 120.0
PIECES_M: Final = (0.0, 2.0, 4.0, 7.0, 12.0, 20.0, 34.0, 58.0, RAIL_M)
THICK_M: Final = {BARRIER: 0.3, VEGETATION: 0.9}
"""Of walls and hedges; guard rails are sheets."""
HIGHEST_RAIL_M: Final = 2.2
"""A higher wall hides a whole side from all cameras."""
FREE_M: Final = 1.5
"""Beside a crossing road nothing stands nearer."""
STEEL: Final[Colour] = (120.0, 120.0, 118.0)
GREY: Final[Colour] = (128.0, 128.0, 126.0)
LAMP_LIGHT: Final[Colour] = (150.0, 215.0, 255.0)
NIGHT: Final = 0.4
"""Below this brightness street lamps shine."""


class Roadside:
    """Makes solids of what is laid beside the road, at one moment."""

    def __init__(
        self, course: Course, distance_m: float, crossing: Crossing | None, ambient: float
    ) -> None:
        """Remember where we are, and how bright it is."""
        self._course, self._distance_m, self._ambient = course, distance_m, ambient
        self._free = (0.0, 0.0)
        if crossing is not None:
            start = crossing.start_m - distance_m
            self._free = (start - FREE_M, start + crossing.width_m + FREE_M)

    def prop(self, prop: Prop) -> Solid | None:
        """Return a prop; ``None`` where it is out of sight, or where another road crosses."""
        width, height, depth = prop.size_m
        ahead = (prop.at_m - self._distance_m + LOOP_M / 2) % LOOP_M - LOOP_M / 2
        reach = width / 2 if prop.kind in ("tree", "bush") else depth
        start, end = self._free
        crosses = ahead < end and ahead + depth > start and start < end
        if abs(ahead) > SIGHT_M + reach or (crosses and prop.kind != "bridge"):
            return None
        if prop.kind in ("tree", "bush"):
            # Rounded, so that few colours are kept.
            colour = tuple(int(c) // 24 * 24 + 12 for c in prop.colour)
            picture = tinted_tree(prop.variant, (colour[0], colour[1], colour[2]))
            if prop.kind == "bush":
                picture = picture[: SPRITE_PX * 7 // 10]
            foot = self._place(np.array([(prop.offset_m, -0.1, ahead)]))[0]
            return Solid(VEGETATION, sprite=Sprite(picture, foot, width, height))
        kinds = {"house": BUILDING, "bridge": BUILDING, "cone": BARRIER, "sign": SIGN}
        make = {"house": self._house, "bridge": self._bridge, "gantry": self._gantry}
        faces = list(make.get(prop.kind, self._post)(prop, ahead))
        glows = []
        if prop.kind == "lamp" and self._ambient < NIGHT:
            inward = -np.sign(prop.offset_m) or -1.0
            place = self._place(np.array([(prop.offset_m + inward * 2.0, height, ahead)]))[0]
            glows.append(Glow(place, np.zeros(3), 0.7, LAMP_LIGHT, 1.0))
        return Solid(kinds.get(prop.kind, POLE), faces, glows=glows)

    def rail(self, rail: Rail) -> list[Solid]:
        """Return the pieces of a rail, all round, but for where another road crosses."""
        rail = replace(rail, high_m=min(rail.high_m, HIGHEST_RAIL_M))
        edges = sorted({*PIECES_M, *(-at for at in PIECES_M)})
        solids = []
        for start, end in pairwise(edges):
            for low, high in self._kept(start, end):
                faces = [
                    face
                    for first, last in pairwise(np.linspace(low, high, 3))
                    for face in self._rail_piece(rail, float(first), float(last))
                ]
                if rail.posts_m and max(abs(low), abs(high)) < DETAIL_M:
                    faces = [*self._rail_posts(rail, low, high), *faces]
                solids.append(Solid(rail.kind, faces))
        return solids

    def _kept(self, start: float, end: float) -> Iterator[tuple[float, float]]:
        """Parts of a piece that are not on a crossing road."""
        low, high = self._free
        if low >= high or end <= low or start >= high:
            yield start, end
            return
        if start < low:
            yield start, low
        if end > high:
            yield high, end

    def _rail_piece(self, rail: Rail, start: float, end: float) -> Iterator[Face]:
        """Both faces of a straight piece, and its upper side."""
        thick = 0.0 if rail.posts_m else THICK_M.get(rail.kind, 0.3)
        middle = rail.high_m - (rail.high_m - rail.low_m) * 0.3
        for side in (-1.0, 1.0):
            x = rail.offset_m + side * thick / 2
            for low, high, colour, shade in (
                (rail.low_m, middle, rail.colour, 0.85),
                (middle, rail.high_m, rail.top, 1.0),
            ):
                corners = [(x, low, start), (x, low, end), (x, high, end), (x, high, start)]
                yield self._wall(corners, (side, 0.0, 0.0), colour, shade)
        if thick:
            x0, x1, y = rail.offset_m - thick / 2, rail.offset_m + thick / 2, rail.high_m
            corners = [(x0, y, start), (x1, y, start), (x1, y, end), (x0, y, end)]
            yield self._wall(corners, (0.0, 1.0, 0.0), rail.top, 1.1)

    def _rail_posts(self, rail: Rail, start: float, end: float) -> Iterator[Face]:
        """Posts of a guard rail, which keep their places along the road."""
        first = np.ceil((start + self._distance_m) / rail.posts_m) * rail.posts_m
        high = rail.high_m - 0.3 * (rail.high_m - rail.low_m)
        for at in np.arange(first - self._distance_m, end, rail.posts_m):
            yield self._upright(rail.offset_m, float(at), 0.06, high, rail.colour, 0.6)

    def _place(self, points: NDArray) -> NDArray[np.float64]:
        """Turn (N, 3) offset, height and distance ahead into the vehicle's frame."""
        flat = self._course.places(points[:, [0, 2]])
        return np.concatenate((flat, points[:, 1:2]), axis=1)

    def _wall(
        self,
        corners: Sequence[tuple[float, float, float]] | NDArray,
        towards: tuple[float, float, float],
        colour: Colour,
        shade: float = 1.0,
        solid: bool = True,
    ) -> Face:
        """A face in road coordinates (offset, height, ahead) that is seen from a direction."""
        right, up, ahead = towards
        placed = self._place(np.array(corners, np.float64))
        return Face(placed, colour, shade, solid, not solid, np.array((ahead, -right, up)))

    def _upright(
        self,
        offset: float,
        ahead: float,
        half: float,
        height: float,
        colour: Colour,
        shade: float = 1.0,
        top: float | None = None,
    ) -> Face:
        """A post that is turned to the camera, ``top`` half as wide at its upper end."""
        upper = half if top is None else top
        foot = self._place(np.array([(offset, 0.0, ahead)]))[0]
        corners = [(-1.0, 0, 0), (1.0, 0, 0), (upper / half, 0, height), (-upper / half, 0, height)]
        return Face(
            np.array(corners),
            colour,
            shade,
            anchor=foot,
            radii=(half, half),
            least_px=0.4,
        )

    def _house(self, prop: Prop, ahead: float) -> Iterator[Face]:
        """Four walls with windows, and a flat roof."""
        width, height, depth = prop.size_m
        side = float(np.sign(prop.offset_m)) or 1.0
        inner, outer = prop.offset_m, prop.offset_m + side * width
        near, far = ahead, ahead + depth
        glass = bgr([0.35 * c + 15 for c in prop.colour])
        storeys = np.arange(1.0, height - 1.2, 3.0)
        detailed = abs(ahead + depth / 2) < DETAIL_M
        for x, towards in ((inner, (-side, 0.0, 0.0)), (outer, (side, 0.0, 0.0))):
            corners = [(x, -0.2, near), (x, -0.2, far), (x, height, far), (x, height, near)]
            yield self._wall(corners, towards, prop.colour, 0.75)
            for y in storeys if detailed else ():
                for z in np.arange(near + 1, far - 1.4, 3.2):
                    pane = [(x, y, z), (x, y, z + 1.4), (x, y + 1.5, z + 1.4), (x, y + 1.5, z)]
                    yield self._wall(pane, towards, glass, solid=False)
        roof = [(inner, height, near), (outer, height, near), (outer, height, far)]
        roof.append((inner, height, far))
        yield self._wall(roof, (0.0, 1.0, 0.0), prop.colour, 0.6)
        for z, towards in ((near, (0.0, 0.0, -1.0)), (far, (0.0, 0.0, 1.0))):
            corners = [(inner, -0.2, z), (outer, -0.2, z), (outer, height, z), (inner, height, z)]
            yield self._wall(corners, towards, prop.colour, 1.0 if z == near else 0.9)
            for y in storeys if detailed else ():
                for at in np.arange(1.0, width - 1.3, 3.0):
                    x0, x1 = inner + side * at, inner + side * (at + 1.3)
                    pane = [(x0, y, z), (x1, y, z), (x1, y + 1.5, z), (x0, y + 1.5, z)]
                    yield self._wall(pane, towards, glass, solid=False)

    def _bridge(self, prop: Prop, ahead: float) -> Iterator[Face]:
        """An overpass: its deck from below, its parapets, its piers."""
        _, height, depth = prop.size_m
        near, far = ahead, ahead + depth
        for side in (-1.0, 1.0):
            x0 = side * prop.offset_m
            x1 = x0 + side * 1.4
            for x, towards in ((x0, (-side, 0.0, 0.0)), (x1, (side, 0.0, 0.0))):
                corners = [(x, 0.0, near), (x, 0.0, far), (x, height, far), (x, height, near)]
                yield self._wall(corners, towards, prop.colour, 0.5)
            for z, end in ((near, -1.0), (far, 1.0)):
                corners = [(x0, 0.0, z), (x1, 0.0, z), (x1, height, z), (x0, height, z)]
                yield self._wall(corners, (0.0, 0.0, end), prop.colour, 0.8)
        below = [(-60, height, near), (60, height, near), (60, height, far), (-60, height, far)]
        yield self._wall(below, (0.0, -1.0, 0.0), prop.colour, 0.3)
        for z, end in ((near, -1.0), (far, 1.0)):
            for low, high, shade in (
                (height, height + 1.3, 0.95),
                (height + 1.3, height + 2.2, 0.75),
            ):
                corners = [(-60, low, z), (60, low, z), (60, high, z), (-60, high, z)]
                yield self._wall(corners, (0.0, 0.0, end), prop.colour, shade)

    def _panel(
        self,
        x: tuple[float, float],
        y: tuple[float, float],
        ahead: float,
        colour: Colour,
        back: Colour | None = None,
        shade: float = 1.0,
    ) -> Iterator[Face]:
        """A sheet across the road, with its front towards us and its back."""
        corners = [
            (x[0], y[0], ahead),
            (x[1], y[0], ahead),
            (x[1], y[1], ahead),
            (x[0], y[1], ahead),
        ]
        yield self._wall(corners, (0.0, 0.0, -1.0), colour, shade)
        yield self._wall(corners, (0.0, 0.0, 1.0), back or colour, shade)

    def _gantry(self, prop: Prop, ahead: float) -> Iterator[Face]:
        """A sign above the road."""
        width, height, _ = prop.size_m
        x = prop.offset_m
        yield self._upright(x, ahead, 0.15, height + 1.5, STEEL)
        towards = -np.sign(x) or -1.0
        low, high = sorted((x, x + towards * width))
        yield from self._panel((low, high), (height, height + 2.2), ahead, prop.colour, STEEL)
        rng = np.random.default_rng(prop.variant)
        for row in (0.5, 1.1, 1.6):
            start = low + rng.uniform(0.3, 0.8)
            end = start + rng.uniform(0.3, 0.8) * (high - start)
            y0, y1 = height + row, height + row + 0.3
            line = [(start, y0, ahead), (end, y0, ahead), (end, y1, ahead), (start, y1, ahead)]
            yield self._wall(line, (0.0, 0.0, -1.0), (230.0,) * 3, solid=False)

    def _post(self, prop: Prop, ahead: float) -> Iterator[Face]:
        """Poles, street lamps, traffic signs, cones."""
        width, height, _ = prop.size_m
        x = prop.offset_m
        if prop.kind == "cone":
            yield self._upright(x, ahead, width / 2, height, prop.colour, top=0.05)
            yield self._upright(x, ahead, width / 2.6, 0.6 * height, (225.0,) * 3, top=width / 4)
            yield self._upright(x, ahead, width / 2, 0.4 * height, prop.colour, top=width / 2.6)
            return
        is_pole = prop.kind == "pole"
        half = (width if is_pole else 0.12) / 2
        yield self._upright(x, ahead, half, height, prop.colour if is_pole else GREY)
        if prop.kind == "lamp":
            inward = -np.sign(x) or -1.0
            low, high = sorted((x, x + inward * 2.2))
            yield from self._panel((low, high), (height - 0.1, height + 0.06), ahead, GREY)
        elif prop.kind == "sign":
            yield from self._sign(prop, ahead)

    def _sign(self, prop: Prop, ahead: float) -> Iterator[Face]:
        """A traffic sign: round, a triangle, a square; grey from behind."""
        width, height, _ = prop.size_m
        count = (4, 3, 8, 12)[prop.variant % 4]
        start = {4: np.pi / 4, 3: np.pi / 2}.get(count, 0.0)
        angle = np.linspace(0, 2 * np.pi, count, endpoint=False) + start
        x, y = prop.offset_m + width / 2 * np.cos(angle), height + width / 2 * np.sin(angle)
        # A finger's breadth in front of its post.
        outline = np.stack((x, y, np.full(count, ahead - 0.08)), axis=1)
        centre = outline.mean(axis=0)
        yield self._wall(outline, (0.0, 0.0, -1.0), prop.colour)
        inner = centre + (outline - centre) * 0.7
        yield self._wall(inner, (0.0, 0.0, -1.0), (225.0, 225.0, 225.0), solid=False)
        yield self._wall(outline, (0.0, 0.0, 1.0), GREY, 0.8)
