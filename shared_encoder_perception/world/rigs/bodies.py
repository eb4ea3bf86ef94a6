# SPDX-License-Identifier: Apache-2.0
"""Vehicles, riders and people as faces that can be seen from all sides."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.world.atlas import Colour
from shared_encoder_perception.world.rigs.solids import Face, Glow
from shared_encoder_perception.world.vehicles import BODIES, GLASS, LAMP, PLATE, TAIL, TYRE, Body

TALL_M: Final = 2.2
"""From this height on it is a truck's or a bus's wheels and lamps that a body has."""
SKIN: Final[Colour] = (95.0, 120.0, 160.0)
TROUSERS: Final[Colour] = (60.0, 50.0, 48.0)
ROUND: Final = np.linspace(0, 2 * np.pi, 14, endpoint=False)


@dataclass(frozen=True)
class Stand:
    """Where something stands: the middle of its foot, and its heading.

    Attributes:
        x_m: Ahead.
        y_m: To the left.
        yaw_rad: From x ahead towards y left.
        size_m: ``(length, width, height)``.
    """

    x_m: float
    y_m: float
    yaw_rad: float
    size_m: tuple[float, float, float]

    def place(self, points: NDArray) -> NDArray[np.float64]:
        """Turn (..., 3) of its own frame (ahead, left, up of the middle of its foot) ours."""
        cos, sin = np.cos(self.yaw_rad), np.sin(self.yaw_rad)
        turn = np.array([[cos, sin, 0.0], [-sin, cos, 0.0], [0.0, 0.0, 1.0]])
        return np.asarray(points @ turn + (self.x_m, self.y_m, 0.0))

    def turn(self, directions: NDArray) -> NDArray[np.float64]:
        """Turn (..., 3) directions of its own frame into ours."""
        return self.place(directions) - (self.x_m, self.y_m, 0.0)


def vehicle_faces(
    stand: Stand, kind: str, colour: Colour, lights: bool
) -> tuple[list[Face], list[Glow]]:
    """Return a body's faces, and its lamps where they are on; ``kind`` is a key of ``BODIES``."""
    body, size = BODIES[kind], stand.size_m
    made = _Faces(stand)
    # What is dark below it, so that nobody looks through between the wheels.
    under = _side(body, np.array([(0.1, 0), (0.9, 0), (0.9, 0.3), (0.1, 0.3)]), size, 0.0)
    made.add(under.clip((-np.inf, 0, 0.12), np.inf), None, TYRE, 1.0)
    for side in (-1.0, 1.0):
        made.add(_side(body, body.outline, size, side), (0, side, 0), colour, 0.72)
        if len(body.side_glass):
            made.paint(_side(body, body.side_glass, size, side), GLASS, 0.8)
        for at in (0.8, 0.17):
            made.paint(_wheel(at, size, side), TYRE, solid=True)
    left, right = (_side(body, body.outline, size, side) for side in (1.0, -1.0))
    last = len(body.outline) - 2
    for index in range(last + 1):
        corners = np.concatenate((right[index : index + 2], left[index : index + 2][::-1]))
        run, rise = (body.outline[index + 1] - body.outline[index]).tolist()
        towards = (-rise * size[2], 0.0, run * size[0])
        made.add(corners, towards, colour, 1.12 if abs(rise) < 0.1 else 0.92)
        if body.glass[index]:
            middle = corners.mean(axis=0)
            made.paint(middle + (corners - middle) * (0.82, 0.84, 0.82), GLASS)
        if index in (0, last):
            lowest = float(body.outline[0 if index == 0 else -1, 1]) * size[2]
            _paint_end(made, -1.0 if index == 0 else 1.0, lowest)
    return made.placed(), _lamps(stand) if lights else []


class _Faces:
    """Faces of one body in its own frame, in the order of painting."""

    def __init__(self, stand: Stand) -> None:
        self.stand = stand
        self._corners: list[NDArray[np.float64]] = []
        self._paints: list[tuple[Colour, float, bool, bool]] = []
        self._towards: list[tuple[float, float, float] | None] = []

    def add(
        self,
        corners: NDArray,
        towards: tuple[float, float, float] | None,
        colour: Colour,
        shade: float,
    ) -> None:
        """Add a face that is seen from a direction, ``None``: from all."""
        self._corners.append(corners)
        self._paints.append((colour, shade, True, False))
        self._towards.append(towards)

    def paint(
        self, corners: NDArray, colour: Colour, shade: float = 1.0, *, solid: bool = False
    ) -> None:
        """Paint on the last face; ``solid`` where it reaches beyond that."""
        self._corners.append(corners)
        self._paints.append((colour, shade, solid, True))
        self._towards.append(self._towards[-1])

    def placed(self) -> list[Face]:
        """Return them in the vehicle's frame."""
        counts = np.cumsum([len(corners) for corners in self._corners])[:-1]
        corners = np.split(self.stand.place(np.concatenate(self._corners)), counts)
        turned = self.stand.turn(np.array([one or (0.0, 0.0, 0.0) for one in self._towards]))
        return [
            Face(polygon, *paint, None if towards is None else direction)
            for polygon, paint, towards, direction in zip(
                corners, self._paints, self._towards, turned, strict=True
            )
        ]


def _ends(size_m: tuple[float, float, float], end: float) -> tuple[tuple[float, float], float]:
    """Heights of the lamps at the front (``end`` above 0) or rear, and how far in they reach."""
    height = size_m[2]
    if height > TALL_M:
        return (0.7, 0.86), 0.8
    low, high = (0.3, 0.41) if end > 0 else (0.44, 0.57)
    return (low * height, high * height), 0.66


def _paint_end(made: _Faces, end: float, lowest_m: float) -> None:
    """Underside, wheels, lamps and plate at the front or rear of a body that begins so high."""
    length, width, height = made.stand.size_m
    x, half, tall = end * length / 2, width / 2, height > TALL_M
    clear, tyre = (0.55, 0.5) if tall else (0.24, 0.22)

    def quad(y0: float, y1: float, z0: float, z1: float) -> NDArray[np.float64]:
        return np.array([(x, y0, z0), (x, y1, z0), (x, y1, z1), (x, y0, z1)])

    lamp_at, inner = _ends(made.stand.size_m, end)
    made.paint(
        quad(-half * 0.96, half * 0.96, 0.12, max(clear, lowest_m) + 0.02), TYRE, 1.3, solid=True
    )
    for side in (-1.0, 1.0):
        wheel = quad(side * half * 0.98, side * (half - tyre), 0.0, max(clear, lowest_m) + 0.05)
        made.paint(wheel, TYRE, solid=True)
        lamp = quad(side * half * 0.97, side * half * inner, *lamp_at)
        made.paint(lamp, LAMP if end > 0 else TAIL)
    made.paint(quad(-0.26, 0.26, clear + 0.18, clear + 0.3), PLATE)


def _lamps(stand: Stand) -> list[Glow]:
    """Lamps that are on."""
    length, width, _ = stand.size_m
    glows = []
    for end, radius, strength in ((-1.0, 0.16, 0.8), (1.0, 0.3, 1.0)):
        at, inner = _ends(stand.size_m, end)
        for side in (-1.0, 1.0):
            y = side * width / 4 * (0.97 + inner)
            place = stand.place(np.array((end * length / 2, y, sum(at) / 2)))
            towards = stand.turn(np.array((end, 0.0, 0.0)))
            glows.append(Glow(place, towards, radius, LAMP if end > 0 else TAIL, strength))
    return glows


def _side(
    body: Body, points: NDArray, size_m: tuple[float, float, float], side: float
) -> NDArray[np.float64]:
    """Points of a silhouette on one flank, which leans in towards the roof."""
    length, width, height = size_m
    half = width / 2 * (1 - body.taper * np.clip((points[:, 1] - 0.55) / 0.45, 0, 1))
    return np.stack(((points[:, 0] - 0.5) * length, side * half, points[:, 1] * height), axis=1)


def _wheel(at: float, size_m: tuple[float, float, float], side: float) -> NDArray[np.float64]:
    """A wheel on one flank."""
    length, width, height = size_m
    radius = 0.34 if height < TALL_M else 0.5
    angle = ROUND[:-2] * len(ROUND) / (len(ROUND) - 2)
    x = (at - 0.5) * length + radius * np.cos(angle)
    return np.stack((x, np.full(len(x), side * width / 2), radius * (1 + np.sin(angle))), axis=1)


def person_faces(stand: Stand, colour: Colour) -> tuple[list[Face], list[Glow]]:
    """Return somebody on foot."""
    length, width, height = stand.size_m
    oval = _Ovals(stand)
    for side in (-1.0, 1.0):
        centre = (0.1 * length * side, 0.16 * width * side, 0.24 * height)
        oval.add(centre, (0.25 * length, 0.13 * width, 0.24 * height), TROUSERS)
    oval.add((0.0, 0.0, 0.6 * height), (0.42 * length, 0.42 * width, 0.24 * height), colour)
    oval.add((0.0, 0.0, 0.91 * height), (0.1, 0.16 * width, 0.085 * height), SKIN)
    return oval.faces, []


def rider_faces(stand: Stand, colour: Colour, lights: bool) -> tuple[list[Face], list[Glow]]:
    """Return somebody on two wheels."""
    length, width, height = stand.size_m
    oval = _Ovals(stand)
    radius = min(0.2 * height, 0.18 * length)
    for end in (-1.0, 1.0):
        oval.add((end * (length / 2 - radius), 0.0, radius), (radius, 0.1 * width, radius), TYRE)
    oval.add((0.0, 0.0, 0.36 * height), (0.3 * length, 0.1 * width, 0.08 * height), TYRE)
    oval.add(
        (-0.03 * length, 0.0, 0.42 * height), (0.1 * length, 0.26 * width, 0.16 * height), TROUSERS
    )
    oval.add((0.0, 0.0, 0.62 * height), (0.16 * length, 0.42 * width, 0.21 * height), colour)
    oval.add((0.04 * length, 0.0, 0.91 * height), (0.12, 0.16 * width, 0.085 * height), SKIN)
    glows = []
    if lights:
        for end, lamp in ((-1.0, TAIL), (1.0, LAMP)):
            place = stand.place(np.array((end * length / 2, 0.0, 0.45 * height)))
            glows.append(Glow(place, stand.turn(np.array((end, 0.0, 0.0))), 0.14, lamp, 0.9))
    return oval.faces, glows


class _Ovals:
    """Ellipsoids, painted as the ellipses that cameras see of them."""

    def __init__(self, stand: Stand) -> None:
        self.faces: list[Face] = []
        self._stand = stand

    def add(
        self,
        centre: tuple[float, float, float],
        radii: tuple[float, float, float],
        colour: Colour,
    ) -> None:
        """Add one: its centre in the stand's frame, radii along, across and up."""
        along, across, up = radii
        outline = np.stack((np.cos(ROUND), np.zeros(len(ROUND)), up * np.sin(ROUND)), axis=1)
        anchor = self._stand.place(np.array(centre))
        yaw = self._stand.yaw_rad
        self.faces.append(Face(outline, colour, anchor=anchor, radii=(along, across), yaw_rad=yaw))
