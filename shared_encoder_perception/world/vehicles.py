# SPDX-License-Identifier: Apache-2.0
"""Traffic: bodies of sheet metal and glass, seen from behind or from the front; and people."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.world.atlas import Colour, Polygon, box
from shared_encoder_perception.world.classes import PERSON, VEHICLE
from shared_encoder_perception.world.view import View

GLASS: Final[Colour] = (52.0, 46.0, 42.0)
TYRE: Final[Colour] = (26.0, 25.0, 24.0)
TAIL: Final[Colour] = (40.0, 35.0, 190.0)
PLATE: Final[Colour] = (198.0, 203.0, 204.0)
LAMP: Final[Colour] = (225.0, 235.0, 240.0)
NEAREST_M: Final = 3.0


@dataclass(frozen=True, eq=False)
class Body:
    """A silhouette from the side, shares of length and height, from the rear bumper over the roof.

    Attributes:
        outline: (N, 2) from the lowest rear point to the lowest front point.
        glass: (N - 1,) bool, whether the part from point i to i + 1 is a window.
        side_glass: (M, 2) the side windows; empty for none.
        taper: How much narrower the roof is.
        size_m: Smallest and largest ``(length, width, height)``.
    """

    outline: NDArray[np.float64]
    glass: NDArray[np.bool_]
    side_glass: NDArray[np.float64]
    taper: float
    size_m: tuple[tuple[float, float, float], tuple[float, float, float]]


def _body(outline: str, glass: str, side: str, taper: float, low: tuple, high: tuple) -> Body:
    """Read "x,y x,y …"."""

    def points(text: str) -> NDArray[np.float64]:
        return np.array(
            [[float(v) for v in word.split(",")] for word in text.split()] or np.zeros((0, 2))
        )

    return Body(
        points(outline), np.array([c == "1" for c in glass]), points(side), taper, (low, high)
    )


BODIES: Final = MappingProxyType(
    {
        "sedan": _body(
            "0,.17 0,.6 .03,.68 .16,.70 .3,.98 .58,1 .73,.68 .96,.58 1,.45 1,.17",
            "000101000",
            ".24,.70 .33,.94 .57,.95 .69,.68",
            0.16,
            (4.2, 1.7, 1.38),
            (5.0, 1.9, 1.5),
        ),
        "hatch": _body(
            "0,.18 0,.5 .03,.6 .12,.97 .55,1 .74,.66 .96,.56 1,.42 1,.18",
            "00101000",
            ".12,.62 .18,.93 .54,.95 .69,.66",
            0.14,
            (3.6, 1.6, 1.42),
            (4.4, 1.85, 1.6),
        ),
        "suv": _body(
            "0,.2 0,.52 .02,.58 .07,.97 .62,1 .77,.64 .97,.58 1,.45 1,.2",
            "00101000",
            ".09,.6 .13,.93 .6,.95 .72,.63",
            0.1,
            (4.4, 1.8, 1.65),
            (5.2, 2.05, 1.95),
        ),
        "van": _body(
            "0,.14 0,.55 0,.9 .02,1 .75,1 .9,.58 1,.46 1,.14",
            "0100100",
            ".62,.6 .62,.9 .73,.9 .84,.6",
            0.06,
            (4.8, 1.9, 1.95),
            (6.0, 2.1, 2.6),
        ),
        "truck": _body(
            "0,.24 0,1 .76,1 .78,.78 .96,.78 1,.5 1,.12",
            "000010",
            ".86,.52 .84,.74 .94,.74 .97,.52",
            0.0,
            (7.0, 2.4, 3.2),
            (14.0, 2.55, 4.0),
        ),
        "bus": _body(
            "0,.1 0,.5 0,.85 .01,1 .98,1 1,.9 1,.4 1,.1",
            "0100010",
            ".03,.45 .03,.82 .96,.82 .96,.45",
            0.02,
            (9.0, 2.45, 2.9),
            (12.5, 2.55, 3.3),
        ),
    }
)


@dataclass(frozen=True, eq=False)
class Vehicle:
    """Something that drives, stands or walks on the road.

    Attributes:
        kind: A key of ``BODIES``, or ``"two wheels"``, or ``"person"``.
        offset_m: Lateral.
        at_m: Distance along the road when our drive begins.
        speed: As a share of ours; negative when oncoming.
        size_m: ``(length, width, height)``.
        colour: Of the body or the clothes.
        oncoming: Whether its front is seen.
        lights: Whether its lamps are on.
    """

    kind: str
    offset_m: float
    at_m: float
    speed: float
    size_m: tuple[float, float, float]
    colour: Colour
    oncoming: bool
    lights: bool

    def footprint(self, ahead_m: float, grow_m: float = 0.0) -> Polygon:
        """The ground it stands on, in road coordinates."""
        length, width, _ = self.size_m
        half = width / 2 + grow_m
        return box(
            self.offset_m - half,
            self.offset_m + half,
            ahead_m - grow_m,
            ahead_m + length + grow_m,
        )


def draw_vehicle(view: View, vehicle: Vehicle, ahead_m: float) -> None:
    """Draw it with its near end at ``ahead_m``, at least ``NEAREST_M``."""
    if vehicle.kind in BODIES:
        _draw_body(view, vehicle, BODIES[vehicle.kind], ahead_m)
    else:
        _draw_rider(view, vehicle, ahead_m)


def _draw_body(view: View, vehicle: Vehicle, body: Body, ahead_m: float) -> None:
    """Far faces first: side, then the strips from the front over the roof to the rear."""
    length, width, height = vehicle.size_m
    outline, glass = body.outline, body.glass
    side_glass = body.side_glass
    if vehicle.oncoming:
        outline = np.stack((1 - outline[::-1, 0], outline[::-1, 1]), axis=1)
        glass = glass[::-1]
        side_glass = np.stack((1 - side_glass[:, 0], side_glass[:, 1]), axis=1)
    lateral = view.profile.at(np.array([ahead_m]))[0][0]
    seen_side = -np.sign(vehicle.offset_m + lateral - view.camera.yaw_rad * ahead_m) or 1.0

    def place(points: NDArray, side: float) -> NDArray[np.float64]:
        half = width / 2 * (1 - body.taper * np.clip((points[:, 1] - 0.55) / 0.45, 0, 1))
        return np.stack(
            (
                vehicle.offset_m + side * half,
                points[:, 1] * height,
                ahead_m + points[:, 0] * length,
            ),
            axis=1,
        )

    def wheel(at: float, side: float) -> NDArray[np.float64]:
        angle = np.linspace(0, 2 * np.pi, 12, endpoint=False)
        radius = 0.34 if height < 2.2 else 0.5
        return np.stack(
            (
                np.full(12, vehicle.offset_m + side * width / 2),
                radius + radius * np.sin(angle),
                ahead_m + at * length + radius * np.cos(angle),
            ),
            axis=1,
        )

    faces: list[tuple[NDArray, Colour, float]] = [(place(outline, seen_side), vehicle.colour, 0.72)]
    if len(side_glass):
        faces.append((place(side_glass, seen_side * 1.002), GLASS, 0.8))
    faces += [(wheel(at, seen_side * 1.004), TYRE, 1.0) for at in (0.8, 0.17)]
    left, right = place(outline, -1.0), place(outline, 1.0)
    for index in range(len(outline) - 2, -1, -1):
        corners = np.concatenate((left[index : index + 2], right[index : index + 2][::-1]))
        flat = abs(outline[index + 1, 1] - outline[index, 1]) < 0.1
        faces.append((corners, vehicle.colour, 1.12 if flat else 0.92))
        if glass[index]:
            middle = corners.mean(axis=0)
            faces.append((middle + (corners - middle) * (0.84, 0.82, 1.0), GLASS, 1.0))
    view.faces(faces, VEHICLE)
    _draw_end(view, vehicle, ahead_m, float(outline[0, 1] * height))


def _draw_end(view: View, vehicle: Vehicle, ahead_m: float, lowest_m: float) -> None:
    """The near end of a body that begins so high: underside, wheels, lamps, plate."""
    _, width, height = vehicle.size_m
    x, half = vehicle.offset_m, width / 2
    tall = height > 2.2

    def quad(x0: float, x1: float, y0: float, y1: float) -> NDArray[np.float64]:
        return np.array(
            [(x0, y0, ahead_m), (x1, y0, ahead_m), (x1, y1, ahead_m), (x0, y1, ahead_m)]
        )

    clear = 0.55 if tall else 0.24
    top = max(clear, lowest_m)  # or one sees the road through a slit below the body
    lamp = LAMP if vehicle.oncoming else TAIL
    at = (0.7, 0.86) if tall else (0.47 * height, 0.6 * height)
    wheel, inner = 0.5 if tall else 0.22, 0.8 if tall else 0.66
    faces: list[tuple[NDArray, Colour, float]] = [
        (quad(x - half * 0.96, x + half * 0.96, 0.12, top + 0.02), TYRE, 1.3)
    ]
    for side in (-1, 1):
        tyre = quad(x + side * half * 0.98, x + side * (half - wheel), 0.0, top + 0.05)
        faces.append((tyre, TYRE, 1.0))
        faces.append((quad(x + side * half * 0.97, x + side * half * inner, *at), lamp, 1.0))
    faces.append((quad(x - 0.26, x + 0.26, clear + 0.18, clear + 0.3), PLATE, 1.0))
    view.faces(faces, VEHICLE)
    if vehicle.lights:
        scale = view.camera.focal_px / ahead_m
        size, strength = (0.3, 1.0) if vehicle.oncoming else (0.16, 0.8)
        for side in (-1, 1):
            place = np.array([x + side * half * (0.97 + inner) / 2, sum(at) / 2, ahead_m])
            view.glow(view.pixels(place), size * scale, lamp, strength)


def _draw_rider(view: View, vehicle: Vehicle, ahead_m: float) -> None:
    """A person, on foot or on two wheels."""
    _, width, height = vehicle.size_m
    stands = np.array([vehicle.offset_m, 0.0, ahead_m])
    foot, plane = view.pixels(stands), view.facing(stands)
    scale = view.camera.focal_px / ahead_m
    w, h = width * scale, height * scale
    air = view.air
    angle = np.linspace(0, 2 * np.pi, 14, endpoint=False)

    def oval(cx: float, cy: float, rx: float, ry: float, colour: Colour) -> None:
        points = np.stack((cx + rx * np.cos(angle), cy + ry * np.sin(angle)), axis=1)
        view.fill([points], air.seen(colour, ahead_m), PERSON, plane)

    x, y = float(foot[0]), float(foot[1])
    if vehicle.kind == "two wheels":
        oval(x, y - 0.2 * h, 0.1 * w, 0.2 * h, TYRE)
    else:
        for side in (-1, 1):
            oval(x + side * 0.16 * w, y - 0.24 * h, 0.13 * w, 0.25 * h, (60.0, 50.0, 48.0))
    oval(x, y - 0.6 * h, 0.42 * w, 0.24 * h, vehicle.colour)
    oval(x, y - 0.91 * h, 0.16 * w, 0.085 * h, (95.0, 120.0, 160.0))
    if vehicle.lights and vehicle.kind == "two wheels":
        view.glow(foot - (0, 0.45 * h), 0.14 * scale, LAMP if vehicle.oncoming else TAIL, 0.9)
